"""A value for any JSON Schema out of what was said: first what has a source, then what the schema insists on.

Work is bounded by FILLED parts and a depth; beyond them only what is required is filled. A schema that nothing fits, or
that asks for more than the rules here see (a `not` that forbids the obvious), gets the nearest value.
"""

from typing import Any

from apps.llm.language import words
from apps.llm.providers.demo import leaves
from apps.llm.providers.demo.arrays import Filled, array
from apps.llm.providers.demo.distinct import another
from apps.llm.providers.demo.pattern_text import matching_text
from apps.llm.providers.demo.shapes import Schema, Shapes, merge, types_of
from apps.llm.providers.demo.source import Source

FILLED = 3_000
MAX_DEPTH = 16
MAX_BRANCHES = 12
MAX_ITEMS = 200
_MISSING_SHOWN = 8


def fill(schema: Schema, source: Source) -> Filled:
    """The value for a schema; valid wherever the rules reach."""
    shapes = Shapes(schema)
    first: Filled | None = None
    for optional in ("found", "none", "all"):
        filled = _Filler(shapes, source, optional).value(shapes.root, "", source, 0, True)
        if shapes.fits(filled.value, shapes.root):
            return filled
        first = first or filled
    assert first is not None
    return first


class _Filler:
    """One attempt. ``optional``: which optional properties are filled: those with a source, none, or all."""

    def __init__(self, shapes: Shapes, source: Source, optional: str) -> None:
        self.shapes = shapes
        self.optional = optional
        self.left = FILLED
        self.taken: list[Any] = []

    def value(self, schema: Any, name: str, source: Source, depth: int, required: bool) -> Filled:
        self.left -= 1
        plain = self.shapes.plain(schema)
        if self.left < 0 or depth > MAX_DEPTH * 2:
            return Filled(self._least(plain), False)
        for keyword in ("anyOf", "oneOf"):
            if isinstance(plain.get(keyword), list) and plain[keyword]:
                return self._branch(plain, keyword, name, source, depth, required)
        if plain.get("demo:left"):
            return self._later(plain, name, source, depth, required)
        if "if" in plain:
            return self._conditional(plain, name, source, depth, required)
        return self._typed(plain, name, source, depth, required)

    def _branch(self, plain: Schema, keyword: str, name: str, source: Source, depth: int, required: bool) -> Filled:
        rest = {key: part for key, part in plain.items() if key != keyword}
        described = [part for part in plain[keyword] if isinstance(part, dict) and "const" in part]
        if len(described) == len(plain[keyword]):
            told = "; ".join(
                f"{part['const']}: {part.get('description') or part.get('title') or ''}" for part in described
            )
            rest = merge(rest, {"enum": [part["const"] for part in described], "description": told})
            return self.value(rest, name, source, depth + 1, required)
        before = list(self.taken)
        best: tuple[int, Filled, list[Any]] | None = None
        for branch in plain[keyword][:MAX_BRANCHES]:
            self.taken = list(before)
            merged = merge(rest, self.shapes.plain(branch))
            filled = self.value(merged, name, source, depth + 1, required)
            rank = 4 * self.shapes.fits(filled.value, plain) + 2 * filled.is_found + (not filled.missing)
            if filled.value is None:  # better than a placeholder, worse than what was said
                rank = rank - 1 + (not source.is_call or not required)
            elif not filled.is_found and any(
                self.shapes.plain(other).get("type") == "null" for other in plain[keyword]
            ):
                rank -= 1
            if best is None or rank > best[0]:
                best = (rank, filled, self.taken)
            if rank >= 7 or self.left < 0:
                break
        assert best is not None
        self.taken = best[2]
        if keyword == "oneOf" and not self.shapes.fits(best[1].value, plain):  # it fits more than one
            return Filled(self._around(best[1].value, plain), False, best[1].missing)
        return best[1]

    def _later(self, plain: Schema, name: str, source: Source, depth: int, required: bool) -> Filled:
        first, *others = plain["demo:left"]
        rest = {key: part for key, part in plain.items() if key != "demo:left"}
        if others:
            rest["demo:left"] = others
        return self.value(merge(rest, first), name, source, depth + 1, required)

    def _conditional(self, plain: Schema, name: str, source: Source, depth: int, required: bool) -> Filled:
        rest = {key: part for key, part in plain.items() if key not in ("if", "then", "else")}
        before = list(self.taken)
        filled = self.value(rest, name, source, depth + 1, required)
        holds = self.shapes.fits(filled.value, plain["if"])
        then, otherwise = plain.get("then", True), plain.get("else", True)
        for branch in (
            (merge(self.shapes.plain(plain["if"]), self.shapes.plain(then)), then) if holds else (otherwise, then)
        ):
            if self.shapes.fits(filled.value, plain):
                break
            self.taken = list(before)
            filled = self.value(merge(rest, self.shapes.plain(branch)), name, source, depth + 1, required)
        return filled

    def _typed(self, plain: Schema, name: str, source: Source, depth: int, required: bool) -> Filled:
        if "const" in plain:
            return Filled(plain["const"], True)
        if isinstance(plain.get("enum"), list) and plain["enum"]:
            allowed = [value for value in plain["enum"] if self.shapes.fits(value, plain)] or plain["enum"]
            leaf = leaves.choose(plain, allowed, name, source)
            return self._of_leaf(leaf, plain, name, required and len(allowed) > 1)
        types = types_of(plain)
        if not types and "type" in plain:
            return Filled(None, False)  # two parts of the schema ask for different types
        if not types:
            return self._anything(plain, name, source, required)
        best: Filled | None = None
        for kind in sorted(types, key=lambda one: one == "null"):
            filled = self._of_type(kind, plain, name, source, depth, required)
            if filled.is_found and self.shapes.fits(filled.value, plain):
                return filled
            if best is None or (kind == "null" and self.shapes.fits(None, plain)):
                best = filled
        assert best is not None
        if not self.shapes.fits(best.value, plain) and isinstance(plain.get("not"), dict):
            return Filled(self._around(best.value, plain), False, best.missing)
        return best

    def _of_type(self, kind: str, plain: Schema, name: str, source: Source, depth: int, required: bool) -> Filled:
        if kind == "null":
            return Filled(None, False)
        if kind == "object":
            return self._object(plain, name, source, depth)
        if kind == "array":
            return array(self, plain, name, source, depth, required)
        if kind == "boolean":
            leaf = leaves.boolean(plain, name, source)
            return Filled(leaf.value, leaf.is_found)
        if kind in ("integer", "number"):
            leaf = leaves.number(plain, name, source, integer=kind == "integer", required=required, taken=self.taken)
        else:
            leaf = leaves.string(plain, name, source, self.shapes, required=required, taken=self.taken)
        return self._of_leaf(leaf, plain, name, required)

    def _of_leaf(self, leaf: leaves.Leaf, plain: Schema, name: str, required: bool) -> Filled:
        is_missing = required and not leaf.is_found and "default" not in plain and leaf.value is not None
        return Filled(leaf.value, leaf.is_found, (name or "a value",) if is_missing else ())

    def _anything(self, plain: Schema, name: str, source: Source, required: bool) -> Filled:
        """A value without a type: what was said with the name, else a text."""
        said = source.values.after_name(words.name_words(name)) if name else None
        if said is not None and self.shapes.fits(said, plain):
            return Filled(said, True)
        leaf = leaves.string(plain, name, source, self.shapes, required=required, taken=self.taken)
        if self.shapes.fits(leaf.value, plain):
            return self._of_leaf(leaf, plain, name, required)
        return Filled(self._around(leaf.value, plain), False)

    def _around(self, value: Any, plain: Schema) -> Any:
        """Something else that fits, for what a `not` forbids."""
        least = plain.get("minimum", 0)
        low = least if isinstance(least, int | float) else 0
        others: list[Any] = [
            None,
            False,
            True,
            0,
            0.5,
            -1,
            *range(1, 12),
            low + 1,
            low + 2,
            "unknown",
            "",
            "none",
            [],
            {},
        ]
        for other in others:
            if self.shapes.fits(other, plain):
                return other
        return value

    def _object(self, plain: Schema, name: str, source: Source, depth: int) -> Filled:
        given = plain.get("properties")
        properties: Schema = given if isinstance(given, dict) else {}
        needed = [key for key in plain.get("required") or [] if isinstance(key, str)]
        result: Schema = {}
        missing: list[str] = []
        found = False
        spare: list[tuple[str, Any]] = []
        optional = "none" if depth > MAX_DEPTH else self.optional
        for key in [*properties, *(key for key in needed if key not in properties)]:
            if key not in needed and optional == "none":
                spare.append((key, None))
                continue
            filled = self.value(self._schema_of(key, plain, properties), key, source, depth + 1, key in needed)
            if key in needed or filled.is_found or optional == "all":
                result[key] = filled.value
                missing += filled.missing if key in needed else ()
                found = found or filled.is_found
            else:
                spare.append((key, filled.value))
        self._add_dependent(plain, properties, result, source, depth)
        if not properties or plain.get("minProperties", 0) > len(result):
            found = self._add_more(plain, properties, result, spare, source, depth) or found
        return Filled(result, found or not needed, tuple(missing[:_MISSING_SHOWN]))

    def _schema_of(self, key: str, plain: Schema, properties: Schema) -> Any:
        if key in properties:
            return properties[key]
        for pattern, part in (plain.get("patternProperties") or {}).items():
            if self.shapes.fits(key, {"type": "string", "pattern": pattern}):
                return part
        return plain.get("additionalProperties", True)

    def _add_dependent(self, plain: Schema, properties: Schema, result: Schema, source: Source, depth: int) -> None:
        for key, others in (plain.get("dependentRequired") or {}).items():
            for other in others if key in result else ():
                if other not in result:
                    part = self._schema_of(other, plain, properties)
                    result[other] = self.value(part, other, source, depth + 1, True).value

    def _add_more(
        self,
        plain: Schema,
        properties: Schema,
        result: Schema,
        spare: list[tuple[str, Any]],
        source: Source,
        depth: int,
    ) -> bool:
        """Properties that no name is given for: what was said as name=value, then as many as there must be."""
        found = False
        most = plain.get("maxProperties", MAX_ITEMS)
        names = plain.get("propertyNames", True)
        if not properties and plain.get("additionalProperties", True) is not False:
            for key, value in source.values.pairs.items():
                if (
                    len(result) < most
                    and self.shapes.fits(key, names)
                    and self.shapes.fits(value, self._schema_of(key, plain, {}))
                ):
                    result[key] = value
                    found = True
        wanted = min(plain.get("minProperties", 0), MAX_ITEMS)
        for key, _ in spare:
            if len(result) >= wanted:
                break
            result[key] = self.value(self._schema_of(key, plain, properties), key, source, depth + 1, True).value
        for number in range(MAX_ITEMS * 2):
            if len(result) >= wanted:
                break
            for key in (f"key{number + 1}", "k" * (number + 1), *self._patterned(plain, result, number)):
                part = self._schema_of(key, plain, properties)
                if key not in result and part is not False and self.shapes.fits(key, names):
                    result[key] = self.value(part, key, source, depth + 1, True).value
                    break
        return found

    def _patterned(self, plain: Schema, taken: Schema, number: int) -> list[str]:
        """Names that match a pattern that names must have, and that are not taken."""
        patterns = [
            *(plain.get("patternProperties") or {}),
            self.shapes.plain(plain.get("propertyNames", True)).get("pattern"),
        ]
        return [
            str(another(text, list(taken), {"type": "string", "pattern": pattern}, number, self.shapes))
            for pattern in patterns
            if isinstance(pattern, str) and (text := matching_text(pattern)) is not None
        ]

    def _least(self, plain: Schema) -> Any:
        """Without looking further: for what is too deep or too much."""
        if "const" in plain:
            return plain["const"]
        if plain.get("enum"):
            return plain["enum"][0]
        kinds = types_of(plain) or ["null"]
        if "null" in kinds:
            return None
        return {"object": {}, "array": [], "boolean": False, "integer": 0, "number": 0}.get(kinds[0], "")
