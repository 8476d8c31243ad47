"""Typed readers of the process environment: the only module that reads os.environ.

Every call registers a name, a default and a sentence of help; docs/reference/settings.md is generated from that.
A wrong value, a missing required one or an unknown ``AGENTIC_*`` name stops start-up with a sentence that says
what to do.
"""

import json
import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

T = TypeVar("T")
PREFIX = "AGENTIC_"

# Written to .dev/env for scripts that drive a running platform; the platform itself does not read them.
FOR_SCRIPTS = frozenset(
    {
        "AGENTIC_API_URL",
        "AGENTIC_DATABASE_ADMIN_URL",
        "AGENTIC_WEB_PID",
        "AGENTIC_WORKER_PID",
        "AGENTIC_WORKER_PIDS",
        "AGENTIC_BEAT_PID",
        "AGENTIC_FLOWER_PID",
        "AGENTIC_FLOWER_PORT",
        "AGENTIC_SUPERVISOR_PID",
        "AGENTIC_POSTGRES_PID",
        "AGENTIC_REDIS_PID",
        "AGENTIC_GRAPH_PID",
    }
)


class SettingError(Exception):
    """A setting is missing, wrong or unknown. The text names it and says what to do."""


@dataclass(frozen=True)
class Setting:
    """One environment variable, as the reference page shows it."""

    name: str
    kind: str
    default: str | None  # None: required
    help: str
    secret: bool = False
    shown: str = ""  # the value in force, as an administrator may see it


def _shown(raw: str | None, *, secret: bool) -> str:
    """Neither secrets nor what stands before the @ of an address."""
    if raw and secret and "://" not in raw:
        return "(secret)"
    if raw and "://" in raw:
        scheme, _, rest = raw.partition("://")
        return f"{scheme}://(secret)@{rest.rpartition('@')[2]}" if "@" in rest else raw
    return raw or ""


class Env:
    """Reads typed values from ``environ`` and remembers what it was asked for."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.environ = environ
        self.registry: dict[str, Setting] = {}

    def _read(
        self,
        name: str,
        kind: str,
        default: str | None,
        help: str,
        parse: Callable[[str], T],
        secret: bool = False,
    ) -> T:
        if name in self.registry:
            raise SettingError(f"{name} is declared twice; a fact has one home.")
        raw = self.environ.get(name, default)
        self.registry[name] = Setting(name, kind, default, help, secret, _shown(raw, secret=secret))
        if raw is None or (raw == "" and default is None):
            raise SettingError(f"{name} is not set. {help} See docs/reference/settings.md.")
        try:
            return parse(raw)
        except ValueError as error:
            shown = "the value" if secret else repr(raw)
            raise SettingError(f"{name}: {shown} is not {kind}: {error}. {help}") from error

    def text(self, name: str, default: str | None, help: str) -> str:
        return self._read(name, "text", default, help, str)

    def secret(self, name: str, default: str | None, help: str) -> str:
        """Like str; its value is never shown. NAME_FILE may name a file that holds it."""
        file = self.environ.get(f"{name}_FILE")
        if file and name not in self.environ:
            path = Path(file)
            if not path.is_file():
                raise SettingError(f"{name}_FILE names {file}, which is not a file.")
            self.environ[name] = path.read_text().strip()
        return self._read(name, "a secret", default, help, str, secret=True)

    def integer(self, name: str, default: int, help: str, at_least: int = 0, at_most: int = 2**31) -> int:
        def parse(raw: str) -> int:
            value = int(raw)
            if not at_least <= value <= at_most:
                raise ValueError(f"it must lie between {at_least} and {at_most}")
            return value

        return self._read(name, "a whole number", str(default), help, parse)

    def number(self, name: str, default: float, help: str, at_least: float = 0.0) -> float:
        def parse(raw: str) -> float:
            value = float(raw)
            if not at_least <= value < float("inf"):
                raise ValueError(f"it must be at least {at_least}")
            return value

        return self._read(name, "a number", str(default), help, parse)

    def flag(self, name: str, default: bool, help: str) -> bool:
        words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}

        def parse(raw: str) -> bool:
            if raw.lower() not in words:
                raise ValueError("say true or false")
            return words[raw.lower()]

        return self._read(name, "true or false", "true" if default else "false", help, parse)

    def choice(self, name: str, default: str, choices: tuple[str, ...], help: str) -> str:
        def parse(raw: str) -> str:
            if raw not in choices:
                raise ValueError("say one of " + ", ".join(choices))
            return raw

        return self._read(name, "one of " + ", ".join(choices), default, help, parse)

    def items(self, name: str, default: str, help: str) -> list[str]:
        return self._read(name, "a comma-separated list", default, help, lambda raw: [p for p in raw.split(",") if p])

    def objects(self, name: str, members: tuple[str, ...], help: str) -> dict[str, dict[str, str]]:
        """A JSON object of objects, each with exactly these members, all of them texts. Empty by default."""

        def parse(raw: str) -> dict[str, dict[str, str]]:
            value = json.loads(raw or "{}")
            if not isinstance(value, dict) or not all(
                isinstance(its, dict)
                and its.keys() == set(members)
                and all(isinstance(text, str) and text for text in its.values())
                for its in value.values()
            ):
                raise ValueError("each name needs an object with exactly the texts " + ", ".join(members))
            return value

        return self._read(name, "a JSON object", "", help, parse)

    def url(self, name: str, default: str | None, help: str, schemes: tuple[str, ...], secret: bool = False) -> str:
        def parse(raw: str) -> str:
            parts = urlsplit(raw)
            if parts.scheme not in schemes or not parts.netloc:
                raise ValueError("it must look like " + " or ".join(f"{s}://host..." for s in schemes))
            return raw

        return self._read(name, "a URL", default, help, parse, secret=secret)

    def refuse_unknown(self) -> None:
        """A misspelt name must not pass for a default. Call after the last setting was read."""
        known = set(self.registry) | {f"{name}_FILE" for name in self.registry} | FOR_SCRIPTS
        unknown = sorted(name for name in self.environ if name.startswith(PREFIX) and name not in known)
        if unknown:
            raise SettingError(
                f"unknown setting{'s' if len(unknown) > 1 else ''} {', '.join(unknown)}: remove "
                f"{'them' if len(unknown) > 1 else 'it'} or correct the name (docs/reference/settings.md lists all)."
            )


def database(url: str, **extra: Any) -> dict[str, Any]:
    """A PostgreSQL URL as one entry of Django's DATABASES."""
    parts: SplitResult = urlsplit(url)
    return {
        "ENGINE": "kernel.postgres",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or 5432),
        **extra,
    }


def load_running_platform(file: Path) -> None:
    """Take the settings of the platform that `make run` started, unless the caller has set their own."""
    if "DATABASE_URL" in os.environ or not file.is_file():
        return
    for line in file.read_text().splitlines():
        name, separator, value = line.partition("=")
        if separator and not name.startswith("#"):
            os.environ.setdefault(name, "".join(shlex.split(value)))


env = Env(os.environ)  # type: ignore[arg-type]
