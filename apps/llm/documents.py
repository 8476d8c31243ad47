"""The documents that rows and manifests hold, validated: one place that says what a provider can be told."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Modality = Literal["text", "image", "audio", "embedding"]
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.:/@+-]*$"


class ProviderSettings(BaseModel):
    """Provider.config. What is not said has these defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout_s: float = Field(60.0, gt=0, le=600, description="Seconds one try may take in all.")
    first_byte_timeout_s: float = Field(30.0, gt=0, le=600, description="Seconds until the answer begins.")
    max_retries: int = Field(2, ge=0, le=5, description="Tries after the first, before another provider is asked.")
    max_concurrency: int = Field(16, ge=1, le=1000, description="Calls under way at once, of all processes together.")
    api_version: str = Field("", max_length=32, pattern=r"^[0-9A-Za-z.-]*$", description="Azure's api-version.")
    deployments: dict[str, str] = Field(default_factory=dict, description="Azure: model id -> deployment.")
    keep_alive: str = Field("", max_length=16, pattern=r"^-?[0-9a-z]*$", description="Ollama: how long a model stays.")


class ManifestModel(BaseModel):
    """A model instance as a manifest describes it: the columns of ModelInstance."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    instance_name: str = Field(max_length=100, pattern=NAME)
    model_id: str = Field(max_length=255, pattern=NAME)
    description: str = Field("", max_length=4000)
    context_window: int = Field(8192, ge=1024, le=100_000_000)
    max_output_tokens: int = Field(2048, ge=1, le=10_000_000)
    modalities: list[Modality] = Field(["text"], min_length=1, max_length=4)
    supports_tools: bool = True
    parameters: dict[str, Any] = Field(default_factory=dict, max_length=50)
    input_usd_per_mtok: float | None = Field(None, ge=0, le=1_000_000, allow_inf_nan=False)
    output_usd_per_mtok: float | None = Field(None, ge=0, le=1_000_000, allow_inf_nan=False)
    enabled: bool = True


class ManifestProvider(BaseModel):
    """A provider as a manifest describes it. Never a key: keys are entered by hand."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(max_length=100, pattern=NAME)
    type: Literal["ollama", "openai", "azure", "demo"]
    base_url: str = Field("", max_length=2048)
    config: ProviderSettings = ProviderSettings()
    priority: int = Field(100, ge=0, le=1_000_000)
    enabled: bool = True
    models: list[ManifestModel] = Field(default_factory=list, max_length=200)


class Manifest(BaseModel):
    """Providers and their models, to be laid over what is there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(max_length=100, pattern=NAME)
    description: str = Field("", max_length=4000)
    providers: list[ManifestProvider] = Field(min_length=1, max_length=50)

    @model_validator(mode="after")
    def _names_once(self) -> "Manifest":
        names = [provider.name for provider in self.providers]
        instances = [model.instance_name for provider in self.providers for model in provider.models]
        for listed in (names, instances):
            if twice := sorted({name for name in listed if listed.count(name) > 1}):
                raise ValueError(
                    f"The name {twice[0]} is given twice: each provider, and each model instance, has its own"
                )
        return self
