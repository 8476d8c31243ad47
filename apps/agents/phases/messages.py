"""Messages for models. What is not ours stands between tags that its own text cannot close, and is called data."""

import json
from collections.abc import Sequence
from typing import Any

from apps.llm.types import Message

DATA_CHARS = 24_000  # of all results in one prompt
REQUEST_CHARS = 100_000


def tagged(tag: str, text: str) -> str:
    """A text between tags. The tags' own signs are spelt otherwise in it."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<{tag}>\n{safe}\n</{tag}>"


def tagged_json(tag: str, value: Any, *, chars: int = DATA_CHARS) -> str:
    """A JSON value between tags, cut to ``chars`` with a mark that says so. No sign of it can close the tags."""
    text = json.dumps(value, ensure_ascii=False, default=str).replace("<", "\\u003c").replace(">", "\\u003e")
    if len(text) > chars:
        text = text[:chars] + " ... (cut)"
    return f"<{tag}>\n{text}\n</{tag}>"


def request_only(system: str, request: str) -> tuple[Message, ...]:
    """A system prompt and the request as data."""
    return Message("system", system), Message("user", tagged("request", request[:REQUEST_CHARS]))


def with_data(system: str, request: str, **data: Any) -> tuple[Message, ...]:
    """A system prompt, the request, and named data, each between tags of its name."""
    parts = [tagged("request", request[:REQUEST_CHARS]), *(tagged_json(name, value) for name, value in data.items())]
    return Message("system", system), Message("user", "\n\n".join(parts))


def conversation(
    system: str, history: Sequence[Message], request: str, results: Sequence[Any] = ()
) -> tuple[Message, ...]:
    """A system prompt, what was said before, and the request in the person's own words, with results as data."""
    asked = request[:REQUEST_CHARS]
    if results:
        asked = f"{tagged('request', asked)}\n\n{tagged_json('results', list(results))}"
    return Message("system", system), *history, Message("user", asked)
