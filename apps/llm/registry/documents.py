"""The documents that rows and manifests hold, validated: one place that says what a provider can be told."""

from pydantic import BaseModel, ConfigDict, Field


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
