"""What runs reach outside: models, the graph, tools, the session."""

from typing import Any, Protocol

from django.conf import settings

from apps.agents.sessions import memory as session_memory
from apps.agents.thinking import graph_door, tool_door
from apps.agents.thinking.telling import Say
from apps.agents.types import RunView, ToolAnswer
from apps.graph.asking import OnBehalf
from apps.identity.principal import Principal
from apps.llm import gateway
from apps.llm.types import CompletionRequest, CompletionResult, Message
from apps.tools.calls import Call


class Doors(Protocol):
    """What is outside. One implementation asks; the other, in replays, has nobody to ask."""

    def complete(self, request: CompletionRequest, say: Say | None) -> CompletionResult: ...
    def ask_graph(
        self, principal: Principal, question: str, *, explain: bool, model: str | None, behalf: OnBehalf
    ) -> dict[str, Any]: ...
    def invoke(self, call: Call) -> ToolAnswer: ...
    def remember(self, view: RunView, ask: session_memory.Ask) -> tuple[Message, ...]: ...


class RealDoors:
    """The gateway, the graph, the tools."""

    def complete(self, request: CompletionRequest, say: Say | None) -> CompletionResult:
        if say is None:
            return gateway.complete(request)
        with gateway.stream(request) as pieces:
            for piece in pieces:
                say(piece)
        return pieces.result

    def ask_graph(
        self, principal: Principal, question: str, *, explain: bool, model: str | None, behalf: OnBehalf
    ) -> dict[str, Any]:
        return graph_door.ask(principal, question, explain=explain, model=model, behalf=behalf)

    def invoke(self, call: Call) -> ToolAnswer:
        return tool_door.invoke(call)

    def remember(self, view: RunView, ask: session_memory.Ask) -> tuple[Message, ...]:
        return session_memory.remember(view, ask, budget_tokens=settings.SESSION_WINDOW_TOKENS)
