"""A model that does what its test says, asked over a real wire: for runs whose model does what an attacker wants."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from apps.identity.principal import Principal
from devkit.llm_stub import Stub
from devkit.llm_stub_model import Ask, Reply
from tests.llm_factories import make_instance, make_provider

Round = Reply | Callable[[dict[str, Any]], Reply]


def says(text: str) -> Reply:
    """An answer in words, piece by piece."""
    return Reply(pieces=_pieces(text), tokens_in=10, tokens_out=10)


def calls(*wanted: tuple[str, dict[str, Any]]) -> Reply:
    """Calls of tools, by the names that the platform gives them."""
    named = [(name.replace(".", "_"), json.dumps(arguments)) for name, arguments in wanted]
    return Reply(tool_calls=named, tokens_in=10, tokens_out=10)


def last_tool(body: dict[str, Any]) -> str:
    """What the tool called last gave, as the model got it."""
    return str(next(m["content"] for m in reversed(body["messages"]) if m["role"] == "tool"))


@dataclass
class Puppet:
    """``rounds``: what it does in each round of an answer, the last again and again. ``words``: what it says where it
    has no tools. ``plan``: the todos it proposes; None: one answer. ``category``: what it thinks a prompt is.
    ``cypher``: the query it writes. ``bodies``: every request that it got."""

    stub: Stub
    rounds: Sequence[Round] = ()
    plan: list[dict[str, Any]] | None = None
    category: str = "CHAT"
    words: str = "Done."
    cypher: str = "MATCH (g:Gene) RETURN g.name AS name ORDER BY name"
    model: str = field(default_factory=lambda: f"puppet-{uuid4().hex[:8]}")
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def ready_for(self, principal: Principal) -> str:
        """The name under which this caller's runs ask it."""
        self.stub.scripted[self.model] = self._reply
        provider = make_provider(principal.tenant_id, f"{self.stub.url}/v1", max_retries=0, timeout_s=20)
        return make_instance(provider, self.model).instance_name

    def prompts(self) -> str:
        """Everything it was told, as one text."""
        return json.dumps([body["messages"] for body in self.bodies], ensure_ascii=False)

    def _reply(self, ask: Ask) -> Reply:
        self.bodies.append(ask.body)
        if (schema := ask.body.get("response_format")) is not None:
            return says(json.dumps(self._structured(json.dumps(schema), ask.body)))
        if not ask.body.get("tools"):
            return says(self.words)
        messages = ask.body["messages"]
        asked = max(index for index, message in enumerate(messages) if message["role"] == "user")
        done = sum(message["role"] == "assistant" for message in messages[asked:])
        if not self.rounds:
            return says("Nothing to say.")
        wanted = self.rounds[min(done, len(self.rounds) - 1)]
        return wanted if isinstance(wanted, Reply) else wanted(ask.body)

    def _structured(self, schema: str, body: dict[str, Any]) -> dict[str, Any]:
        if '"todos"' in schema:
            said = str(body["messages"][-1]["content"])
            request = said.partition("<request>\n")[2].partition("\n</request>")[0]
            return {"todos": self.plan or [{"task": request, "kind": "answer"}]}
        if '"cypher"' in schema:
            return {"cypher": self.cypher, "parameters": {}, "explanation": "As asked."}
        if '"give_up"' in schema:
            return {"give_up": True, "reason": "No.", "task": "", "kind": "answer"}
        return {"category": self.category, "confidence": 0.9, "reason": "It was told so."}


def _pieces(text: str) -> list[str]:
    """Of five characters, so that nothing arrives whole."""
    return [text[start : start + 5] for start in range(0, len(text), 5)] or [""]
