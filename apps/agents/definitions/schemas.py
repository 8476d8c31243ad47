"""The wire shapes of /v1/agents."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from apps.agents.definitions.selectors import Definition
from apps.agents.models import Agent, AgentVersion
from apps.tools import registry
from kernel.clock import iso
from kernel.errors import NotFoundError
from kernel.web.etag import strong_etag
from kernel.web.fields import FreeText, Identifier, RequestBody

PlanningMode = Literal["full", "optional", "none"]
ResponseMode = Literal["fallback-only", "llm-best-effort"]
Scope = Literal["tenant", "global"]
RESERVED = frozenset({"sessions"})  # /v1/agents/sessions is the predecessor's path to sessions
NOT_NULL = frozenset({"description", "system_prompt", "planning_mode", "response_mode", "max_steps", "budget"})


def _free_name(name: str) -> str:
    try:
        UUID(name)
    except ValueError:
        if name not in RESERVED:
            return name
    raise PydanticCustomError(
        "reserved_name", "This name is not free: it is an address of the API's, or looks like an id"
    )


AgentName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100, pattern=r"^[a-z0-9][a-z0-9._-]*$"),
    AfterValidator(_free_name),
]


def _declared(names: list[str]) -> list[str]:
    """The tools' own names for what may be aliases: a name that means nothing would leave an agent without the tool."""
    try:
        return [registry.spec_of(name).name for name in names]
    except NotFoundError as error:
        raise PydanticCustomError("unknown_tool", "{reason}", {"reason": error.detail}) from error


ToolNames = Annotated[list[Identifier], Field(max_length=100), AfterValidator(_declared)]


class RunBudget(RequestBody):
    """What one run may use; what is left out has no ceiling of its own. Each is reserved before it is spent."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"usd": 0.5, "tokens": 50_000}]})

    usd: float | None = Field(None, ge=0, le=1_000_000, allow_inf_nan=False, description="Money, US dollars.")
    tokens: int | None = Field(None, ge=0, le=1_000_000_000, description="Of models, in and out.")
    tool_calls: int | None = Field(None, ge=0, le=100_000, description="Of tools; questions to the graph count.")
    wall_s: float | None = Field(
        None, gt=0, le=86_400, allow_inf_nan=False, description="Seconds from its first start."
    )

    def as_json(self) -> dict[str, Any]:
        """What is limited, as rows keep it."""
        return self.model_dump(exclude_none=True)


class AgentCreate(RequestBody):
    """Body of POST /v1/agents. Whatever is left out is as with the agent `default`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "curator",
                    "description": "Keeps an eye on files without tasks.",
                    "system_prompt": "You are careful. Name the files that you speak of.",
                    "planning_mode": "full",
                    "temperature": 0.1,
                    "max_steps": 6,
                    "budget": {"usd": 0.25},
                }
            ]
        },
    )

    name: AgentName = Field(description="By which runs ask for it: lower case, digits, `.`, `_`, `-`.")
    description: FreeText = Field("", max_length=4000)
    system_prompt: FreeText = Field("", max_length=32_768, description="Goes before what the platform tells the model.")
    model: Identifier | None = Field(None, description="Name of a model instance; null: the run's, else the default.")
    temperature: float | None = Field(None, ge=0, le=2)
    tools: ToolNames | None = Field(None, description="Tools it may use; null: all its caller may; []: none.")
    planning_mode: PlanningMode = "optional"
    response_mode: ResponseMode = "llm-best-effort"
    max_steps: int = Field(8, ge=1, le=64)
    budget: RunBudget = Field(default_factory=RunBudget)
    scope: Scope = Field("tenant", description="`global`: every tenant's; administrators of the platform only.")

    def as_fields(self) -> dict[str, Any]:
        """Columns of AgentVersion."""
        return {**self.model_dump(exclude={"name", "scope", "budget"}), "budget": self.budget.as_json()}


