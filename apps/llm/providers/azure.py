"""Azure OpenAI: OpenAI's answers below one path for each deployment, with an api-version and a header for the key."""

from urllib.parse import quote

from apps.llm.providers.base import ProviderConfig
from apps.llm.providers.openai_style import OpenAIStyleAdapter

DEFAULT_API_VERSION = "2024-10-21"  # the latest that is generally available


class AzureAdapter(OpenAIStyleAdapter):
    """``base_url`` is the resource's endpoint: https://NAME.openai.azure.com."""

    def headers(self, config: ProviderConfig) -> dict[str, str]:
        return {"api-key": config.api_key} if config.api_key else {}

    def path(self, model_id: str) -> str:
        deployment = quote(self._config.deployments.get(model_id, model_id), safe="")
        return f"openai/deployments/{deployment}/chat/completions?api-version={self._version}"

    def models_path(self) -> str:
        return f"openai/models?api-version={self._version}"

    @property
    def _version(self) -> str:
        return quote(self._config.api_version or DEFAULT_API_VERSION, safe="")
