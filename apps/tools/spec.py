"""What a tool is: one function with a pydantic model in and one out, and what its call needs (SPEC 8 step 2).

    @tool("cache.get", effect="read", example={"key": "note"})
    def get(context: ToolContext, given: GetIn) -> GetOut:
        \"\"\"A value that was kept under a key.\"\"\"

The docstring is the description that people and models read; the category is what stands before the dot.
"""

import hashlib
import inspect
import re
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json

from apps.tools.context import ToolContext

Effect = Literal["read", "idempotent", "write", "destructive"]
EFFECTS: tuple[Effect, ...] = ("read", "idempotent", "write", "destructive")
# never: called at once. tainted: when the wish may come from data that a tool or the graph gave (the default of what
# writes). always: each call.
Approval = Literal["never", "tainted", "always"]
APPROVALS: tuple[Approval, ...] = ("never", "tainted", "always")
Function = Callable[[ToolContext, Any], BaseModel]
F = TypeVar("F", bound=Function)
BASIC = "tools:invoke:basic"
NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+", re.ASCII)  # nothing that looks like another
DEFAULT_TIMEOUT_S = 30.0
SYNC_TIMEOUT_MAX_S = 120.0  # of a call whose caller waits for the answer; a long-running tool as a job has an hour
JOB_TIMEOUT_MAX_S = 3600.0


class ToolInput(BaseModel):
    """What every tool's input is made from: what nobody asked for is refused, and "true" is no boolean."""

    model_config = ConfigDict(extra="forbid", str_max_length=1_000_000)


class ToolOutput(BaseModel):
    """What every tool's output is made from."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``requests`` of one caller to one tool in ``window_s`` seconds (SPEC 8: 100 in 60)."""

    requests: int = 100
    window_s: int = 60


