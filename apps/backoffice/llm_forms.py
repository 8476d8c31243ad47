"""What administrators fill in about language models. Rules are the services'; a form only turns text into values."""

import json
from decimal import Decimal
from typing import Any, get_args

from django import forms

from apps.llm.documents import NAME, Modality, ProviderSettings
from apps.llm.models import PROVIDER_TYPES, ModelInstance, Provider

NANO_USD_PER_USD_A_MILLION = 1000  # 1 USD for a million tokens is 1000 billionths of a dollar for one
EVERYBODYS = "The short name of the tenant whose it is. Empty: every tenant's."
NAMES = "Letters, digits and _ . : / @ + -."
NAME_FAULT = {"invalid": "Only letters, digits and _ . : / @ + -, the first a letter or a digit: no blanks."}
MULTILINE = forms.Textarea(attrs={"rows": 4})


class ReadableJson(forms.JSONField):
    """JSON on lines of its own."""

    def prepare_value(self, value: Any) -> Any:
        return json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, dict) else value


class ProviderForm(forms.Form):
    """A provider, new or to be changed. The key is written and never shown."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    tenant = forms.CharField(max_length=63, required=False, help_text=EVERYBODYS)
    name = forms.RegexField(NAME, max_length=100, help_text=NAMES, error_messages=NAME_FAULT)
    type = forms.ChoiceField(
        choices=[(kind, kind) for kind in PROVIDER_TYPES],
        help_text="openai: whatever speaks its API: OpenAI, vLLM, llama.cpp, LM Studio and others.",
    )
    base_url = forms.CharField(
        max_length=2048,
        required=False,
        label="Address",
        help_text="http://127.0.0.1:11434 for Ollama, https://api.openai.com/v1, https://NAME.openai.azure.com. "
        "Another host forgets the key. Addresses inside the network must be allowed by AGENTIC_LLM_PRIVATE_HOSTS.",
    )
    api_key = forms.CharField(
        max_length=4096,
        required=False,
        label="Key",
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Leave empty to keep the one that is there.",
    )
    remove_key = forms.BooleanField(required=False, label="Remove the key")
    enabled = forms.BooleanField(required=False, initial=True)
    priority = forms.IntegerField(min_value=0, max_value=10_000, help_text="Lower is asked first when another fails.")
    timeout_s = forms.FloatField(min_value=0.1, max_value=600, label="Seconds a try may take")
    first_byte_timeout_s = forms.FloatField(min_value=0.1, max_value=600, label="Seconds until the answer begins")
    max_retries = forms.IntegerField(min_value=0, max_value=5, label="Tries after the first")
    max_concurrency = forms.IntegerField(min_value=1, max_value=1000, label="Calls at once")
    api_version = forms.CharField(max_length=32, required=False, label="Azure: api-version")
    deployments = forms.CharField(
        required=False, widget=MULTILINE, label="Azure: deployments", help_text="One a line: model = deployment."
    )
    keep_alive = forms.CharField(
        max_length=16, required=False, label="Ollama: keep alive", help_text="How long a model stays loaded: 30m, -1."
    )

    def __init__(self, *args: Any, for_platform: bool, provider: Provider | None = None, **kwargs: Any) -> None:
        if provider is None:
            kwargs.setdefault("initial", {"enabled": True, "priority": 100, **_shown(ProviderSettings())})
        super().__init__(*args, **kwargs)
        for name in ("version", "remove_key") if provider is None else ("tenant", "type"):
            del self.fields[name]
        if not for_platform:
            self.fields.pop("tenant", None)
        if provider is None:
            self.fields["api_key"].help_text = "Encrypted, and never shown again."
        elif not provider.key_hint:
            self.fields["api_key"].help_text = "Leave empty to keep what is there. Encrypted, and never shown again."
        if self.is_bound and self.data.get("api_key"):  # shown again, the form does not hold it
            self.fields["api_key"].help_text = "Enter it again: nothing was saved."

    @classmethod
    def of(cls, provider: Provider, *, for_platform: bool) -> "ProviderForm":
        held = ProviderSettings.model_validate(provider.config)
        names = ("version", "name", "base_url", "enabled", "priority")
        initial = {**{name: getattr(provider, name) for name in names}, **_shown(held)}
        return cls(initial=initial, for_platform=for_platform, provider=provider)

    def clean_deployments(self) -> dict[str, str]:
        pairs = {}
        for line in self.cleaned_data["deployments"].splitlines():
            if not line.strip():
                continue
            model, mark, deployment = (part.strip() for part in line.partition("="))
            if not (model and mark and deployment):
                raise forms.ValidationError(f"{line.strip()[:80]}: write model = deployment.")
            pairs[model] = deployment
        return pairs

    def config(self) -> dict[str, Any]:
        """The provider's settings, all of them."""
        return {name: self.cleaned_data[name] for name in ProviderSettings.model_fields}

    def change(self) -> dict[str, Any]:
        """For registry.providers.change_provider."""
        said = self.cleaned_data
        change = {name: said[name] for name in ("name", "base_url", "enabled", "priority")}
        change["config"] = self.config()
        if said["api_key"]:
            change["api_key"] = said["api_key"]
        elif said["remove_key"]:
            change["api_key"] = ""
        return change