class AgentChange(RequestBody):
    """Body of PATCH /v1/agents/{name}: what shall be different. It makes a new version; `enabled` alone does not."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"temperature": 0.3, "max_steps": 12}, {"enabled": False}]}
    )

    description: FreeText | None = Field(None, max_length=4000)
    system_prompt: FreeText | None = Field(None, max_length=32_768)
    model: Identifier | None = Field(None, description="Null: the run's, else the default.")
    temperature: float | None = Field(None, ge=0, le=2)
    tools: ToolNames | None = Field(None, description="Null: all its caller may.")
    planning_mode: PlanningMode | None = None
    response_mode: ResponseMode | None = None
    max_steps: int | None = Field(None, ge=1, le=64)
    budget: RunBudget | None = Field(None, description="Replaces the held one; null: none.")
    enabled: bool | None = None

    def as_fields(self) -> dict[str, Any]:
        """Columns of AgentVersion that were named; null for one that must not be null leaves it as it is."""
        said = self.model_dump(exclude_unset=True, exclude={"enabled", "budget"})
        fields = {name: value for name, value in said.items() if not (value is None and name in NOT_NULL)}
        if "budget" in self.model_fields_set:
            fields["budget"] = self.budget.as_json() if self.budget else {}
        return fields


class AgentDefinition(BaseModel):
    """What an agent is at one version."""

    version: int
    description: str
    system_prompt: str
    model: str | None = Field(description="Null: the run's, else the default.")
    temperature: float | None
    tools: list[str] | None = Field(description="Null: all its caller may.")
    planning_mode: PlanningMode
    response_mode: ResponseMode
    max_steps: int
    budget: dict[str, Any] = Field(description="{usd?, tokens?, tool_calls?, wall_s?}")
    created_by: str


class AgentOut(AgentDefinition):
    """An agent in its present version."""

    id: UUID
    agent_id: UUID
    name: str
    tenant_id: UUID | None = Field(description="Null: the platform's.")
    scope: Scope
    enabled: bool
    created_at: str
    updated_at: str
    etag: str


class AgentPage(BaseModel):
    """A page of agents, newest first."""

    items: list[AgentOut]
    total: int
    limit: int
    offset: int
    has_more: bool
    next_page_token: str | None


class AgentVersionOut(AgentDefinition):
    """An agent as it was."""

    created_at: str
    present: bool = Field(description="Whether new runs take this version.")


class AgentVersionList(BaseModel):
    """An agent's versions, newest first; the last hundred."""

    name: str
    items: list[AgentVersionOut]
    total: int


def agent_etag(agent: Agent) -> str:
    """Changes with every version, and when it is enabled or disabled."""
    return strong_etag("agent", agent.id, agent.version, agent.enabled)


def definition_out(version: AgentVersion) -> dict[str, Any]:
    """One version as the API shows it."""
    return {
        "version": version.version,
        "description": version.description,
        "system_prompt": version.system_prompt,
        "model": version.model,
        "temperature": version.temperature,
        "tools": version.tools,
        "planning_mode": version.planning_mode,
        "response_mode": version.response_mode,
        "max_steps": version.max_steps,
        "budget": version.budget,
        "created_by": version.created_by,
    }


def agent_out(definition: Definition) -> dict[str, Any]:
    """An agent as the API shows it."""
    agent = definition.agent
    return {
        **definition_out(definition.version),
        "id": agent.id,
        "agent_id": agent.id,
        "name": agent.name,
        "tenant_id": agent.tenant_id,
        "scope": "tenant" if agent.tenant_id else "global",
        "enabled": agent.enabled,
        "created_at": iso(agent.created_at),
        "updated_at": iso(agent.updated_at),
        "etag": agent_etag(agent).strip('"'),
    }


def versions_out(agent: Agent, versions: list[AgentVersion]) -> dict[str, Any]:
    """GET /v1/agents/{name}/versions."""
    items = [
        {**definition_out(row), "created_at": iso(row.created_at), "present": row.version == agent.version}
        for row in versions
    ]
    return {"name": agent.name, "items": items, "total": len(items)}
