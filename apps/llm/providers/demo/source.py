"""Where the values of a schema come from: what was said, and for answers also what was made of it."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from apps.llm.language import arithmetic, vocabulary, words
from apps.llm.language.intents import Intent, intent_of
from apps.llm.providers.demo.digests import shorten
from apps.llm.providers.demo.values import Values

TITLE_WORDS = 10
_WHOLE = vocabulary.word_set(
    "goal question query prompt text message input request content original utterance q search expression"
)
_SHORT = vocabulary.word_set("title name label subject headline topic")
_REPLY = words.term_set("answer summary response reply output result conclusion final markdown")
_REASON = words.term_set("reason rationale explanation why justification thought evidence reasoning")
_STEP = _WHOLE | _SHORT | words.term_set("task action step description instruction todo activity work")
_ORDERS = words.term_set("id step index order number position seq n no rank")
_BODIES = frozenset({"text", "content", "message", "prompt", "goal", "question", "body"})
_LIMITS = words.term_set("limit top k n max_rows")
_MS = {"ms": 1, "millisecond": 1, "milliseconds": 1, "s": 1000, "sec": 1000, "second": 1000, "seconds": 1000,
       "secondi": 1000, "secondo": 1000,
       "minute": 60_000, "minutes": 60_000, "minuti": 60_000, "minuto": 60_000, "min": 60_000,
       "hour": 3_600_000, "hours": 3_600_000, "ora": 3_600_000, "ore": 3_600_000}  # fmt: skip


def _nothing() -> str:
    return ""


@dataclass(frozen=True)
class Source:
    """``is_call``: for a tool's arguments, where a wrong guess does harm: only what was clearly said is used.
    ``step``: the step of a plan that is being filled, and its ``index``. ``row_count``: of what tools returned.
    """

    values: Values
    instruction: str
    is_call: bool = False
    is_italian: bool = False
    step: str | None = None
    index: int = 0
    row_count: int | None = None
    reply: Callable[[], str] = field(default=_nothing, repr=False)

    @cached_property
    def intent(self) -> Intent:
        return intent_of(self.values.text)

    def for_step(self, step: str, index: int) -> "Source":
        """The same, looking at one step only."""
        return Source(Values(step), step, self.is_call, self.is_italian, step, index, None, self.reply)

    def at(self, index: int) -> "Source":
        """The same, for the entry of a list at this place."""
        return self if self.step is None or self.index == index else replace(self, index=index)

    def number_for(self, own: list[str], meant: list[str], *, required: bool, taken: list[Any]) -> float | None:
        """The number said with the name or its unit; for what must have one, the next that nothing else took."""
        said = self.values.after_name(own)
        if isinstance(said, bool) or not isinstance(said, int | float):
            said = self._measured(own)
        if said is None and set(meant) & _LIMITS:
            said = self.values.after_name(["limit"])
            said = self._counted() if isinstance(said, bool) or not isinstance(said, int | float) else said
        if said is None and self.step is not None and set(meant) & _ORDERS:
            return self.index + 1
        if said is None and not self.is_call and self.row_count is not None and set(meant) & {"count", "sum"}:
            return self.row_count
        if said is None and required:
            left = list(self.values.numbers)
            for used in taken:
                if used in left:
                    left.remove(used)
            said = next(iter(left), None)
        if said is not None:
            taken.append(said)
        return said

    def _measured(self, own: list[str]) -> float | None:
        """``5 seconds`` for seconds, timeout_s and duration_ms."""
        unit = _MS.get(own[-1].lower()) if own else None
        said = words.words(self.values.text.replace(".", "_"))
        names = {words.term(word) for word in own}
        for before, after in itertools.pairwise(said):
            if before.replace("_", "").isdigit() and len(before) < 16:
                if unit and after.lower() in _MS:
                    value = float(before.replace("_", ".")) * _MS[after.lower()] / unit
                    return int(value) if value.is_integer() else value
                if words.term(after) in names:
                    return int(before.replace("_", ""))
        return None

    def _counted(self) -> int | None:
        said = words.words(self.values.text)
        for before, after in itertools.pairwise(said):
            if (
                before.isdigit()
                and len(before) < 7
                and after.isalpha()
                and after.lower() not in vocabulary.STOP_WORDS | _MS.keys()
            ):
                return int(before)
        return None

    def texts_for(self, schema: dict[str, Any], name: str, *, required: bool, taken: list[Any]) -> Iterator[str]:
        """Texts that could be what the name asks for, the best first."""
        own = words.name_words(name)
        meant = [words.term(word) for word in own]
        yield from self._of_kind(schema, own, meant)
        said = self.values.after_name(own)
        if said is None and len(own) > 1 and own[-1].lower() in ("id", "name", "uuid", "key", "label"):
            said = self.values.after_name(own[:-1])
        role = role_of(name, is_step=self.step is not None)
        is_body = bool(set(own) & _BODIES) and ": " in self.values.text
        if said is not None and not is_body and (self.is_call or role not in ("step", "whole", "reply")):
            yield str(said)
        if self.is_call:
            yield from self._for_call(name, meant, role, required, taken)
        else:
            yield from self._for_answer(name, meant, role, required)

    def _of_kind(self, schema: dict[str, Any], own: list[str], meant: list[str]) -> Iterator[str]:
        kind = schema.get("format")
        values = self.values
        if kind == "date-time":
            yield from values.times
            yield from (f"{date}T00:00:00Z" for date in values.dates)
        elif kind == "date" or set(meant) & {"data", "since", "until", "date", "day"}:
            yield from values.dates
        if kind in ("email", "idn-email") or "email" in meant:
            yield from values.emails
        if kind in ("uri", "iri", "uri-reference") or set(meant) & {"url", "uri", "link"}:
            yield from values.urls
        if kind == "uuid" or "uuid" in meant:
            yield from values.uuids
        if kind == "ipv4":
            yield from values.ipv4
        if set(meant) & {"cypher", "statement"} and values.cypher:
            yield values.cypher
        if set(meant) & {"express", "expression", "formula"} and (found := arithmetic.find_sum(values.text)):
            yield found
        if own and own[-1].lower() in ("id", "ids", "uuid"):
            yield from (found for found in values.ids if self.is_call is False or _belongs(own, found, values))

    def _for_call(self, name: str, meant: list[str], role: str, required: bool, taken: list[Any]) -> Iterator[str]:
        if not required:
            return
        if name.lower().endswith(("id", "uuid")):
            yield from self._untaken(self.values.ids, taken)
            yield from (str(number) for number in self.values.numbers)
            return
        if set(meant) & {
            "cypher",
            "statement",
            "sql",
            "expression",
            "express",
            "formula",
            "email",
            "url",
            "uri",
            "data",
            "date",
        }:
            return
        yield from self._untaken(self.values.quoted, taken)
        if set(meant) & {"query", "q", "search", "keyword"}:
            yield from [*self.values.symbols, *self.values.ids, *self.values.topics]
        if role in ("whole", "reply", "reason", "step") or set(meant) & {"description", "body"}:
            body = (
                self.values.text.rpartition(": ")[2] if role != "whole" or "text" in meant or "content" in meant else ""
            )
            yield from (text for text in (body.strip(), self.instruction, self.values.text) if text)
            return
        yield from self._untaken(self.values.symbols, taken)
        yield from self._untaken(self.values.proper_names, taken)
        yield from self._untaken([found for found in self.values.objects if _is_telling(found)], taken)

    def _for_answer(self, name: str, meant: list[str], role: str, required: bool) -> Iterator[str]:
        if name.lower() in ("language", "lang", "locale", "lingua"):
            yield "it" if self.is_italian else "en"
        if set(meant) & {"classify", "intent"}:
            yield self.intent.category
        if self.step is not None and name.lower() in ("id", "step_id", "task_id", "key"):
            yield from (
                str(self.index + 1),
                f"step-{self.index + 1}",
                f"step{self.index + 1}",
                f"s{self.index + 1}",
                f"t{self.index + 1}",
            )
        if role == "step" and self.step is not None:
            yield self.step
        elif role == "reason":
            yield f"Decided by: {self.intent.because}"
        elif role == "reply":
            yield from (text for text in (self.reply(),) if text)
        elif role == "whole":
            yield self.values.text
        elif role == "short":
            yield from self.values.quoted[:1]
            yield from self.values.proper_names
            yield shorten(" ".join(self.instruction.split()[:TITLE_WORDS]), 100)
        else:
            if set(meant) & {"gene", "protein", "symbol", "organism"}:
                yield from self.values.symbols
            yield from self.values.quoted[:1] if required else ()
            if required:
                yield from self.values.proper_names[:1]
        if required:
            yield from (text for text in (self.values.text,) if text)

    def _untaken(self, found: list[str], taken: list[Any]) -> Iterator[str]:
        for text in found:
            if text not in taken:
                taken.append(text)
                yield text


def role_of(name: str, *, is_step: bool) -> str:
    """What a string of this name is for: step, reason, reply, whole, short, or "" for none of them."""
    meant = {words.term(word) for word in words.name_words(name)}
    if is_step and meant & _STEP:
        return "step"
    for role, marks in (("reason", _REASON), ("reply", _REPLY), ("whole", _WHOLE), ("short", _SHORT)):
        if meant & marks:
            return role
    return ""


def _belongs(own: list[str], found: str, values: Values) -> bool:
    """Whether an id is said to be of the kind: "job 4f0c..." for job_id."""
    kind = [words.term(word) for word in own[:-1]]
    if not kind:
        return True
    if any(word in map(words.term, words.name_words(found)) for word in kind):
        return True
    head = values.text.partition(found)[0]
    return kind[-1] in words.all_terms(head)[-3:]


def _is_telling(word: str) -> bool:
    return word.lower() not in vocabulary.STOP_WORDS and word.lower() not in vocabulary.CONCEPTS
