"""Who stands in for whom, in which order, and why somebody does not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar
from uuid import UUID


class HasPlace(Protocol):
    """What is asked of a provider."""

    @property
    def id(self) -> UUID: ...
    @property
    def priority(self) -> int: ...


class Candidate(Protocol):
    """What is asked of a model instance."""

    @property
    def id(self) -> UUID: ...
    @property
    def name(self) -> str: ...
    @property
    def provider(self) -> HasPlace: ...
    @property
    def enabled(self) -> bool: ...
    @property
    def context_window(self) -> int: ...
    @property
    def supports_tools(self) -> bool: ...
    @property
    def modalities(self) -> tuple[str, ...]: ...


C = TypeVar("C", bound=Candidate)


@dataclass(frozen=True, slots=True)
class Needs:
    """What a request asks of a model. ``tokens``: of its messages, so that at least one token of answer must fit."""

    tokens: int = 0
    tools: bool = False
    modality: str = "text"


@dataclass(frozen=True, slots=True)
class Order(Generic[C]):
    """``chain`` is asked from its beginning; ``left_out``: name -> reason."""

    chain: list[C]
    left_out: dict[str, str]


def order(primary: C, others: Sequence[C], needs: Needs, *, keep_order: bool) -> Order[C]:
    """The first choice, then the others: as they were named, or by their provider's priority, other providers first.

    An instance of the first choice's own provider comes after those elsewhere: what ails the one often ails the other.
    """
    rest = [other for other in others if other.id != primary.id]
    if not keep_order:
        rest.sort(key=lambda other: (other.provider.id == primary.provider.id, other.provider.priority, other.name))
    chain: list[C] = []
    left_out: dict[str, str] = {}
    seen: set[UUID] = set()
    for candidate in (primary, *rest):
        if candidate.id in seen:
            continue
        seen.add(candidate.id)
        reason = unfit(candidate, needs)
        if reason is None:
            chain.append(candidate)
        else:
            left_out[candidate.name] = reason
    return Order(chain, left_out)


def unfit(candidate: Candidate, needs: Needs) -> str | None:
    """Why the candidate cannot do it; None when it can."""
    if not candidate.enabled:
        return "disabled"
    if needs.tokens >= candidate.context_window:
        return f"takes {candidate.context_window} tokens"
    if needs.tools and not candidate.supports_tools:
        return "calls no tools"
    if needs.modality not in candidate.modalities:
        return f"does not take {needs.modality}"
    return None
