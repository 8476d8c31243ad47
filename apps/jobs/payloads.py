"""One pydantic model per job type: its JSON Schema validates payloads and is what GET /v1/jobs/types serves (SPEC 5).

Unknown properties are kept and ignored, as the predecessor did.
"""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

HOUR_MS = 3_600_000


class Payload(BaseModel):
    """What every payload is: an object, open to further properties."""

    model_config = ConfigDict(extra="allow")


class DemoPayload(Payload):
    """Sleeps, reporting progress."""

    duration_ms: int = Field(1000, ge=0, le=HOUR_MS, description="How long to run, milliseconds.")


class TestPayload(Payload):
    """Ends at once, or after duration_ms; fails when asked to."""

    __test__ = False  # not a test class

    duration_ms: int = Field(0, ge=0, le=HOUR_MS, description="How long to run, milliseconds.")
    should_fail: bool = Field(False, description="End as failed.")


class LongRunningPayload(Payload):
    """Works in steps for a given time."""

    duration_ms: int = Field(ge=5000, le=24 * HOUR_MS, description="How long to run in all, milliseconds.")
    steps: int = Field(10, ge=1, le=1000, description="Progress events on the way.")


class AgentRunPayload(Payload):
    """An agent run on the workers. With ``run_id`` it follows that run, which must be the submitter's own."""

    prompt: str = Field(min_length=1, max_length=100_000, description="What the agent is asked.")
    session_id: UUID | None = Field(None, description="An active session of the submitter's.")
    run_id: UUID | None = Field(None, description="A run to follow; one that has failed is resumed.")
    model: str | None = Field(None, max_length=255, description="Name or id of a model instance.")
    agent: str | None = Field(None, max_length=100, description="Name of an agent.")
    manager: str | None = Field(None, max_length=100, description="As `agent`.")
    temperature: float = Field(0.2, ge=0, le=2)
    max_steps: int = Field(8, ge=1, le=50)
    metadata: dict[str, Any] = Field(default_factory=dict)

    def as_fields(self, said: dict[str, Any]) -> dict[str, Any]:
        """What makes the run: of what has a default, only what the payload really said."""
        return {
            "prompt": self.prompt,
            "run_id": self.run_id,
            "session_id": self.session_id,
            "model": self.model,
            "agent": self.agent or self.manager,
            "metadata": self.metadata,
            **{name: getattr(self, name) for name in ("temperature", "max_steps") if name in said},
        }


class ToolInvokePayload(Payload):
    """One call of a tool. Whoever asks for the job must be allowed to call it, then and when it runs."""

    model_config = ConfigDict(extra="forbid")

    tool: str = Field(
        min_length=1, max_length=100, pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)+$", description="Name of a tool, or an alias."
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="Fit the tool's input schema.")
    timeout_s: float | None = Field(None, ge=1, le=3600, description="Seconds; never more than the tool has.")
    safe_mode: bool = Field(False, description="Refuse a tool that would change something.")
    tainted: bool = Field(False, description="The wish may come from data: a tool that writes waits for a person.")


class TenantOffboardPayload(Payload):
    """The erasure of a tenant, by an administrator of the platform."""

    tenant_id: UUID = Field(description="The tenant to export and erase.")
    confirmation: str = Field(min_length=1, max_length=300, description="From the tenant's deletion-preview.")


class ModelPullPayload(Payload):
    """The download of a model by its provider."""

    model_config = ConfigDict(extra="forbid")  # where a model is asked is its provider's to say

    provider_id: UUID = Field(description="The provider that is to have the model.")
    model: str = Field(
        min_length=1,
        max_length=255,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/@+-]*$",
        description="What the provider calls it.",
    )


class ModelWarmUpPayload(Payload):
    """Having a model ready to answer."""

    model_config = ConfigDict(extra="forbid")  # where a model is asked is its provider's to say

    instance_id: UUID = Field(description="The model instance to warm up.")
