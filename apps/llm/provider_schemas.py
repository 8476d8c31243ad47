"""The wire shapes of /v1/admin/models/providers. A key goes in and never comes out; its last characters do."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from apps.llm.documents import ProviderSettings
from apps.llm.models import Provider
from apps.llm.registry.trials import Trial
from apps.llm.schemas import Scope
from kernel.clock import iso
from kernel.web.etag import strong_etag
from kernel.web.fields import Identifier, Lookup, Name, RequestBody

ProviderType = Literal["ollama", "openai", "azure", "demo"]
ApiKey = Annotated[
    str,
    StringConstraints(min_length=1, max_length=4096, pattern=r"^[\x21-\x7e]+$"),
    Field(json_schema_extra={"format": "password", "writeOnly": True}),
]
# What it may hold is for apps/llm/net/addresses.py to say, with a sentence about what is wrong.
Address = Annotated[str, StringConstraints(max_length=2048, pattern=r"^[^\x00-\x1f\x7f]*$")]
ApiVersion = Annotated[str, StringConstraints(max_length=32, pattern=r"^[0-9A-Za-z.-]*$")]
Duration = Annotated[str, StringConstraints(max_length=16, pattern=r"^-?[0-9a-z]*$")]


class ProviderConfigChange(RequestBody):
    """Settings of a provider; what is left out stays, null goes back to the default."""

    timeout_s: float | None = Field(None, gt=0, le=600, description="Seconds one try may take in all.")
    first_byte_timeout_s: float | None = Field(None, gt=0, le=600, description="Seconds until the answer begins.")
    max_retries: int | None = Field(None, ge=0, le=5, description="Tries after the first.")
    max_concurrency: int | None = Field(None, ge=1, le=1000, description="Calls under way at once.")
    api_version: ApiVersion | None = Field(None, description="Azure's api-version.")
    deployments: dict[Identifier, Identifier] | None = Field(
        None, max_length=200, description="Azure: model id -> deployment."
    )
    keep_alive: Duration | None = Field(None, description="Ollama: how long a model stays in memory.")


class ProviderRegister(RequestBody):
    """Body of POST /v1/admin/models/providers/register."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "openai",
                    "type": "openai",
                    "base_url": "https://api.openai.com/v1",
                    "api_key": "sk-...",
                    "config": {"timeout_s": 60, "max_retries": 2},
                    "priority": 10,
                }
            ]
        },
    )

    name: Name
    type: ProviderType
    base_url: Address | None = Field(None, description="http or https; none for the demo provider.")
    api_key: ApiKey | None = Field(None, repr=False, description="Stored encrypted; never shown.")
    config: ProviderConfigChange = Field(default_factory=ProviderConfigChange)
    priority: int = Field(100, ge=0, le=1_000_000, description="Lower is asked first when another fails.")
    enabled: bool = True
    scope: Scope | None = Field(None, description="`global`: every tenant's; administrators of the platform only.")
    tenant_id: Lookup | None = Field(None, max_length=64, description="`global`, or the own tenant; as `scope`.")


