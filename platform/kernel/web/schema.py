"""The bridge from pydantic to DRF: one kind of schema for REST bodies, job payloads and (later) tools."""

from collections.abc import Callable
from typing import Any, TypeVar

import pydantic
from django.http import HttpRequest, HttpResponse
from pydantic_core import to_json

from kernel.errors import ValidationError
from kernel.faults import faults_of
from kernel.web.etag import not_modified
from kernel.web.fields import RequestBody

Model = TypeVar("Model", bound=RequestBody)


def parse_body(model: type[Model], data: Any) -> Model:
    """Validate a decoded body. ValidationError (422) lists every fault as {loc, msg, type}; loc starts with "body"."""
    if not isinstance(data, dict):
        raise ValidationError(
            "Request validation failed: the body must be a JSON object.",
            errors=[{"loc": ["body"], "msg": "Input should be an object", "type": "dict_type"}],
        )
    try:
        return model.model_validate(data)
    except pydantic.ValidationError as error:
        raise ValidationError("Request validation failed", errors=faults_of(error, "body")) from error


def json_response(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    """JSON on one line, as the predecessor's scripts expect."""
    return HttpResponse(to_json(data), status=status, content_type="application/json", headers=headers)


def json_if_changed(request: HttpRequest, document: Callable[[], Any], headers: dict[str, str]) -> HttpResponse:
    """304 for a client that holds what ``headers["ETag"]`` names; else the document, which is not made before."""
    if not_modified(request, headers["ETag"]):
        return HttpResponse(status=304, headers=headers)
    return json_response(document(), headers=headers)
