"""Consents: who agreed to what, and since when; who took it back."""

from typing import Any, Literal
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic_core import to_json

from apps.tenancy import consents
from apps.tenancy.consents import Fact
from apps.tenancy.models import Consent
from apps.tools.context import ToolContext
from apps.tools.spec import ToolInput, ToolOutput, tool
from kernel.clock import iso

META_BYTES = 4_096
LISTED = 200
FACTS = UUID("3d7e2c1a-7f0b-5b0c-9a55-2e9c4f7a6d10")  # names the ids of facts


class ConsentIn(ToolInput):
    action: Literal["record", "check", "revoke", "list"]
    subject_id: str | None = Field(
        None,
        min_length=1,
        max_length=255,
        description="Whose consent. Left out: yours. For others you need privacy:consent:manage, to look privacy:read.",
    )
    purpose: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._:/-]*$",
        description="What for, in a few plain words, always spelt the same; list can do without.",
    )
    meta: dict[str, JsonValue] = Field(
        default_factory=dict, max_length=50, description="With record and revoke: how, where, which text was shown."
    )
    limit: int = Field(50, ge=1, le=LISTED, description="With list.")

    @model_validator(mode="after")
    def has_what_it_needs(self) -> "ConsentIn":
        """A purpose, but for list; notes that are notes."""
        if self.purpose is None and self.action != "list":
            raise ValueError(f"{self.action} needs a purpose")
        if len(to_json(self.meta)) > META_BYTES:
            raise ValueError(f"meta may have {META_BYTES:,} bytes at most")
        return self


class FactOut(BaseModel):
    """One thing that was said."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    subject_id: str
    purpose: str
    granted: bool = Field(description="False: revoked.")
    recorded_at: str
    recorded_by: str
    meta: dict[str, Any]


class ConsentOut(ToolOutput):
    action: str
    subject_id: str
    purpose: str | None
    consented: bool | None = Field(description="Whether there is consent now; with list null. Nothing said: false.")
    latest: FactOut | None = Field(description="What was said last about this purpose.")
    was_there: bool = Field(description="With record and revoke: an earlier try of this very call had recorded it.")
    facts: list[FactOut] = Field(description="With list: newest first.")
    has_more: bool


@tool("privacy.consent", effect="write", title="Consents", reading_actions=("check", "list"),
      example={"action": "record", "purpose": "research", "meta": {"text": "v2"}})  # fmt: skip
def consent(context: ToolContext, given: ConsentIn) -> ConsentOut:
    """Record that somebody consents to a purpose, revoke it, check whether there is consent now, or list what was said.

    Nothing is overwritten: each record and revocation is a fact with its time and its author, and the latest counts.
    Where nothing was ever said, there is no consent.
    """
    subject = consents.subject_of(context.principal, given.subject_id)
    if given.action == "list":
        found, has_more = consents.list_consents(
            context.principal, given.subject_id, purpose=given.purpose, limit=given.limit
        )
        return _shown(given, subject, None, facts=found, has_more=has_more)
    purpose = given.purpose or ""
    was_there = False
    if given.action != "check":
        named = f"{context.tenant_id}:{context.principal.sub}:{context.idempotency_key}"
        fact = Fact(uuid5(FACTS, named), purpose, given.action == "record", given.subject_id, given.meta)
        was_there = consents.record_consent(context.principal, fact)[1]
    latest = consents.latest_consent(context.principal, given.subject_id, purpose)
    return _shown(given, subject, latest, was_there=was_there)


def _shown(
    given: ConsentIn,
    subject: str,
    latest: Consent | None,
    *,
    was_there: bool = False,
    facts: list[Consent] | None = None,
    has_more: bool = False,
) -> ConsentOut:
    return ConsentOut(
        action=given.action,
        subject_id=subject,
        purpose=given.purpose,
        consented=None if given.action == "list" else latest is not None and latest.is_granted,
        latest=None if latest is None else _fact(latest),
        was_there=was_there,
        facts=[_fact(fact) for fact in facts or []],
        has_more=has_more,
    )


def _fact(row: Consent) -> FactOut:
    return FactOut(
        id=row.id,
        subject_id=row.subject_id,
        purpose=row.purpose,
        granted=row.is_granted,
        recorded_at=iso(row.recorded_at) or "",
        recorded_by=row.recorded_by,
        meta=row.meta,
    )