class ProviderChange(RequestBody):
    """Body of PATCH /v1/admin/models/providers/{id}: what shall be different."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"priority": 5, "config": {"timeout_s": 30}}, {"api_key": "sk-..."}]},
    )

    name: Name | None = None
    base_url: Address | None = Field(None, description="Another host takes the key away, unless api_key comes along.")
    api_key: ApiKey | None = Field(None, repr=False, description="Null takes the key away.")
    config: ProviderConfigChange | None = Field(None, description="Merged into the held one; null: the defaults.")
    priority: int | None = Field(None, ge=0, le=1_000_000)
    enabled: bool | None = None

    def as_change(self) -> dict[str, Any]:
        """What apps/llm/registry/providers.py takes: of a null, what it means."""
        said = self.model_dump(exclude_unset=True)
        change = {name: value for name, value in said.items() if value is not None or name in ("api_key", "config")}
        if "api_key" in change:
            change["api_key"] = change["api_key"] or ""
        if change.get("config", {}) is None:
            change["config"] = dict.fromkeys(ProviderSettings.model_fields)
        return change


class ProviderHealth(BaseModel):
    """What the last look saw; unknown when there was none in the last two minutes."""

    status: Literal["ok", "failing", "unknown"]
    reachable: bool | None
    status_code: int | None
    error: str | None
    latency_ms: float | None
    checked_at: str | None
    circuit: Literal["CLOSED", "OPEN", "HALF_OPEN"]


class ProviderOut(BaseModel):
    """A provider."""

    id: UUID
    provider_id: UUID
    name: str
    type: ProviderType
    base_url: str
    tenant_id: UUID | None = Field(description="Null: the platform's.")
    scope: Scope
    config: dict[str, Any]
    priority: int
    enabled: bool
    is_main: bool
    key_hint: str | None = Field(description="The last four characters of the key, of one with at least twelve.")
    health: ProviderHealth
    version: int
    etag: str
    created_at: str
    updated_at: str


class ProviderChanged(ProviderOut):
    """Answer of PATCH."""

    key_cleared: bool = Field(description="The host is another one now: the key was taken away. Enter it anew.")


class ProviderList(BaseModel):
    """Answer of GET /v1/admin/models/providers."""

    items: list[ProviderOut]
    total: int


class MainProvider(BaseModel):
    """Answer of GET .../main."""

    provider_id: UUID
    name: str
    type: ProviderType
    health: ProviderHealth


class RemoteModelOut(BaseModel):
    """A model that the provider has."""

    model_config = ConfigDict(protected_namespaces=())

    model_id: str
    size_bytes: int | None
    loaded: bool | None


class ConnectionTest(BaseModel):
    """Answer of POST .../{id}/test."""

    ok: bool
    reachable: bool = Field(description="Somebody answered there, be it with a refusal.")
    latency_ms: float
    models: list[RemoteModelOut]
    kind: str | None = Field(description="The kind of failure: connection, timeout, auth, ...")
    error: str | None


def provider_etag(row: Provider) -> str:
    """Changes with every change, the key's too."""
    return strong_etag("provider", row.id, row.version)


def health_out(seen: dict[str, Any] | None, circuit: str) -> dict[str, Any]:
    """What apps/llm/monitoring.py remembers, and the circuit breaker."""
    held = seen or {}
    return {
        "status": "unknown" if seen is None else "ok" if held.get("ok") is True else "failing",
        "reachable": _as(bool, held.get("reachable")),
        "status_code": _as(int, held.get("status_code")),
        "error": _as(str, held.get("error")),
        "latency_ms": _as(float, held.get("latency_ms")),
        "checked_at": _as(str, held.get("checked_at")),
        "circuit": circuit,
    }


def provider_out(row: Provider, health: dict[str, Any], *, whole: bool) -> dict[str, Any]:
    """A provider as the API shows it. Not ``whole``: where the platform's is and what its key ends with stay untold."""
    return {
        "id": row.id,
        "provider_id": row.id,
        "name": row.name,
        "type": row.type,
        "base_url": row.base_url if whole else "",
        "tenant_id": row.tenant_id,
        "scope": "tenant" if row.tenant_id else "global",
        "config": ProviderSettings.model_validate(row.config).model_dump(mode="json") if whole else {},
        "priority": row.priority,
        "enabled": row.enabled,
        "is_main": row.is_main,
        "key_hint": (row.key_hint if whole else "") or None,
        "health": health,
        "version": row.version,
        "etag": provider_etag(row).strip('"'),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
    }


def trial_out(trial: Trial) -> dict[str, Any]:
    """A connection test as the API shows it."""
    return {
        "ok": trial.ok,
        "reachable": trial.reachable,
        "latency_ms": trial.latency_ms,
        "models": [
            {"model_id": model.model_id, "size_bytes": model.size_bytes, "loaded": model.is_loaded}
            for model in trial.models
        ],
        "kind": trial.kind,
        "error": trial.error,
    }


def _as(kind: type, value: Any) -> Any:
    """The value if it is of this kind: whoever can write into Redis must not shape answers."""
    return value if isinstance(value, kind | int if kind is float else kind) else None
