"""The wire shapes of model instances, and the bodies of requests to /v1/models (contract 2, Models)."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from apps.llm.documents import Modality
from apps.llm.models import ModelInstance
from kernel.clock import iso
from kernel.errors import BadRequestError
from kernel.web.etag import strong_etag
from kernel.web.fields import FreeText, Identifier, Lookup, Name, RequestBody, SmallObject

NANO_PER_TOKEN = 1_000  # billionths of a US dollar per token, in one US dollar per million tokens
Scope = Literal["tenant", "global"]
UsdPerMtok = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
NOT_NULL = ("enabled", "context_window", "max_output_tokens", "supports_tools")
Uri = Annotated[FreeText, Field(max_length=2048)]
Description = Annotated[FreeText, Field(max_length=4000)]


def _unique(values: list[Modality]) -> list[Modality]:
    return list(dict.fromkeys(values))


Modalities = Annotated[list[Modality], Field(min_length=1, max_length=4), AfterValidator(_unique)]


class InstanceCreate(RequestBody):
    """Body of POST /v1/models/instances."""

    model_config = ConfigDict(
        extra="forbid",
        protected_namespaces=(),
        json_schema_extra={
            "examples": [
                {
                    "provider_id": "0b4e7f3e-0f6b-4a57-9d4d-2f1f8f3f6c11",
                    "instance_name": "mistral-small",
                    "model_id": "mistral-small-latest",
                    "context_window": 32768,
                    "parameters": {"top_p": 0.9},
                }
            ]
        },
    )

    provider_id: UUID
    instance_name: Name = Field(description="The name by which requests ask for it.")
    model_id: Identifier = Field(description="What the provider calls it.")
    model_uri: Uri | None = None
    tenant_id: Lookup | None = Field(None, max_length=64, description="`global`, or the own tenant; as `scope`.")
    scope: Scope | None = Field(None, description="`global`: every tenant's; administrators of the platform only.")
    parameters: SmallObject = Field(default_factory=dict, description="Sent with every request: top_p, seed, num_ctx.")
    context_window: int = Field(8192, ge=1024, le=100_000_000)
    max_output_tokens: int | None = Field(None, ge=1, le=10_000_000, description="2048, or less in a small window.")
    modalities: Modalities = ["text"]
    supports_tools: bool = True
    description: Description = ""
    input_usd_per_mtok: UsdPerMtok | None = Field(None, description="Null: the price catalogue's.")
    output_usd_per_mtok: UsdPerMtok | None = Field(None, description="Null: the price catalogue's.")
    enabled: bool = True

    def as_fields(self) -> dict[str, Any]:
        """Columns of ModelInstance."""
        fields = self.model_dump(exclude={"provider_id", "tenant_id", "scope"})
        fields["model_uri"] = fields["model_uri"] or ""
        if fields["max_output_tokens"] is None:
            fields["max_output_tokens"] = min(2048, self.context_window // 2)
        return _with_prices(fields)


class InstanceChange(RequestBody):
    """Body of PATCH /v1/models/instances/{id}: what shall be different."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"enabled": False}, {"input_usd_per_mtok": 0.4, "output_usd_per_mtok": 2}]},
    )

    enabled: bool | None = None
    description: Description | None = None
    context_window: int | None = Field(None, ge=1024, le=100_000_000)
    max_output_tokens: int | None = Field(None, ge=1, le=10_000_000)
    modalities: Modalities | None = None
    supports_tools: bool | None = None
    parameters: SmallObject | None = Field(None, description="Replaces the held ones; null: none.")
    input_usd_per_mtok: UsdPerMtok | None = Field(None, description="Null: the price catalogue's.")
    output_usd_per_mtok: UsdPerMtok | None = Field(None, description="Null: the price catalogue's.")

    def as_fields(self) -> dict[str, Any]:
        """Columns of ModelInstance."""
        said = self.model_dump(exclude_unset=True)
        fields = {name: value for name, value in said.items() if not (value is None and name in NOT_NULL)}
        for name, empty in (("description", ""), ("parameters", {}), ("modalities", ["text"])):
            if name in fields and fields[name] is None:
                fields[name] = empty
        return _with_prices(fields)


