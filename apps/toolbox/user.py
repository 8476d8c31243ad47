"""What a person keeps of itself: preferences that agents may read in its name, never rights."""

from typing import Any, Literal

from pydantic import Field, JsonValue, model_validator

from apps.tenancy import profiles
from apps.tools.context import ToolContext
from apps.tools.spec import ToolInput, ToolOutput, tool
from kernel.clock import iso


class ProfileIn(ToolInput):
    action: Literal["get", "set", "update", "delete"] = Field(
        description="set: in the place of what is there. update: only what is named; null takes a member away."
    )
    profile: dict[str, JsonValue] | None = Field(
        None,
        max_length=200,
        description=f"With set and update: any JSON object of at most {profiles.PROFILE_BYTES:,} bytes.",
    )

    @model_validator(mode="after")
    def says_what(self) -> "ProfileIn":
        """Writing needs something to write, reading has nothing."""
        if (self.action in ("set", "update")) != (self.profile is not None):
            raise ValueError(f"{self.action} {'needs' if self.profile is None else 'takes no'} profile")
        return self


class ProfileOut(ToolOutput):
    action: str
    exists: bool
    deleted: bool = Field(description="With delete: whether there was one.")
    profile: dict[str, Any] = Field(description="Empty where there is none. Personal data is hidden as everywhere.")
    version: int = Field(description="Counts changes; 0 where there is none.")
    updated_at: str | None


@tool("user.profile", effect="idempotent", title="Your profile", reading_actions=("get",),
      example={"action": "update", "profile": {"language": "it", "favourite_genes": ["BRCA1"]}})  # fmt: skip
def profile(context: ToolContext, given: ProfileIn) -> ProfileOut:
    """Keep, change, read or delete your own profile: language, preferred units, what agents should know about you.

    One for each person and tenant; nobody else's can be reached. It gives no rights: roles and scopes are refused.
    """
    if given.action == "delete":
        deleted = profiles.delete_profile(context.principal)
        return _shown(given, None, deleted=deleted)
    if given.action == "get":
        return _shown(given, profiles.read_profile(context.principal))
    return _shown(given, profiles.write_profile(context.principal, given.profile or {}, how=given.action))


def _shown(given: ProfileIn, row: profiles.UserProfile | None, *, deleted: bool = False) -> ProfileOut:
    return ProfileOut(
        action=given.action,
        exists=row is not None,
        deleted=deleted,
        profile={} if row is None else row.profile,
        version=0 if row is None else row.version,
        updated_at=None if row is None else iso(row.updated_at),
    )
