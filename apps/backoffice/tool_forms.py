"""What administrators fill in about tools. Rules are the services'; a form only turns text into values."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms

from apps.tools.models import ToolManifest, ToolPolicy
from apps.tools.policies import declared_approval
from apps.tools.spec import APPROVALS

LINES = forms.Textarea(attrs={"rows": 3})
APPROVAL_TEXTS = {
    "never": "never",
    "tainted": "when the wish may come from data (tainted)",
    "always": "each call (always)",
}
SCOPES_HELP = "One a line. A token needs them besides what the tool's code asks for."


class _Settings(forms.Form):
    """What a manifest and a policy have in common."""

    expected = forms.CharField(widget=forms.HiddenInput, required=False)
    rate_requests = forms.IntegerField(min_value=0, label="Calls of one caller")
    rate_window_s = forms.IntegerField(min_value=1, label="in so many seconds")
    approval = forms.ChoiceField(required=False, label="A person has to approve")
    extra_scopes = forms.CharField(required=False, widget=LINES, label="Further scopes", help_text=SCOPES_HELP)

    def clean_expected(self) -> datetime | None:
        said = self.cleaned_data["expected"]
        if not said:
            return None
        try:
            return datetime.fromisoformat(said)
        except ValueError:
            raise forms.ValidationError("Read the page again and repeat your change.") from None

    def clean_extra_scopes(self) -> list[str]:
        return str(self.cleaned_data["extra_scopes"]).split()

    def change(self) -> dict[str, Any]:
        """For the service."""
        return {name: self.cleaned_data[name] for name in self.fields if name not in ("expected", "tool", "tenant")}

    @property
    def expected_at(self) -> datetime | None:
        """When what the person saw was written."""
        found: datetime | None = self.cleaned_data["expected"]
        return found


class ManifestForm(_Settings):
    """A tool, for all tenants."""

    enabled = forms.BooleanField(required=False, label="Switched on")
    timeout_s = forms.FloatField(min_value=0.1, label="It is stopped after, seconds")
    field_order = ("enabled", "rate_requests", "rate_window_s", "timeout_s", "approval", "extra_scopes")

    def __init__(self, *args: Any, row: ToolManifest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        declared, limits = declared_approval(row), row.declared_limits
        self.fields["approval"].choices = _choices(f"as its code says: {APPROVAL_TEXTS[declared]}", declared)  # type: ignore[attr-defined]
        self.fields["rate_requests"].help_text = f"Its code proposes {limits['rate_requests']}. 0: nobody may call it."
        self.fields["rate_window_s"].help_text = f"Its code proposes {limits['rate_window_s']}."
        self.fields["timeout_s"].help_text = f"At most {limits['timeout_s']:g}, as its code says."

    @classmethod
    def of(cls, row: ToolManifest) -> "ManifestForm":
        initial = {
            "expected": row.updated_at.isoformat(),
            "enabled": row.enabled,
            "rate_requests": row.rate_requests,
            "rate_window_s": row.rate_window_s,
            "timeout_s": row.timeout_s,
            "approval": row.approval,
            "extra_scopes": "\n".join(row.extra_scopes),
        }
        return cls(initial=initial, row=row)


class PolicyForm(_Settings):
    """What one tenant may do with a tool. A new one, with ``tools`` to choose from, asks for its tool, and
    administrators of the platform for its tenant."""

    tenant = forms.CharField(max_length=63, help_text="The tenant's short name.")
    tool = forms.ChoiceField()
    enabled = forms.ChoiceField(
        required=False, label="Switch", choices=[("", "as for all tenants"), ("false", "switched off for the tenant")]
    )
    field_order = ("tenant", "tool", "enabled", "rate_requests", "rate_window_s", "approval", "extra_scopes")

    def __init__(self, *args: Any, tools: Iterable[str] = (), for_platform: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        is_new = bool(tools)
        self.fields["tool"].choices = [("", ""), *((name, name) for name in tools)]  # type: ignore[attr-defined]
        self.fields["approval"].choices = _choices("as for all tenants", "never")  # type: ignore[attr-defined]
        for name in ("rate_requests", "rate_window_s"):
            self.fields[name].required = False
        self.fields["rate_requests"].help_text = "Besides the limit for all. Empty: only that. 0: nobody may call."
        for name, is_asked in (("tool", is_new), ("tenant", is_new and for_platform)):
            if not is_asked:
                del self.fields[name]

    def clean_enabled(self) -> bool | None:
        return False if self.cleaned_data["enabled"] == "false" else None

    @classmethod
    def of(cls, row: ToolPolicy) -> "PolicyForm":
        initial = {
            "expected": row.updated_at.isoformat(),
            "enabled": "false" if row.enabled is False else "",
            "rate_requests": row.rate_requests,
            "rate_window_s": row.rate_window_s,
            "approval": row.approval,
            "extra_scopes": "\n".join(row.extra_scopes),
        }
        return cls(initial=initial)


class ReadForm(forms.Form):
    """The person says that it has read what it decides about. ``seen``: the hash of what was shown."""

    seen = forms.CharField(widget=forms.HiddenInput, max_length=64)
    has_read = forms.BooleanField(label="I have read all of it")


def _choices(first: str, least: str) -> list[tuple[str, str]]:
    careful = [*APPROVALS]
    at_least = careful[[str(each) for each in careful].index(least) :]
    return [("", first), *((each, APPROVAL_TEXTS[each]) for each in at_least)]
