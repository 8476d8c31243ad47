"""JSON Schemas made plain enough to fill: references followed, allOf merged, and asked whether a value fits."""

import math
from typing import Any

import jsonschema_rs

Schema = dict[str, Any]
MAX_REFERENCES = 20
_ROOT = "urn:demo:schema"
_VALUES = ("enum", "const", "default", "examples", "example")
_LARGEST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains")
_SMALLEST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains")
NEVER: Schema = {"not": {}}
MAX_DEPTH = 60


class Shapes:
    """One schema's parts. ``root`` is a copy whose references are absolute, so that each part can be checked alone."""

    def __init__(self, schema: Schema) -> None:
        self.root: Schema = _absolute(schema, 0)
        self.root.pop("$id", None)
        self._validators: dict[int, tuple[Any, Any]] = {}

    def plain(self, schema: Any) -> Schema:
        """The schema without $ref and allOf at its top; true is {}, false one that nothing fits."""
        return self._plain(schema, 0)

    def fits(self, value: Any, schema: Any) -> bool:
        """Whether the value is valid; also when the schema is no schema that can be checked."""
        held = self._validators.get(id(schema))
        if held is None:
            asked = schema
            if isinstance(schema, dict) and "demo:left" in schema:
                asked = {key: part for key, part in schema.items() if key != "demo:left"} | {
                    "allOf": schema["demo:left"]
                }
            try:
                validator = jsonschema_rs.Draft202012Validator(
                    asked,
                    validate_formats=True,
                    retriever=self._retrieve,
                    pattern_options=jsonschema_rs.FancyRegexOptions(),
                )
            except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
                validator = None
            held = self._validators[id(schema)] = (schema, validator)  # the schema is kept, so its id is not used again
        try:
            return held[1] is None or bool(held[1].is_valid(value))
        except ValueError:
            return True

    def _retrieve(self, uri: str) -> Any:
        if uri == _ROOT:
            return self.root
        raise ValueError(f"{uri} is not fetched")

    def _plain(self, schema: Any, depth: int) -> Schema:
        if schema is True:
            return {}
        if not isinstance(schema, dict) or depth > MAX_REFERENCES:
            return NEVER
        reference = schema.get("$ref")
        parts = schema.get("allOf")
        if reference is None and not isinstance(parts, list):
            return schema
        merged: Schema = {name: part for name, part in schema.items() if name not in ("$ref", "allOf")}
        if isinstance(reference, str):
            merged = merge(self._plain(self._target(reference), depth + 1), merged)
        left: list[Any] = []
        for part in parts if isinstance(parts, list) else []:
            plain = self._plain(part, depth + 1)
            clashes = any(name in plain and name in merged for name in ("anyOf", "oneOf", "if", "not", "contains"))
            if clashes:
                left.append(plain)
            else:
                merged = merge(merged, plain)
        if left:
            merged["demo:left"] = left  # chosen after the branches of this one
        return merged

    def _target(self, reference: str) -> Any:
        if not reference.startswith(_ROOT):
            return False
        pointer = reference[len(_ROOT) :].lstrip("#")
        target: Any = self.root
        for step in pointer.split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~").replace("%25", "%")
            if isinstance(target, dict):
                target = target.get(step, False)
            elif isinstance(target, list) and step.isdigit() and int(step) < len(target):
                target = target[int(step)]
            else:
                return False
        return target


def types_of(schema: Schema) -> list[str]:
    """The types it allows, guessed from its other keywords where it names none; empty: any."""
    named = schema.get("type")
    if isinstance(named, str):
        return [named]
    if isinstance(named, list):
        return [name for name in named if isinstance(name, str)]
    if schema.keys() & {"properties", "required", "additionalProperties", "minProperties", "patternProperties"}:
        return ["object"]
    if schema.keys() & {"items", "prefixItems", "minItems", "contains", "uniqueItems"}:
        return ["array"]
    if schema.keys() & {"minLength", "maxLength", "pattern", "format"}:
        return ["string"]
    if schema.keys() & {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}:
        return ["number"]
    return []


def merge(one: Schema, other: Schema) -> Schema:
    """A schema that asks for both, keyword by keyword; what cannot be merged is kept from ``other``."""
    merged = dict(one)
    for name, part in other.items():
        if name not in merged:
            merged[name] = part
            continue
        mine = merged[name]
        if name == "properties" and isinstance(mine, dict) and isinstance(part, dict):
            merged[name] = mine | {
                key: {"allOf": [mine[key], asked]} if key in mine else asked for key, asked in part.items()
            }
        elif name == "required" and isinstance(mine, list) and isinstance(part, list):
            merged[name] = list(dict.fromkeys([*mine, *part]))
        elif name in _LARGEST and _are_numbers(mine, part):
            merged[name] = max(mine, part)
        elif name in _SMALLEST and _are_numbers(mine, part):
            merged[name] = min(mine, part)
        elif name == "enum" and isinstance(mine, list) and isinstance(part, list):
            merged[name] = [value for value in mine if value in part]
        elif name == "type":
            merged[name] = _both_types(mine, part)
        elif name in ("items", "additionalProperties", "propertyNames"):
            merged[name] = False if mine is False or part is False else {"allOf": [mine, part]}
        elif name == "uniqueItems":
            merged[name] = bool(mine) or bool(part)
        elif name == "multipleOf" and isinstance(mine, int) and isinstance(part, int) and mine > 0 < part:
            merged[name] = math.lcm(mine, part)
        elif name == "demo:left":
            merged[name] = [*mine, *part]
        else:
            merged[name] = part
    return merged


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _both_types(one: Any, other: Any) -> list[str]:
    ones = [one] if isinstance(one, str) else list(one)
    others = [other] if isinstance(other, str) else list(other)
    both = [name for name in ones if name in others]
    if "integer" not in both and ({"integer", "number"} <= {*ones, *others}):
        both.append("integer")
    return both


def _absolute(schema: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        return True
    if isinstance(schema, list):
        return [_absolute(part, depth + 1) for part in schema]
    if not isinstance(schema, dict):
        return schema
    copied = {}
    for name, part in schema.items():
        if name == "$ref" and isinstance(part, str):
            copied[name] = _ROOT + part if part.startswith("#") else part
        else:
            copied[name] = (
                part if name in _VALUES and depth >= 0 and not isinstance(part, dict) else _absolute(part, depth + 1)
            )
    return copied
