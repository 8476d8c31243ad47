"""Which tools a place of a run has at hand, and which calls of a run are none of its business."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.agents.types import Category, RunView, ToolAnswer
from apps.identity.principal import Principal
from apps.llm.types import ToolSpec
from apps.tools import registry
from apps.tools.registry import Effective
from apps.tools.spec import DECLARED
from kernel.errors import NotFoundError

_ALWAYS = ("agent.history", "system.time")
_GRAPH = ("graph.query", "graph.schema")
# Of an agent without a list of its own. A model chooses better among few; an agent's list may name any tool.
DEFAULTS: Mapping[Category, tuple[str, ...]] = {
    "CHAT": (*_GRAPH, *_ALWAYS, "security.allowed_operations"),
    "GRAPH": (*_GRAPH, "graph.search", "analytics.aggregate", *_ALWAYS, "security.allowed_operations"),
    "EXPLAIN": ("graph.explain", "graph.schema", *_ALWAYS),
    "SECURITY": ("security.describe_principal", "security.allowed_operations", *_ALWAYS),
    "ADMIN": (*_GRAPH, *_ALWAYS, "security.allowed_operations", "agent.note", "crud.create_node", "crud.update_node",
              "crud.delete_node", "admin.create_index", "admin.drop_index", "admin.constraint"),
    "DANGEROUS": (),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Offer:
    """``tools``: at hand, in the order in which models see them. ``callable``: the names of all that the caller may
    call. ``listed``: the agent's list; None: it has none."""

    category: Category | None
    tools: tuple[Effective, ...]
    callable: frozenset[str]
    listed: tuple[str, ...] | None

    def specs(self) -> tuple[ToolSpec, ...]:
        """What a model is shown."""
        return tuple(self._shown(tool) for tool in self.tools)

    def writing(self) -> frozenset[str]:
        """The names of those at hand that can change something here."""
        return frozenset(tool.spec.name for tool in self.tools if self.category == "ADMIN" and tool.writes)

    def refusal(self, name: str, arguments: Mapping[str, Any]) -> ToolAnswer | None:
        """Why a run does not even ask for this call; None: the pipeline decides."""
        spec = _declared(name)
        if self.listed is not None and not _is_listed(name, self.listed):
            return _refused("tool_not_allowed", f"This agent may not use the tool {name[:100]!r}.")
        if changes(name, arguments) and self.category != "ADMIN":
            return _refused("not_asked_for", f"Nobody asked for the change that {name} makes.")
        if spec in self.callable and spec not in {tool.spec.name for tool in self.tools}:
            return _refused("tool_not_offered", f"{name} is not among the tools of this step. Use those that are.")
        return None

    def _shown(self, tool: Effective) -> ToolSpec:
        spec = tool.spec
        if self.category == "ADMIN" or not tool.writes:
            return ToolSpec(spec.name, spec.description, spec.input_schema)
        properties = {**spec.input_schema["properties"]}
        properties["action"] = {**properties["action"], "enum": list(spec.reading_actions)}
        return ToolSpec(spec.name, spec.description, {**spec.input_schema, "properties": properties})


def offered(principal: Principal, view: RunView) -> Offer:
    """What the registry lets this caller call now, narrowed by the run. UnavailableError when it cannot be read."""
    return _offer(view, registry.callable_by(principal))


def offered_by_code(principal: Principal, view: RunView) -> Offer:
    """The same as far as the code alone says: for replays, which ask nobody."""
    every = (
        Effective(spec, "", spec.effect, spec.scopes, (), spec.approval, (spec.rate,), spec.timeout_s)
        for _, spec in sorted(DECLARED.items())
    )
    return _offer(view, [tool for tool in every if registry.may_call(principal, tool)])


def changes(name: str, arguments: Mapping[str, Any]) -> bool:
    """Whether a call with these arguments changes something; a tool that is not there does not."""
    try:
        return registry.spec_of(name).effect_of(arguments) != "read"
    except NotFoundError:
        return False


def _offer(view: RunView, callable_: Iterable[Effective]) -> Offer:
    category = view.intent.category if view.intent else None
    known = {name: tool for tool in callable_ for name in (tool.spec.name, *tool.spec.aliases)}
    wanted = DEFAULTS[category or "CHAT"] if view.agent.tools is None else view.agent.tools
    at_hand = {known[name].spec.name: known[name] for name in wanted if name in known}
    return Offer(
        category,
        tuple(tool for tool in at_hand.values() if category == "ADMIN" or not tool.writes or tool.spec.reading_actions),
        frozenset(tool.spec.name for tool in known.values()),
        view.agent.tools,
    )


def _is_listed(name: str, listed: tuple[str, ...]) -> bool:
    """Whether the agent's list has it, by whichever of its names. What is no tool at all is listed by nobody."""
    meant = _declared(name)
    return name in listed or (meant is not None and any(_declared(other) == meant for other in listed))


def _declared(name: str) -> str | None:
    """The name that the tool was declared with."""
    try:
        return registry.spec_of(name).name
    except NotFoundError:
        return None


def _refused(code: str, message: str) -> ToolAnswer:
    return ToolAnswer(False, error={"code": code, "message": message})
