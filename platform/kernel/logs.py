"""Logging: structlog over the standard library; JSON lines in production, readable lines in development.

Every line names the request, job or task it belongs to, holds no secret, is one line of at most LINE_MAX_BYTES whatever
was logged, and waits for nobody: kernel.log_lines writes it.
"""

import json
import logging
import logging.config
import re
from collections.abc import Callable, MutableMapping
from functools import lru_cache
from typing import Any

import structlog

from kernel.log_lines import LineHandler
from kernel.pii.text import REDACTED, finders_for, spans
from kernel.request_context import current

LINE_MAX_BYTES = 16_000
CUTS_CHARS = (8000, 1500, 300, 60)  # of each field, until the line is short enough
LOOKED_THROUGH_CHARS = 2 * LINE_MAX_BYTES  # more of a text is never written
FIELDS_MAX = 60
CUT_MARK = "…[cut]"
SECRET_NAMES = re.compile(
    r"authorization|cookie|passw(or)?d|secret|api_?key|(access|refresh|id|bearer)_?token|^token$|private_?key|dsn$",
    re.IGNORECASE,
)
# Text that others wrote. Addresses of machines stay: without them nobody finds the fault.
PERSONAL_FIELDS = frozenset({"exception", "error", "detail", "message"})
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), "[secret]"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?"), "[token]"),
    (re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"), "[secret]"),
)
_MARKS = ("bearer", "basic", "eyj", "://")  # in lower case; a text without one holds no secret
Event = MutableMapping[str, Any]
_dumped = json.JSONEncoder(default=str).encode


def configure(options: dict[str, Any]) -> None:
    """Django's LOGGING_CONFIG hook: ``{"format": "json"|"console", "level": ...}``."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        add_names,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if options["format"] == "json":
        renderer: Any = as_json_line
        shared.append(structlog.processors.format_exc_info)
    else:
        renderer = as_text
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, without_secrets, renderer],
    )
    handler = LineHandler()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(options["level"])
    for noisy in ("httpx2", "httpcore2", "asyncio", "daphne", "kombu", "celery.beat"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(options["level"])))
    logging.getLogger("django.request").setLevel(logging.CRITICAL)  # edge/errors.py logs what is worth it, once


def add_names(logger: Any, method: str, event: Event) -> Event:
    """What the line is part of: kernel.request_context, as far as the caller does not say otherwise."""
    context = current()
    for name in ("request_id", "correlation_id", "trace_id", "span_id", "parent_id"):
        if value := getattr(context, name):
            event.setdefault(name, value)
    return event


@lru_cache(maxsize=1024)
def is_secret_name(name: str) -> bool:
    """Whether what stands under this name is never written down."""
    return SECRET_NAMES.search(name) is not None


def without_secrets(logger: Any, method: str, event: Event) -> Event:
    """No secret by its field's name or by its looks, and no sign that moves a terminal's cursor."""
    return {
        name: "[secret]" if is_secret_name(name) and value else _clean(value, name) for name, value in event.items()
    }


def _clean(value: Any, name: str = "") -> Any:
    if isinstance(value, str):
        value = value[:LOOKED_THROUGH_CHARS]
        if name in PERSONAL_FIELDS:
            for start, end, kind in reversed(spans(value, finders_for(value))):
                if kind != "ip":
                    value = value[:start] + REDACTED + value[end:]
        lowered = value.lower()
        if any(mark in lowered for mark in _MARKS):
            for pattern, instead in _SECRETS:
                value = pattern.sub(instead, value)
        if value.isprintable():
            return value
        kept = "\n\t" if name == "exception" else ""  # a traceback's lines are ours
        return "".join(sign if sign.isprintable() or sign in kept else _escaped(sign) for sign in value)
    if isinstance(value, dict):
        return {str(key): "[secret]" if is_secret_name(str(key)) else _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item) for item in value]
    if value is None or isinstance(value, bool | int | float) or name == "exc_info":
        return value
    return _clean(str(value))


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape").decode()


def as_json_line(logger: Any, method: str, event: Event) -> str:
    """One line of JSON that fits. ASCII only, so that no terminal reads anything into it."""
    line = _dumped(event)
    if len(line) <= LINE_MAX_BYTES:
        return line
    for chars in CUTS_CHARS:
        line = _dumped(dict(list(_each(event, lambda value: _cut(value, chars)).items())[:FIELDS_MAX]))  # noqa: B023
        if len(line) <= LINE_MAX_BYTES:
            return line
    return _dumped({"event": "log_line_too_long", "level": event.get("level")})


def _each(event: Event, change: Callable[[Any], Any]) -> Event:
    return {_cut(name, 60): change(value) for name, value in event.items()}


_readable = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)


def as_text(logger: Any, method: str, event: Event) -> str:
    """For people; the traceback below its line."""
    return str(_clean(_readable(logger, method, event), "exception"))


def _cut(value: Any, chars: int) -> Any:
    if value is None or isinstance(value, bool | float):
        return value
    text = value if isinstance(value, str) else _dumped(value)
    if len(text) <= chars:
        return value
    return text[:chars] + CUT_MARK
