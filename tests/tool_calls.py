"""How tests call a tool: through the pipeline, as any door does."""

from typing import Any

from apps.identity.principal import Principal
from apps.tools import pipeline
from apps.tools.calls import Call, Outcome


def call(principal: Principal, name: str, arguments: dict[str, Any] | None = None, **more: Any) -> Outcome:
    """The outcome of one call over the door ``rest``, unless ``more`` says otherwise. Refusals are raised."""
    return pipeline.invoke(Call(principal, name, arguments or {}, **{"door": "rest", **more}))


def result(principal: Principal, name: str, arguments: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """What the tool gave; AssertionError with its error when it failed."""
    outcome = call(principal, name, arguments, **more)
    assert outcome.ok, outcome.error
    assert outcome.result is not None
    return outcome.result
