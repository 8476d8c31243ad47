"""What a tool is: one function with a pydantic model in and one out, and what its call needs (SPEC 8 step 2).

    @tool("cache.get", scopes=("tools:invoke:basic",), effect="read", example={"key": "note"})
    def get(context: ToolContext, given: GetIn) -> GetOut:
        \"\"\"A value that was kept under a key.\"\"\"

The docstring is the description that people and models read; the category is what stands before the dot.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict

from apps.tools.context import ToolContext

Effect = Literal["read", "idempotent", "write", "destructive"]
EFFECTS: tuple[Effect, ...] = ("read", "idempotent", "write", "destructive")
Function = Callable[[ToolContext, Any], BaseModel]
DEFAULT_TIMEOUT_S = 30.0


class ToolInput(BaseModel):
    """What every tool's input is made from: what nobody asked for is refused."""

    model_config = ConfigDict(extra="forbid", str_max_length=1_000_000)


class ToolOutput(BaseModel):
    """What every tool's output is made from."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Rate:
    """``requests`` in ``window_s`` seconds, for each caller and tool."""

    requests: int = 100
    window_s: int = 60


@dataclass(frozen=True)
class ToolSpec:
    """A tool as its code declares it; its manifest in PostgreSQL may switch it off or narrow it, never widen it.

    ``scopes``: all of them are needed. ``permission``: a row of the matrix (``graph:update``) that the caller's role
    must have, besides tools:invoke. ``aliases``: other names that mean the same. ``long_running``: over REST it becomes
    a job unless asked otherwise. ``example``: arguments that work on the demo tenant; docs show and a test calls them.
    """

    name: str
    description: str
    function: Function = field(repr=False)
    input_model: type[BaseModel] = field(repr=False)
    output_model: type[BaseModel] = field(repr=False)
    scopes: tuple[str, ...]
    effect: Effect
    permission: str | None = None
    version: str = "1.0.0"
    timeout_s: float = DEFAULT_TIMEOUT_S
    rate: Rate = Rate()
    long_running: bool = False
    aliases: tuple[str, ...] = ()
    example: Mapping[str, Any] = field(default_factory=dict)

    @property
    def category(self) -> str:
        return self.name.partition(".")[0]

    @property
    def writes(self) -> bool:
        return self.effect != "read"

    @property
    def input_schema(self) -> dict[str, Any]:
        return self.input_model.model_json_schema()

    @property
    def output_schema(self) -> dict[str, Any]:
        return self.output_model.model_json_schema(mode="serialization")


DECLARED: dict[str, ToolSpec] = {}
"""Name -> tool. Filled when apps/toolbox is imported, at start-up; read through registry.py."""


def tool(
    name: str,
    *,
    scopes: tuple[str, ...] = ("tools:invoke:basic",),
    effect: Effect = "read",
    permission: str | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    rate: Rate = Rate(),
    long_running: bool = False,
    aliases: tuple[str, ...] = (),
    version: str = "1.0.0",
    example: Mapping[str, Any] | None = None,
) -> Callable[[Function], Function]:
    """Declare a tool. TypeError or ValueError, at start-up, for one that is not whole."""

    def declare(function: Function) -> Function:
        hints = get_type_hints(function)
        given, gives = hints.get("given"), hints.get("return")
        if not (isinstance(given, type) and issubclass(given, ToolInput)):
            raise TypeError(f"{name}: its second parameter is `given`, a ToolInput")
        if not (isinstance(gives, type) and issubclass(gives, ToolOutput)):
            raise TypeError(f"{name}: it returns a ToolOutput")
        description = inspect.getdoc(function)
        if not description:
            raise ValueError(f"{name}: its docstring is what callers read")
        for taken in (name, *aliases):
            if any(taken in (one.name, *one.aliases) for one in DECLARED.values()):
                raise ValueError(f"{taken} is declared twice")
        DECLARED[name] = ToolSpec(
            name=name,
            description=description,
            function=function,
            input_model=given,
            output_model=gives,
            scopes=scopes,
            effect=effect,
            permission=permission,
            version=version,
            timeout_s=timeout_s,
            rate=rate,
            long_running=long_running,
            aliases=aliases,
            example=dict(example or {}),
        )
        return function

    return declare
