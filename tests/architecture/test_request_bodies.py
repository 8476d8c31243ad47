"""Every string that a request body may hold is of a kind somebody thought about (kernel/web/fields.py)."""

import importlib
import types
import typing
from typing import Any

import pydantic
import pytest
from pydantic import StringConstraints

from kernel.web.fields import Kind, RequestBody
from tests.architecture.source import modules

# dict[str, JsonValue] and the like: documents of the caller's own, whose strings are free text by nature.
FREE_DOCUMENTS = (pydantic.JsonValue, Any)


def bodies() -> list[type[RequestBody]]:
    """Every body of the project's, nested ones too."""
    for name in modules():
        if name.endswith("schemas.py"):
            importlib.import_module(name.removesuffix(".py").replace("/", "."))
    found: list[type[RequestBody]] = []
    waiting = list(RequestBody.__subclasses__())
    while waiting:
        body = waiting.pop()
        waiting += body.__subclasses__()
        if body.__module__.startswith("apps."):
            found.append(body)
    return found


def loose_strings(annotation: Any, metadata: tuple[Any, ...] = ()) -> bool:
    """Whether somewhere in this type there is a string that nobody looked at."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        inner, *more = typing.get_args(annotation)
        return loose_strings(inner, (*metadata, *more))
    if any(annotation is free for free in FREE_DOCUMENTS):
        return False
    if annotation is str:
        constrained = any(isinstance(part, StringConstraints) and part.pattern for part in metadata)
        return not constrained and not any(isinstance(part, Kind) for part in metadata)
    if origin in (typing.Union, types.UnionType):
        return any(loose_strings(part, metadata) for part in typing.get_args(annotation))
    if origin is dict:
        key, value = typing.get_args(annotation)
        return loose_strings(value) or (key is not str and loose_strings(key))
    if origin in (list, set, tuple):
        return any(loose_strings(part) for part in typing.get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return not issubclass(annotation, RequestBody)
    return False


@pytest.mark.requirement("guards:bodies")
def test_every_string_of_a_body_is_of_a_kind() -> None:
    loose = [
        f"{body.__name__}.{name}"
        for body in bodies()
        for name, annotation in typing.get_type_hints(body, include_extras=True).items()
        if name in body.model_fields and loose_strings(annotation, tuple(body.model_fields[name].metadata))
    ]

    assert len(bodies()) >= 4
    assert loose == []


@pytest.mark.requirement("guards:bodies")
def test_every_body_refuses_fields_that_nobody_asked_for() -> None:
    assert [body.__name__ for body in bodies() if body.model_config.get("extra") != "forbid"] == []


def test_no_body_narrows_a_kind_of_text_by_a_limit_that_pydantic_would_drop() -> None:
    """A max_length beside the StringConstraints of an Annotated[str, ...] is ignored: the longer of the two holds."""
    dropped = [
        f"{body.__name__}.{name}"
        for body in bodies()
        for name, field in body.model_fields.items()
        if len([part for part in field.metadata if getattr(part, "max_length", None) is not None]) > 1
    ]

    assert dropped == []
