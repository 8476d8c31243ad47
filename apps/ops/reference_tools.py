"""docs/reference/tools.md: every tool as its code declares it, with an example that tests/integration/toolbox runs."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from apps.tools.registry import INVOKE
from apps.tools.spec import DECLARED, JOB_TIMEOUT_MAX_S, ToolSpec

Table = Callable[[tuple[str, ...], Sequence[tuple[str, ...]]], str]
INTRODUCTION = """# Tools

What a tool is, how it is called and who may: [tools.md](../tools.md). Here is what the code declares: an installation's
administrators may switch a tool off, ask for more scopes, or set other limits (`GET /v1/tools/{name}` says what holds
for you). A caller needs the permission `tools:invoke`, every permission and every scope that stands with the tool.

Each example was run by a test. `$API` is the address of the API, `$TOKEN` a token of the role that stands with it;
`$session`, `$run`, `$job`, `$file` and `$tenant` in its arguments stand for ids of your own.

"""
EFFECTS = {
    "read": "reads",
    "idempotent": "changes; a repeat changes nothing more",
    "write": "writes, once for each Idempotency-Key",
    "destructive": "destroys",
}
APPROVALS = {
    "never": "",
    "tainted": "A person approves a call that data asked for, not the person.",
    "always": "A person approves each call.",
}
DEPTH_MAX = 3


def tools_text(head: str, table: Table) -> str:
    """The page. ``table`` draws one."""
    tools = [DECLARED[name] for name in sorted(DECLARED)]
    rows = [(f"[`{spec.name}`](#{_anchor(spec)})", EFFECTS[spec.effect].partition(";")[0].partition(",")[0],
             _first_sentence(spec)) for spec in tools]  # fmt: skip
    parts = [head + INTRODUCTION + f"{len(tools)} tools.\n\n" + table(("tool", "effect", "what it does"), rows)]
    for category, found in groupby(tools, key=lambda spec: spec.category):
        parts.append(f"## {category}\n")
        parts.extend(_one(spec, table) for spec in found)
    return "\n".join(parts)


def _one(spec: ToolSpec, table: Table) -> str:
    return "\n".join(
        (
            f"### `{spec.name}`\n",
            f"**{spec.title}.** {spec.description}\n",
            *(f"- {fact}" for fact in _facts(spec)),
            "",
            _fields("Arguments", spec.input_schema, table, asked_for=True),
            _fields("Gives", spec.output_schema, table, asked_for=False),
            _example(spec),
        )
    )


def _facts(spec: ToolSpec) -> Iterator[str]:
    """One line each."""
    reading = f" With `action` {_listed(spec.reading_actions)} it only reads." if spec.reading_actions else ""
    reading += f" With {_listed(spec.destructive_when)} it is destructive." if spec.destructive_when else ""
    yield f"Effect: {spec.effect} ({EFFECTS[spec.effect]}).{reading}"
    who = " Only administrators of the platform." if spec.platform else ""
    yield (
        f"Permissions: {_listed((INVOKE, *spec.permissions))}. Scopes: {_listed(spec.scopes)}.{who}"
        if spec.scopes
        else f"Permissions: {_listed((INVOKE, *spec.permissions))}.{who}"
    )
    if APPROVALS[spec.approval]:
        yield APPROVALS[spec.approval]
    yield f"At most {spec.rate.requests:,} calls of one caller in {spec.rate.window_s:,} s, {spec.timeout_s:g} s each."
    if spec.long_running:
        yield f"Takes long: over REST it becomes a job (at most {JOB_TIMEOUT_MAX_S:g} s), which shows its progress."
    if spec.aliases:
        yield f"Also called {_listed(spec.aliases)}."


def _fields(title: str, schema: dict[str, Any], table: Table, *, asked_for: bool) -> str:
    if not schema.get("properties"):
        return f"{title}: none.\n"
    rows = [
        (f"`{path}`", type_name, needed, meaning)
        for path, type_name, needed, meaning in _rows(schema, schema, asked_for=asked_for)
    ]
    if asked_for:
        return f"{title}:\n\n{table(('name', 'type', 'without it', 'meaning'), rows)}"
    return f"{title}:\n\n{table(('name', 'type', 'meaning'), [(name, kind, text) for name, kind, _, text in rows])}"


def _rows(
    schema: dict[str, Any], root: dict[str, Any], *, asked_for: bool, prefix: str = "", depth: int = 1
) -> Iterator[tuple[str, str, str, str]]:
    """(path, type, what holds without it, meaning) of each property, those of objects inside it after it."""
    required = schema.get("required", ())
    for name, declared in schema["properties"].items():
        found = _resolved(declared, root)
        path = f"{prefix}{name}"
        without = "**required**" if name in required else f"`{json.dumps(found.get('default'), ensure_ascii=False)}`"
        yield path, _type(found, root), without, str(found.get("description") or "")
        for inner, step in _objects_in(found, root):
            if depth < DEPTH_MAX:
                yield from _rows(inner, root, asked_for=asked_for, prefix=f"{path}{step}.", depth=depth + 1)


def _objects_in(schema: dict[str, Any], root: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Schemas of objects with named properties that a value of this schema is, or has in it: (schema, what to add)."""
    if schema.get("properties"):
        yield schema, ""
    for choice in schema.get("anyOf", schema.get("oneOf", ())):
        yield from _objects_in(_resolved(choice, root), root)
    if isinstance(schema.get("items"), dict):
        for inner, step in _objects_in(_resolved(schema["items"], root), root):
            yield inner, f"[]{step}"
    more = schema.get("additionalProperties")
    if isinstance(more, dict):
        for inner, step in _objects_in(_resolved(more, root), root):
            yield inner, f".*{step}"


