"""The wire shapes of /v1/admin/models/manifests. What a document may hold is apps/llm/documents.py's to say."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from apps.llm.models import ProviderManifest
from apps.llm.registry.builtins import all_builtins
from apps.llm.registry.laying import Laid
from apps.llm.schemas import Scope
from kernel.clock import iso
from kernel.web.fields import FreeText, Name, RequestBody

State = Literal["staged", "active", "superseded", "rolled_back"]


class ManifestStage(RequestBody):
    """Body of POST .../staged: a document, or the name of a builtin. No keys: they are entered at the provider."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "our-models",
                    "providers": [
                        {
                            "name": "ours",
                            "type": "openai",
                            "base_url": "https://models.example.org/v1",
                            "config": {"max_retries": 1},
                            "models": [{"instance_name": "ours-8b", "model_id": "8b", "context_window": 16384}],
                        }
                    ],
                },
                {"builtin": "demo"},
            ]
        },
    )

    builtin: Name | None = None
    name: Name | None = None
    description: Annotated[FreeText, Field(max_length=4000)] = ""
    providers: list[dict[str, JsonValue]] | None = Field(
        None,
        max_length=50,
        description="Each {name, type, base_url, config, priority, enabled, models: [{instance_name, model_id, "
        "context_window, max_output_tokens, modalities, supports_tools, parameters, input_usd_per_mtok, "
        "output_usd_per_mtok, description, enabled}]}.",
    )
    scope: Scope | None = Field(None, description="`global`: every tenant's; administrators of the platform only.")

    @model_validator(mode="after")
    def _one_of_both(self) -> "ManifestStage":
        own = self.name is not None and self.providers is not None
        if (self.builtin is None) is not own or (self.builtin is not None and (self.name or self.providers)):
            raise ValueError("Give name and providers, or builtin")
        return self

    def as_document(self) -> dict[str, Any]:
        return {"name": self.name, "description": self.description, "providers": self.providers}


class ManifestActivation(RequestBody):
    """Body of POST .../activations."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"manifest_id": "0b4e7f3e-0f6b-4a57-9d4d-2f1f8f3f6c11"}]}
    )

    manifest_id: UUID


class ManifestRollback(RequestBody):
    """Body of POST .../rollbacks; empty: the tenant's active one."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})

    manifest_id: UUID | None = None
    scope: Scope | None = Field(None, description="Whose active one, where no manifest_id is given.")


class BuiltinOut(BaseModel):
    """A manifest that comes with the platform."""

    name: str
    description: str
    is_template: bool = Field(description="To be filled in and staged as a document of one's own.")
    document: dict[str, Any]


class BuiltinList(BaseModel):
    """Answer of GET .../builtins."""

    items: list[BuiltinOut]
    total: int


class ManifestOut(BaseModel):
    """A manifest and what became of it."""

    id: UUID
    manifest_id: UUID
    name: str
    state: State
    tenant_id: UUID | None = Field(description="Null: the platform's.")
    scope: Scope
    sha256: str
    document: dict[str, Any] = Field(description="Empty for one of the platform's, but for its administrators.")
    staged_by: str
    staged_at: str
    activated_by: str
    activated_at: str | None


class ManifestList(BaseModel):
    """Answer of GET .../history, newest first."""

    items: list[ManifestOut]
    total: int


class ManifestLaid(ManifestOut):
    """Answer of activations and rollbacks."""

    created: list[str] = Field(description="Names of providers and instances.")
    changed: list[str]
    removed: list[str]
    keys_cleared: list[str] = Field(description="Providers whose host is another one now: enter their keys anew.")
    defaults_removed: int


def builtins_out() -> list[dict[str, Any]]:
    """All builtins as the API shows them."""
    return [{"name": name, **held} for name, held in all_builtins().items()]


def manifest_out(row: ProviderManifest, laid: Laid | None = None, *, whole: bool = True) -> dict[str, Any]:
    """A manifest as the API shows it, with what an activation or a rollback did. Not ``whole``: where the platform's
    providers are stays untold, as in the list of providers."""
    return {
        "id": row.id,
        "manifest_id": row.id,
        "name": row.name,
        "state": row.state,
        "tenant_id": row.tenant_id,
        "scope": "tenant" if row.tenant_id else "global",
        "sha256": row.sha256,
        "document": row.document if whole else {},
        "staged_by": row.staged_by,
        "staged_at": iso(row.staged_at),
        "activated_by": row.activated_by,
        "activated_at": iso(row.activated_at),
        **(laid.as_json() if laid else {}),
    }