class ChatDefault(RequestBody):
    """Which instance; one of the two."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "demo"}]})

    instance_id: UUID | None = None
    name: Identifier | None = None


class DefaultChange(RequestBody):
    """Body of PATCH /v1/models/defaults. ``chat`` is preferred; the others are the predecessor's. chat null: none."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"chat": {"instance_id": "0b4e7f3e-0f6b-4a57-9d4d-2f1f8f3f6c11"}}]},
    )

    chat: ChatDefault | None = None
    name: Identifier | None = None
    instance_id: UUID | None = None
    default_instance_id: UUID | None = None

    @model_validator(mode="after")
    def _says_which(self) -> "DefaultChange":
        named = [value for value in (*self._ids(), *self._names()) if value is not None]
        if not named and not self.takes_away:
            raise ValueError("Say which model: chat.instance_id or chat.name")
        if len(named) > 1 or (named and self.takes_away):
            raise ValueError("Say one model, by id or by name")
        return self

    @property
    def takes_away(self) -> bool:
        return "chat" in self.model_fields_set and self.chat is None

    @property
    def wanted_id(self) -> UUID | None:
        return next((value for value in self._ids() if value is not None), None)

    @property
    def wanted_name(self) -> str | None:
        return next((value for value in self._names() if value is not None), None)

    def _ids(self) -> tuple[UUID | None, ...]:
        return (self.chat.instance_id if self.chat else None, self.instance_id, self.default_instance_id)

    def _names(self) -> tuple[str | None, ...]:
        return (self.chat.name if self.chat else None, self.name)


class TrialMessage(RequestBody):
    """One turn."""

    role: Literal["system", "user", "assistant"]
    content: FreeText = Field(min_length=1, max_length=100_000)


class InstanceTrial(RequestBody):
    """Body of POST /v1/models/instances/{id}/tests: a prompt, or messages."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"prompt": "Say hello.", "max_tokens": 64}]}
    )

    prompt: FreeText | None = Field(None, min_length=1, max_length=100_000)
    messages: list[TrialMessage] | None = Field(None, min_length=1, max_length=100)
    temperature: float | None = Field(None, ge=0, le=2)
    max_tokens: int | None = Field(None, ge=1, le=100_000)
    response_schema: SmallObject | None = Field(None, description="A JSON Schema that the answer must fit.")

    @model_validator(mode="after")
    def _one_of_both(self) -> "InstanceTrial":
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("Give either prompt or messages")
        return self


class InstanceOut(BaseModel):
    """A model instance."""

    model_config = ConfigDict(protected_namespaces=())

    id: UUID
    instance_id: UUID
    instance_name: str
    name: str
    provider_id: UUID
    provider: str
    provider_type: str
    model_id: str
    model_uri: str | None
    tenant_id: UUID | None = Field(description="Null: the platform's.")
    scope: Scope
    description: str
    parameters: dict[str, Any]
    context_window: int
    max_output_tokens: int
    modalities: list[str]
    supports_tools: bool
    input_usd_per_mtok: float | None
    output_usd_per_mtok: float | None
    enabled: bool
    loaded: bool
    loaded_at: str | None
    version: int
    etag: str
    created_at: str
    updated_at: str


class InstanceCreated(InstanceOut):
    """Answer of POST /v1/models/instances."""

    is_default: bool = Field(description="It became its creator's default: the first one.")


class InstancePage(BaseModel):
    """Answer of GET /v1/models/instances."""

    items: list[InstanceOut]
    total: int
    etag: str
    next_page_token: str | None


def parse_id(raw: str, what: str) -> UUID:
    """An id from path or query; BadRequestError when it is no UUID."""
    try:
        return UUID(raw)
    except ValueError as error:
        raise BadRequestError(f"{what} is a UUID.", code="invalid_id") from error


def instance_etag(row: ModelInstance) -> str:
    """Changes with every change, warm-ups and the provider's among them."""
    return strong_etag("instance", row.id, row.version, row.loaded_at, row.provider.version)


def instance_out(row: ModelInstance) -> dict[str, Any]:
    """A model instance as the API shows it."""
    return {
        "id": row.id,
        "instance_id": row.id,
        "instance_name": row.instance_name,
        "name": row.instance_name,
        "provider_id": row.provider_id,
        "provider": row.provider.name,
        "provider_type": row.provider.type,
        "model_id": row.model_id,
        "model_uri": row.model_uri or None,
        "tenant_id": row.tenant_id,
        "scope": "tenant" if row.tenant_id else "global",
        "description": row.description,
        "parameters": row.parameters,
        "context_window": row.context_window,
        "max_output_tokens": row.max_output_tokens,
        "modalities": row.modalities or ["text"],
        "supports_tools": row.supports_tools,
        "input_usd_per_mtok": _usd_per_mtok(row.input_nano_usd),
        "output_usd_per_mtok": _usd_per_mtok(row.output_nano_usd),
        "enabled": row.enabled,
        "loaded": row.loaded_at is not None,
        "loaded_at": iso(row.loaded_at),
        "version": row.version,
        "etag": instance_etag(row).strip('"'),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
    }


def _with_prices(fields: dict[str, Any]) -> dict[str, Any]:
    for side in ("input", "output"):
        if f"{side}_usd_per_mtok" in fields:
            usd = fields.pop(f"{side}_usd_per_mtok")
            fields[f"{side}_nano_usd"] = None if usd is None else round(usd * NANO_PER_TOKEN)
    return fields


def _usd_per_mtok(nano_usd: int | None) -> float | None:
    return None if nano_usd is None else nano_usd / NANO_PER_TOKEN