def _resolved(schema: Mapping[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """With what its $ref names; what stands beside the $ref wins."""
    beside = dict(schema)
    name = str(beside.pop("$ref", "")).rpartition("/")[2]
    return {**_without_text(root["$defs"][name]), **beside} if name else beside


def _without_text(schema: dict[str, Any]) -> dict[str, Any]:
    """A model's own docstring is not what its field means."""
    return {key: value for key, value in schema.items() if key != "description"}


def _type(schema: dict[str, Any], root: dict[str, Any]) -> str:
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return " or ".join(f"`{json.dumps(value)}`" for value in values)
    choices = schema.get("anyOf", schema.get("oneOf"))
    if choices:
        return " or ".join(dict.fromkeys(_type(_resolved(choice, root), root) for choice in choices))
    kind = schema.get("type", "any")
    if kind == "array":
        inner = _type(_resolved(schema.get("items", {}), root), root)
        return f"list of {inner}{_limits(schema, 'minItems', 'maxItems')}"
    if kind == "string":
        form = {"uuid": "UUID", "date-time": "time", "date": "date"}.get(schema.get("format", ""), "text")
        return f"{form}{_limits(schema, 'minLength', 'maxLength')}"
    name = {"integer": "whole number", "boolean": "true or false", "object": "object", "null": "null"}.get(kind, kind)
    return f"{name}{_limits(schema, 'minimum', 'maximum')}"


def _limits(schema: dict[str, Any], least: str, most: str) -> str:
    low, high = schema.get(least), schema.get(most)
    if low is not None and high is not None:
        return f", {low:,} to {high:,}"
    if low is not None:
        return f", {low:,} or more"
    return f", at most {high:,}" if high is not None else ""


def _example(spec: ToolSpec) -> str:
    body = json.dumps({"args": dict(spec.example)}, ensure_ascii=False).replace("'", "'\\''")
    is_platform = spec.platform or spec.example_role == "platform"
    role = "administrator of the platform" if is_platform else f"`{spec.example_role}`"
    return (
        f"Example, as {role}:\n\n```sh\ncurl -X POST $API/v1/tools/{spec.name}/invocations \\\n"
        f"  -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' \\\n  -d '{body}'\n```\n"
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _anchor(spec: ToolSpec) -> str:
    return spec.name.replace(".", "")


def _first_sentence(spec: ToolSpec) -> str:
    text = " ".join(spec.description.split())
    return text.partition(". ")[0].rstrip(".") + "."
