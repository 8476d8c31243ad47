"""The project's own Python, as the architecture tests read it."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("platform/config", "platform/kernel", "platform/devkit", "apps", "workers")


@cache
def modules() -> dict[str, ast.Module]:
    """Path relative to the root -> syntax tree, for every module that is not a migration."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                found[path.relative_to(ROOT).as_posix()] = ast.parse(path.read_text(), str(path))
    return found


def text_of(name: str) -> str:
    return (ROOT / name).read_text()


def strings(tree: ast.Module) -> Iterator[str]:
    """Every string literal that is not a docstring, f-string parts included."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value