@dataclass(frozen=True)
class ToolSpec:
    """A tool as its code declares it; its manifest in PostgreSQL may switch it off or narrow it, never widen it.

    ``permissions``: rows of the matrix (``graph:read``) that the caller must have, all of them, besides tools:invoke;
    ``scopes``: what the token must cover, all of them. ``platform``: only for administrators of the platform.
    ``reading_actions``: values of its required ``action`` argument with which it only reads: such a call needs what a
    tool that reads needs. ``destructive_when``: arguments that make a call destructive when they are true.
    ``aliases``: other names that mean the same. ``long_running``: over REST its call becomes a job. ``example``:
    arguments that work; the reference shows them, and a test calls them as ``example_role``. A value like ``$session``
    in it stands for an id that the test puts there.
    """

    name: str
    title: str
    description: str
    function: Function = field(repr=False)
    input_model: type[ToolInput] = field(repr=False)
    output_model: type[ToolOutput] = field(repr=False)
    effect: Effect
    scopes: tuple[str, ...]
    permissions: tuple[str, ...] = ()
    platform: bool = False
    version: str = "1.0.0"
    timeout_s: float = DEFAULT_TIMEOUT_S
    rate: Rate = Rate()
    long_running: bool = False
    approval: Approval = "never"
    reading_actions: tuple[str, ...] = ()
    destructive_when: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    example: Mapping[str, Any] = field(default_factory=dict)
    example_role: str = "user"

    @property
    def category(self) -> str:
        return self.name.partition(".")[0]

    @property
    def action(self) -> str:
        return self.name.partition(".")[2]

    def effect_of(self, arguments: Mapping[str, Any]) -> Effect:
        """What a call with these arguments does."""
        if arguments.get("action") in self.reading_actions:
            return "read"
        return "destructive" if any(arguments.get(name) for name in self.destructive_when) else self.effect

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        return self.input_model.model_json_schema()

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        return self.output_model.model_json_schema(mode="serialization")

    @cached_property
    def declaration(self) -> dict[str, Any]:
        """Everything an administrator approves, as JSON: what it says it does, takes, gives and needs."""
        return {
            "name": self.name,
            "version": self.version,
            "title": self.title,
            "description": self.description,
            "effect": self.effect,
            "scopes": sorted(self.scopes),
            "permissions": sorted(self.permissions),
            "platform": self.platform,
            "approval": self.approval,
            "reading_actions": sorted(self.reading_actions),
            **({"destructive_when": sorted(self.destructive_when)} if self.destructive_when else {}),
            "aliases": sorted(self.aliases),
            "long_running": self.long_running,
            "input_schema": self.input_schema,
            "output_schema": self.output_schema,
        }

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of the declaration."""
        return hashlib.sha256(to_json(self.declaration)).hexdigest()


class Declared(MutableMapping[str, ToolSpec]):
    """Name -> tool. Filled when it is first looked at: tools import half of the platform, and most processes, and all
    commands but a few, start without them in a third of the time."""

    def __init__(self) -> None:
        self._specs: dict[str, ToolSpec] = {}
        self._fill: Callable[[], None] | None = None
        self._is_filling = False
        self._lock = threading.RLock()

    def filled_by(self, fill: Callable[[], None]) -> None:
        """``fill`` declares the tools; called once, by whoever looks first."""
        self._fill = fill

    def fill(self) -> None:
        """Declare them now, which the first look would do."""
        self._all()

    def __getitem__(self, name: str) -> ToolSpec:
        return self._all()[name]

    def __setitem__(self, name: str, spec: ToolSpec) -> None:
        self._all()[name] = spec

    def __delitem__(self, name: str) -> None:
        del self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, ToolSpec]:
        if self._fill is None:
            return self._specs
        with self._lock:  # whoever else looks meanwhile waits; the filling thread itself passes
            if self._fill is not None and not self._is_filling:
                self._is_filling = True
                try:
                    self._fill()
                    self._fill = None
                finally:
                    self._is_filling = False
        return self._specs


DECLARED = Declared()
"""Every tool that some code declares (apps/toolbox/apps.py); read through registry.py."""


def tool(
    name: str,
    *,
    effect: Effect,
    title: str | None = None,
    scopes: tuple[str, ...] | None = None,
    permissions: tuple[str, ...] = (),
    platform: bool = False,
    version: str = "1.0.0",
    timeout_s: float = DEFAULT_TIMEOUT_S,
    rate: Rate | None = None,
    long_running: bool = False,
    approval: Approval | None = None,
    reading_actions: tuple[str, ...] = (),
    destructive_when: tuple[str, ...] = (),
    aliases: tuple[str, ...] = (),
    example: Mapping[str, Any] | None = None,
    example_role: str = "user",
) -> Callable[[F], F]:
    """Declare a tool. TypeError or ValueError, at start-up, for one that is not whole.

    ``scopes``: without them ``tools:invoke:basic`` for a tool that reads, ``tools:invoke`` and ``write`` for others.
    ``approval``: without it ``never`` for a tool that reads, ``tainted`` for others.
    """

    def declare(function: F) -> F:
        hints = get_type_hints(function)
        given, gives = hints.get("given"), hints.get("return")
        if not (isinstance(given, type) and issubclass(given, ToolInput)):
            raise TypeError(f"{name}: its second parameter is `given`, a ToolInput")
        if not (isinstance(gives, type) and issubclass(gives, ToolOutput)):
            raise TypeError(f"{name}: it returns a ToolOutput")
        description = inspect.getdoc(function)
        if not description:
            raise ValueError(f"{name}: its docstring is what callers read")
        if not long_running and timeout_s > SYNC_TIMEOUT_MAX_S:
            raise ValueError(f"{name}: who waits for an answer waits at most {SYNC_TIMEOUT_MAX_S:g} s")
        for taken in (name, *aliases):
            if not NAME.fullmatch(taken):
                raise ValueError(f"{taken!r} is no name: lower-case letters, digits and _, with dots between")
            if any(taken in (one.name, *one.aliases) for one in DECLARED.values()):
                raise ValueError(f"{taken} is declared twice")
        reads = effect == "read"
        DECLARED[name] = ToolSpec(
            name=name,
            title=title or description.splitlines()[0].rstrip("."),
            description=description,
            function=function,
            input_model=given,
            output_model=gives,
            effect=effect,
            scopes=scopes if scopes is not None else (BASIC,) if reads else ("tools:invoke", "write"),
            permissions=permissions,
            platform=platform,
            version=version,
            timeout_s=timeout_s,
            rate=rate or Rate(),
            long_running=long_running,
            approval=approval or ("never" if reads else "tainted"),
            reading_actions=reading_actions,
            destructive_when=destructive_when,
            aliases=aliases,
            example=dict(example or {}),
            example_role=example_role,
        )
        return function

    return declare
