"""Facts that have one home, and files that stay readable. What import contracts cannot see (docs/architecture.md)."""

import ast
import re

import pytest

from kernel import redis_keys
from kernel.task_names import TaskName
from tests.architecture.source import ROOT, modules, strings, text_of

LINES_MAX = 400
LINES_WISHED = 300
VAGUE_NAMES = re.compile(r"(^|_)(utils?|helpers?|common|misc|v\d+|new|old|final)$")
MAY_READ_ENVIRON = ("platform/config/env.py", "platform/devkit/", "workers/celery.py", "platform/config/asgi.py",
                    "platform/config/wsgi.py", "apps/mcp/management/commands/mcp_stdio.py")  # fmt: skip
MAY_CATCH_EXCEPTION = ("apps/edge/errors.py", "workers/errors.py", "workers/runs/errors.py", "apps/ops/probes.py",
                       "apps/tools/pipeline.py", "apps/edge/mcp_gate.py", "apps/mcp/server.py")  # fmt: skip
EDGE_OF_A_STREAM = ("platform/kernel/web/sse.py", "apps/jobs/feed.py", "apps/jobs/consumers.py")


def test_redis_keys_are_built_in_one_module():
    prefixes = tuple(key.pattern.split("{")[0] for key in redis_keys.KEYS)
    allowed = {"platform/kernel/redis_keys.py"}

    strays = {
        (name, literal)
        for name, tree in modules().items()
        if name not in allowed
        for literal in strings(tree)
        if literal.startswith(prefixes) and literal not in ("jobs:queue:", "jobs:queue")
    }

    assert not strays


def test_the_environment_is_read_in_one_module():
    strays = [
        name
        for name, tree in modules().items()
        if not name.startswith(MAY_READ_ENVIRON)
        and any(isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") for node in ast.walk(tree))
    ]

    assert not strays


def test_only_edges_catch_every_exception():
    strays = [
        name
        for name, tree in modules().items()
        if name not in MAY_CATCH_EXCEPTION + EDGE_OF_A_STREAM
        and any(
            isinstance(node, ast.ExceptHandler)
            and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception"))
            for node in ast.walk(tree)
        )
    ]

    assert not strays


def test_the_role_that_looks_across_tenants_has_one_door():
    allowed = {"platform/kernel/engine_db.py", "platform/config/settings/base.py"}

    strays = [name for name, tree in modules().items() if name not in allowed and "engine" in set(strings(tree))]

    assert not strays, "name it kernel.engine_db.ALIAS"


def test_no_file_is_too_long():
    too_long = {name: lines for name in modules() if (lines := len(text_of(name).splitlines())) > LINES_MAX}

    assert not too_long


def test_few_files_are_longer_than_wished():
    long = [name for name in modules() if len(text_of(name).splitlines()) > LINES_WISHED]

    assert len(long) <= 3, long


def test_module_names_say_what_is_inside():
    vague = [name for name in modules() if VAGUE_NAMES.search(name.rsplit("/", 1)[-1].removesuffix(".py"))]

    assert not vague


def test_every_module_says_what_it_is():
    silent = [name for name, tree in modules().items() if not ast.get_docstring(tree) and text_of(name).strip() != ""]

    assert not silent


def test_init_files_hold_a_docstring_and_nothing_else():
    exceptions = {"platform/config/settings/__init__.py"}  # it is the settings module: base, then prod's rules

    busy = [
        name
        for name, tree in modules().items()
        if name.endswith("__init__.py") and len(tree.body) > 1 and name not in exceptions
    ]

    assert not busy


def test_every_task_name_has_its_task_and_every_task_its_name():
    from workers.celery import app

    app.loader.import_default_modules()
    named = {value for name, value in vars(TaskName).items() if name.isupper() and not name.endswith("_PREFIX")}
    registered = {name for name in app.tasks if not name.startswith("celery.")}

    assert named == registered


def test_every_job_type_has_a_handler_and_every_handler_its_type():
    from apps.jobs.types import JOB_TYPES
    from workers.handlers.registry import HANDLERS

    assert set(HANDLERS) == set(JOB_TYPES)


@pytest.mark.parametrize(
    "name", ["redis-keys.md", "settings.md", "metrics.md", "errors.md", "rbac.md", "events.md", "tools.md"]
)
def test_reference_pages_are_what_the_code_says(name):
    from apps.ops import reference

    page = ROOT / "docs" / "reference" / name

    assert page.read_text() == reference.PAGES[name](), "run `make docs`"


def test_every_module_of_the_toolbox_declares_tools_and_none_of_its_parts_does():
    declares = {
        name: "tool" in {getattr(getattr(mark, "func", None), "id", "") for mark in marks_of(tree)}
        for name, tree in modules().items()
        if name.startswith("apps/toolbox/") and not name.endswith(("/__init__.py", "/apps.py"))
    }

    assert {name for name, does in declares.items() if does == name.startswith("apps/toolbox/parts/")} == set()


def marks_of(tree: ast.Module) -> list[ast.expr]:
    return [mark for node in tree.body if isinstance(node, ast.FunctionDef) for mark in node.decorator_list]
