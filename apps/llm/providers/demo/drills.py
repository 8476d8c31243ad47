"""Failures on purpose, for tests and for operators who want to see what the platform does with them. Only for who asks
by the model's id; no instance has these ids unless somebody makes one.

| model id | what happens |
| --- | --- |
| demo-fails | the provider answers 500 |
| demo-busy | it answers 429 with "retry after one second" |
| demo-refuses | it answers 401 |
| demo-garbage | its answer is none |
| demo-forgets | the messages are too long for it, whatever their length |
| demo-cut | the connection breaks after the third piece of a stream; complete fails as well |
| demo-slow | a piece every 50 ms |
| demo-hangs | nothing comes until the deadline, or the first byte's |
"""

from apps.llm.failures import FailureKind, ProviderFailure

MODEL = "demo"
SLOW, CUT, HANGS = "demo-slow", "demo-cut", "demo-hangs"
PIECES_BEFORE_CUT = 3
SLOW_PIECE_S = 0.05
_FAILING: dict[str, tuple[FailureKind, str, int | None, float | None]] = {
    "demo-fails": (FailureKind.SERVER, "The demo model fails because its id asks for it.", 500, None),
    "demo-busy": (FailureKind.RATE_LIMIT, "The demo model is busy because its id asks for it.", 429, 1.0),
    "demo-refuses": (FailureKind.AUTH, "The demo model refuses because its id asks for it.", 401, None),
    "demo-garbage": (FailureKind.GARBAGE, "The demo model's answer is none because its id asks for it.", None, None),
    "demo-forgets": (
        FailureKind.CONTEXT_LENGTH,
        "The messages are too long because the model's id asks for it.",
        400,
        None,
    ),
}
MODEL_IDS = frozenset({MODEL, SLOW, CUT, HANGS, *_FAILING})


def fail_if_asked(model_id: str) -> None:
    """ProviderFailure for an id that asks for one, and NOT_FOUND for one that is no model here."""
    if model_id in _FAILING:
        kind, detail, status_code, retry_after_s = _FAILING[model_id]
        raise ProviderFailure(kind, detail, status_code=status_code, retry_after_s=retry_after_s)
    if model_id not in MODEL_IDS:
        raise ProviderFailure(
            FailureKind.NOT_FOUND,
            f"The demo provider has no model {model_id[:100]!r}: it has {MODEL}.",
            status_code=404,
        )


def cut() -> ProviderFailure:
    """What demo-cut ends with."""
    return ProviderFailure(FailureKind.INTERRUPTED, "The stream broke because the model's id asks for it.")
