"""The entries of the catalogue that catalog.* shows, and how well one fits a query."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from apps.agents.prompts.texts import CATALOGUE
from apps.graph.schema import LABELS, RELATIONSHIPS, Label, Property, RelationshipType
from apps.identity import rbac
from apps.identity.principal import Principal
from apps.jobs.types import JOB_TYPES, JobType
from apps.llm.catalogue import InstanceConfig, catalogue_of
from apps.llm.language import words
from apps.tools import registry
from apps.tools.registry import Effective

Kind = Literal["tool", "label", "relationship", "prompt", "job_type", "model"]
LEAST_SCORE = 0.2
NAME_WEIGHT, TEXT_WEIGHT = 1.0, 0.5


@dataclass(frozen=True, slots=True)
class Entry:
    """``text``: what it is found by, beside its name. ``details``: made when it is asked for."""

    kind: Kind
    name: str
    summary: str
    text: str = ""
    aliases: tuple[str, ...] = ()
    details: Callable[[], dict[str, Any]] = field(default=dict, repr=False)

    def is_called(self, name: str) -> bool:
        """Whether this is its name, or an alias, in any case."""
        wanted = words.fold(name.strip())
        return wanted in (words.fold(one) for one in (self.name, *self.aliases))


def entries_for(principal: Principal) -> list[Entry]:
    """All that this caller may use, tools first."""
    found = [_of_tool(one) for one in registry.callable_by(principal)]
    if rbac.may(principal, "graph:read"):
        found += [_of_label(kind, label) for label in LABELS for kind in (label, *label.kinds)]
        found += [_of_relationship(one) for one in RELATIONSHIPS]
    found += [_of_prompt(said) for said in CATALOGUE]
    if rbac.may(principal, "jobs:read"):
        found += [_of_job_type(one) for one in JOB_TYPES.values() if rbac.may(principal, one.permission)]
    if rbac.may(principal, "models:read"):
        found += [_of_model(one) for one in catalogue_of(principal.tenant_id).usable()]
    return found


def ranked(entries: Iterable[Entry], query: str, kinds: Sequence[Kind]) -> list[tuple[Entry, float]]:
    """What fits the query, the best first; of equal ones the shorter name."""
    wanted = words.terms(query) or words.all_terms(query)
    scored = [(one, _score(one, query, wanted)) for one in entries if not kinds or one.kind in kinds]
    found = [(one, score) for one, score in scored if score >= LEAST_SCORE]
    return sorted(found, key=lambda pair: (-pair[1], len(pair[0].name), pair[0].name, pair[0].kind))


def _score(entry: Entry, query: str, wanted: list[str]) -> float:
    """1 for its very name; else how much of the query its name, and by half its text, holds."""
    if entry.is_called(query):
        return 1.0
    if not wanted:
        return 0.0
    in_name = {words.term(word) for one in (entry.name, *entry.aliases) for word in words.name_words(one)}
    in_text = set(words.all_terms(entry.text))
    gained = 0.0
    for term in wanted:
        if term in in_name:
            gained += NAME_WEIGHT
        elif len(term) >= 3 and any(one.startswith(term) or term.startswith(one) for one in in_name if len(one) >= 3):
            gained += 0.8 * NAME_WEIGHT
        elif term in in_text:
            gained += TEXT_WEIGHT
    share = gained / len(wanted)
    named = sum(term in in_name for term in wanted) / max(1, len(in_name))
    said = set(words.name_words(words.fold(query)))
    literal = len(said & set(words.name_words(words.fold(entry.name)))) / max(1, len(said))
    return min(0.99, 0.8 * share + 0.12 * named + 0.07 * literal)


def _of_tool(one: Effective) -> Entry:
    spec = one.spec

    def details() -> dict[str, Any]:
        return {
            "title": spec.title,
            "description": spec.description,
            "effect": spec.effect,
            "reading_actions": list(spec.reading_actions),
            "permissions": list(spec.permissions),
            "scopes": list(one.needed_scopes),
            "approval": one.approval,
            "rate": {"requests": one.rate.requests, "window_s": one.rate.window_s},
            "timeout_s": one.timeout_s,
            "long_running": spec.long_running,
            "aliases": list(spec.aliases),
            "example": dict(spec.example),
            "input_schema": spec.input_schema,
            "output_schema": spec.output_schema,
        }

    first = spec.description.splitlines()[0]
    return Entry("tool", spec.name, first, f"{spec.title} {spec.description}", spec.aliases, details)


def _of_label(kind: Label, beside: Label) -> Entry:
    """``beside``: the label that nodes of this kind carry as well; itself for a label."""
    own = kind.properties if kind is beside else (*beside.properties, *kind.properties)

    def details() -> dict[str, Any]:
        ends = {kind.label, beside.label}
        return {
            "beside": None if kind is beside else beside.label,
            "kinds": [one.label for one in kind.kinds],
            "key": kind.key,
            "called_by": kind.name,
            "properties": [_property(one) for one in own],
            "relationships": [
                f"({one.source})-[:{one.type}]->({one.target})"
                for one in RELATIONSHIPS
                if {one.source, one.target} & ends
            ],
        }

    text = " ".join((kind.about, *(f"{one.name} {one.about}" for one in own)))
    return Entry("label", kind.label, kind.about, text, details=details)


def _of_relationship(one: RelationshipType) -> Entry:
    def details() -> dict[str, Any]:
        return {
            "pattern": f"({one.source})-[:{one.type}]->({one.target})",
            "properties": [_property(each) for each in one.properties],
        }

    return Entry("relationship", one.type, one.about, f"{one.about} {one.source} {one.target}", details=details)


def _property(one: Property) -> dict[str, Any]:
    return {
        "name": one.name,
        "type": one.type,
        "about": one.about,
        "values": list(one.values),
        "may_miss": one.may_miss,
    }


def _of_prompt(said: dict[str, Any]) -> Entry:
    category = str(said["category"])
    summary = f"A known prompt of category {category}."
    return Entry("prompt", str(said["text"]), summary, details=lambda: {"category": category})


def _of_job_type(one: JobType) -> Entry:
    def details() -> dict[str, Any]:
        return {"permission": one.permission, "time_limit_s": one.time_limit_s, "payload_schema": one.schema}

    return Entry("job_type", one.name, one.description, one.description, details=details)


def _of_model(one: InstanceConfig) -> Entry:
    def details() -> dict[str, Any]:
        return {
            "model_id": one.model_id,
            "owner": "the platform" if one.tenant_id is None else "your tenant",
            "provider_type": one.provider.type,
            "context_window": one.context_window,
            "max_output_tokens": one.max_output_tokens,
            "modalities": list(one.modalities),
            "supports_tools": one.supports_tools,
        }

    text = f"{one.model_id} {one.provider.type} language model {' '.join(one.modalities)}"
    return Entry("model", one.name, f"A language model: {one.model_id}.", text, details=details)