class InstanceForm(forms.Form):
    """A model instance, new or to be changed. Prices as price lists have them."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    provider = forms.ChoiceField()
    instance_name = forms.RegexField(
        NAME, max_length=100, label="Name", help_text="What callers ask for.", error_messages=NAME_FAULT
    )
    model_id = forms.RegexField(
        NAME,
        max_length=255,
        label="Model",
        help_text="What the provider calls it: phi3:mini.",
        error_messages=NAME_FAULT,
    )
    description = forms.CharField(required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2}))
    context_window = forms.IntegerField(
        min_value=1024, max_value=100_000_000, initial=8192, help_text="Tokens, those of the answer among them."
    )
    max_output_tokens = forms.IntegerField(
        min_value=1, max_value=10_000_000, initial=2048, label="Tokens of an answer, at most"
    )
    modalities = forms.MultipleChoiceField(
        choices=[(kind, kind) for kind in get_args(Modality)],
        initial=["text"],
        widget=forms.CheckboxSelectMultiple,
        help_text="What it takes; embedding: what it makes.",
    )
    supports_tools = forms.BooleanField(required=False, initial=True)
    parameters = ReadableJson(
        required=False, initial=dict, widget=MULTILINE, help_text='Sent with every request: {"temperature": 0.2}.'
    )
    input_usd = forms.DecimalField(
        required=False, min_value=0, max_digits=12, decimal_places=3, label="USD for a million tokens in",
        help_text="Empty: the price catalogue's.",
    )  # fmt: skip
    output_usd = forms.DecimalField(
        required=False, min_value=0, max_digits=12, decimal_places=3, label="USD for a million tokens out",
        help_text="Empty: the price catalogue's.",
    )  # fmt: skip
    enabled = forms.BooleanField(required=False, initial=True)

    def __init__(self, *args: Any, providers: list[Provider], instance: ModelInstance | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["provider"].choices = [(str(row.pk), f"{row.name} ({row.type})") for row in providers]  # type: ignore[attr-defined]
        for name in ("version",) if instance is None else ("provider",):
            del self.fields[name]

    @classmethod
    def of(cls, instance: ModelInstance) -> "InstanceForm":
        initial = {name: getattr(instance, name) for name in (*_PLAIN, "version")}
        initial |= {"input_usd": _usd(instance.input_nano_usd), "output_usd": _usd(instance.output_nano_usd)}
        return cls(initial=initial, providers=[], instance=instance)

    def values(self) -> dict[str, Any]:
        """Columns of the instance, without its provider."""
        said = self.cleaned_data
        return {
            **{name: said[name] for name in _PLAIN},
            "parameters": said["parameters"] or {},
            "input_nano_usd": _nano(said["input_usd"]),
            "output_nano_usd": _nano(said["output_usd"]),
        }


_PLAIN = (
    "instance_name", "model_id", "description", "context_window", "max_output_tokens", "modalities", "supports_tools",
    "parameters", "enabled",
)  # fmt: skip


class TryForm(forms.Form):
    """One question for one model."""

    prompt = forms.CharField(max_length=20_000, widget=forms.Textarea(attrs={"rows": 5}), initial="Who are you?")
    max_tokens = forms.IntegerField(min_value=1, max_value=4096, initial=256, label="Tokens of the answer, at most")
    temperature = forms.FloatField(required=False, min_value=0, max_value=2)


class PullForm(forms.Form):
    """A model for a provider to download."""

    model = forms.RegexField(
        NAME, max_length=255, help_text="As its library names it: phi3:mini, llama3.1:8b.", error_messages=NAME_FAULT
    )


class DeleteForm(forms.Form):
    """Its name, so that nothing is deleted by a slip."""

    name = forms.CharField(max_length=100, label="Its name", help_text="Type it to delete it.")

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = name

    def clean_name(self) -> str:
        said: str = self.cleaned_data["name"]
        if said != self.expected:
            raise forms.ValidationError("That is not its name.")
        return said


class DefaultForm(forms.Form):
    """Whose default is which model."""

    instance = forms.ChoiceField(required=False, label="Model")

    def __init__(self, *args: Any, instances: list[ModelInstance], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(str(row.pk), f"{row.instance_name} ({row.provider.name})") for row in instances]
        self.fields["instance"].choices = [("", "none"), *choices]  # type: ignore[attr-defined]


class ManifestForm(forms.Form):
    """A manifest to be staged; it names itself."""

    for_everybody = forms.BooleanField(
        required=False, initial=True, label="The platform's", help_text="Otherwise your own tenant's."
    )
    document = ReadableJson(widget=forms.Textarea(attrs={"rows": 18, "spellcheck": "false"}))


def _shown(held: ProviderSettings) -> dict[str, Any]:
    shown = held.model_dump()
    shown["deployments"] = "\n".join(f"{model} = {name}" for model, name in sorted(held.deployments.items()))
    return shown


def _usd(nano: int | None) -> Decimal | None:
    return None if nano is None else Decimal(nano) / NANO_USD_PER_USD_A_MILLION


def _nano(usd: Decimal | None) -> int | None:
    return None if usd is None else int(usd * NANO_USD_PER_USD_A_MILLION)
