"""Tools that only a test knows, declared and undeclared, and what the registry holds of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from apps.audit.models import AuditLog
from apps.tools import syncing
from apps.tools.context import ToolContext
from apps.tools.models import ToolManifest
from apps.tools.spec import DECLARED, Effect, ToolInput, ToolOutput, ToolSpec, tool
from kernel import engine_db


class In(ToolInput):
    text: str = "x"


class Out(ToolOutput):
    text: str


def declare(name: str, effect: Effect = "read", **more: Any) -> ToolSpec:
    """A tool that says its text again; not in the registry until it is synchronised."""

    @tool(name, effect=effect, **more)
    def echo(context: ToolContext, given: In) -> Out:
        """Say it again."""
        return Out(text=given.text)

    return DECLARED[name]


def redeclare(name: str, **changes: Any) -> ToolSpec:
    """The same tool as its next release would declare it."""
    DECLARED[name] = replace(DECLARED[name], **changes)
    return DECLARED[name]


@contextmanager
def only_here(*prefixes: str) -> Iterator[None]:
    """Afterwards no code declares tools whose names begin so, and the registry has forgotten that it ever did."""
    try:
        yield
    finally:
        for name in [name for name in DECLARED if name.startswith(prefixes)]:
            del DECLARED[name]
        syncing.sync(approve=True, by="tests")


def manifest(name: str) -> ToolManifest:
    return ToolManifest.objects.using(engine_db.ALIAS).get(name=name)


def audited(action: str, resource_id: str) -> list[AuditLog]:
    """The audit rows of an action on a tool, newest first."""
    rows = AuditLog.objects.using(engine_db.ALIAS).filter(action=action, resource_id=resource_id)
    return list(rows.order_by("-created_at"))
