"""Templates without logic: {{name}}, {{a.b.0}}, {{#list}}...{{/list}}, {{^empty}}...{{/empty}}, {{.}}, {{! a remark }}.

Nothing is evaluated and nothing is called: a name leads from member to member of JSON, and what is no name is a fault
(attack 112). A value that is put in is never read as a template. Pure; output, depth, names and steps are bounded, so
that the worst of all templates takes a fraction of a second.
"""

import html
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

TEMPLATE_CHARS = 50_000
OUTPUT_CHARS = 100_000
DEPTH_MAX = 10
NAME_PARTS_MAX = 16
STEPS_MAX = 50_000  # parts written and members looked up
_TAG = re.compile(r"\{\{(?:\{([^{}]*)\}\}\}|([^{}]*)\}\})")
_NAME = re.compile(r"\.|[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*", re.ASCII)
_MISSING = object()


class TemplateFault(ValueError):
    """The template, or what it asks for, is not right. The text says where."""


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Value:
    """``path``: the parts of ``name``; of "." none."""

    name: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """``inverted``: shown where the value is empty, false, null or missing."""

    name: str
    path: tuple[str, ...]
    inverted: bool
    parts: "list[Part]" = field(default_factory=list)


Part = Text | Value | Section


@dataclass(frozen=True, slots=True)
class Template:
    """``names``: the values that it asks for outside sections, and the names of its outermost sections, in order."""

    parts: Sequence[Part]

    @property
    def names(self) -> list[str]:
        found = [part.name for part in self.parts if not isinstance(part, Text) and part.name != "."]
        return list(dict.fromkeys(found))


def parse(template: str) -> Template:
    """TemplateFault with the first thing that is wrong, and the line where it stands."""
    root: list[Part] = []
    open_: list[tuple[Section, list[Part]]] = []
    parts, at = root, 0
    for tag in _TAG.finditer(template):
        _add_text(template, at, tag.start(), parts)
        at = tag.end()
        if tag.group(2) is None:
            raise _fault(template, tag.start(), "three braces mean nothing here; values are put in as `escape` says")
        said = tag.group(2).strip()
        kind, name = (said[0], said[1:].strip()) if said[:1] in ("#", "^", "/", "!", "&", ">", "=") else ("", said)
        if kind == "!":
            continue
        if kind in ("&", ">", "="):
            raise _fault(template, tag.start(), f"{{{{{kind}...}}}} is not part of these templates")
        if not _NAME.fullmatch(name):
            raise _fault(template, tag.start(), f"{said[:60]!r} is no name, and nothing is calculated here")
        path = () if name == "." else tuple(name.split(".", NAME_PARTS_MAX))
        if len(path) > NAME_PARTS_MAX:
            raise _fault(template, tag.start(), f"a name has more than {NAME_PARTS_MAX} parts: {name[:60]}...")
        if kind == "":
            parts.append(Value(name, path))
        elif kind == "/":
            if not open_ or open_[-1][0].name != name:
                raise _fault(template, tag.start(), f"{{{{/{name}}}}} closes nothing that is open")
            parts = open_.pop()[1]
        else:
            if len(open_) == DEPTH_MAX:
                raise _fault(template, tag.start(), f"sections are nested more than {DEPTH_MAX} deep")
            section = Section(name, path, kind == "^")
            parts.append(section)
            open_.append((section, parts))
            parts = section.parts
    _add_text(template, at, len(template), parts)
    if open_:
        raise TemplateFault(f"{{{{#{open_[-1][0].name}}}}} is never closed: end it with {{{{/{open_[-1][0].name}}}}}")
    return Template(root)


def missing(template: Template, variables: dict[str, Any]) -> list[str]:
    """The names that lead nowhere, in order; of sections too, which are then empty."""
    paths = {part.name: part.path for part in template.parts if not isinstance(part, Text)}
    return [name for name in template.names if _find(paths[name], [variables])[0] is _MISSING]


def render(
    template: Template, variables: dict[str, Any], *, escape_html: bool, checkpoint: Callable[[], None]
) -> tuple[str, list[str]]:
    """The text, and the names of values that led nowhere, which are left empty. TemplateFault beyond the bounds."""
    renderer = _Renderer(escape_html, checkpoint)
    renderer.write(template.parts, [variables])
    return "".join(renderer.pieces), list(renderer.unknown)


class _Renderer:
    def __init__(self, escape_html: bool, checkpoint: Callable[[], None]) -> None:
        self.escape_html, self.checkpoint = escape_html, checkpoint
        self.pieces: list[str] = []
        self.unknown: dict[str, None] = {}
        self.chars = self.steps = 0

    def write(self, parts: Sequence[Part], scopes: list[Any]) -> None:
        for part in parts:
            self._step()
            if isinstance(part, Text):
                self._put(part.text)
                continue
            value, looked_up = _find(part.path, scopes)
            self._step(looked_up)
            if isinstance(part, Value):
                if value is _MISSING:
                    self.unknown[part.name] = None
                else:
                    self._put(html.escape(_shown(value)) if self.escape_html else _shown(value))
                continue
            is_empty = value is _MISSING or value in (None, False, "", 0) or value == [] or value == {}
            if part.inverted:
                if is_empty:
                    self.write(part.parts, scopes)
            elif not is_empty:
                for each in value if isinstance(value, list) else [value]:
                    self._step()
                    self.write(part.parts, [*scopes, each])

    def _put(self, text: str) -> None:
        self.chars += len(text)
        if self.chars > OUTPUT_CHARS:
            raise TemplateFault(f"the text would have more than {OUTPUT_CHARS:,} characters")
        self.pieces.append(text)

    def _step(self, steps: int = 1) -> None:
        """Lists in lists multiply: what writes nothing counts, too, and each member that a name leads through."""
        before = self.steps
        self.steps += steps
        if self.steps > STEPS_MAX:
            raise TemplateFault(f"its sections and names take more than {STEPS_MAX:,} steps")
        if self.steps // 1_000 > before // 1_000:
            self.checkpoint()


def _add_text(template: str, start: int, end: int, parts: list[Part]) -> None:
    if start == end:
        return
    text = template[start:end]
    if "{{" in text:
        raise _fault(template, start + text.index("{{"), "a {{ has no }}")
    parts.append(Text(text))


def _fault(template: str, at: int, what: str) -> TemplateFault:
    line = template.count("\n", 0, at) + 1
    return TemplateFault(f"line {line}: {what}")


def _find(path: tuple[str, ...], scopes: list[Any]) -> tuple[Any, int]:
    """From the innermost section outwards, whoever has the first part of the name; members of JSON only. The value, and
    how many members were looked up for it."""
    if not path:
        return scopes[-1], 0
    looked_up, value = 0, _MISSING
    for scope in reversed(scopes):
        looked_up += 1
        value = _member(scope, path[0])
        if value is not _MISSING:
            break
    for step in path[1:]:
        if value is _MISSING:
            break
        looked_up += 1
        value = _member(value, step)
    return value, looked_up


def _member(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return value.get(name, _MISSING)
    if isinstance(value, list) and name.isascii() and name.isdigit() and len(name) < 7 and int(name) < len(value):
        return value[int(name)]
    return _MISSING


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)
