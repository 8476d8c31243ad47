"""What administrators fill in. Rules are the services' and their schemas'; a form only turns text into values."""

import json
from typing import Any, get_args

import pydantic
from django import forms

from apps.identity.rbac import ROLES
from apps.tenancy.config import PiiMode, RateLimits, TenantSettings
from apps.tenancy.models import Tenant
from apps.tenancy.schemas import TenantChange
from kernel.errors import ValidationError

PII_MODES = [(mode, mode) for mode in get_args(PiiMode)]
QUOTAS = ("requests_per_day", "concurrent_jobs", "concurrent_runs", "tokens_per_day", "cost_usd_per_day",
          "budget_warn_percent")  # fmt: skip
NONE_MEANS = "Empty: no ceiling beyond the platform's own."


class TenantForm(forms.Form):
    """A tenant as its administrators see it; quotas for platform administrators only."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    name = forms.CharField(max_length=255)
    admin_email = forms.CharField(max_length=254, required=False, label="Administrator's e-mail")
    pii_mode = forms.ChoiceField(choices=PII_MODES, label="Personal data in answers")
    default_model = forms.CharField(max_length=255, required=False, help_text="Used when a run names no model.")
    features = forms.JSONField(required=False, help_text='Feature flags: {"name": true}.', initial=dict)
    requests_per_day = forms.IntegerField(required=False, min_value=0, help_text=NONE_MEANS)
    concurrent_jobs = forms.IntegerField(required=False, min_value=0, help_text=NONE_MEANS)
    concurrent_runs = forms.IntegerField(required=False, min_value=0, help_text=NONE_MEANS)
    tokens_per_day = forms.IntegerField(required=False, min_value=0, help_text=NONE_MEANS)
    cost_usd_per_day = forms.FloatField(required=False, min_value=0, label="USD per day", help_text=NONE_MEANS)
    budget_warn_percent = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=100,
        label="Warn from",
        help_text="Percent of tokens or USD a day that are spent. Empty: 80.",
    )

    def __init__(self, *args: Any, for_platform: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not for_platform:
            for name in QUOTAS:
                del self.fields[name]

    @classmethod
    def of(cls, tenant: Tenant, *, for_platform: bool) -> "TenantForm":
        now = TenantSettings.model_validate(tenant.settings)
        shown = {
            "version": tenant.version,
            "name": tenant.name,
            "admin_email": tenant.admin_email,
            "pii_mode": now.pii_mode,
            "default_model": now.default_model or "",
            "features": now.features,
            **now.quotas.model_dump(),
        }
        return cls(initial=shown, for_platform=for_platform)

    def change_of(self, tenant: Tenant) -> dict[str, Any]:
        """For apps.tenancy.services.change_tenant: the differences only. ValidationError when a value does not fit."""
        said = self.cleaned_data
        before = TenantSettings.model_validate(tenant.settings)
        settings: dict[str, Any] = {"pii_mode": said["pii_mode"], "default_model": said["default_model"] or None}
        features = said["features"] or {}
        if not isinstance(features, dict):
            raise ValidationError('features: write an object, as in {"beta": true}.')
        settings["features"] = {**dict.fromkeys(before.features.keys() - features.keys()), **features}
        if QUOTAS[0] in self.fields:
            settings["quotas"] = {name: said[name] for name in QUOTAS}
        change = {"name": said["name"], "admin_email": said["admin_email"], "settings": settings}
        if not said["admin_email"]:
            del change["admin_email"]
            if tenant.admin_email:
                change["admin_email"] = None
        return _checked(change)


class RateLimitForm(forms.Form):
    """A tenant's requests a minute, and those of single callers."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    tenant_per_minute = forms.IntegerField(
        required=False, min_value=1, help_text="All callers together. Empty: the platform's default."
    )
    user_per_minute = forms.IntegerField(
        required=False, min_value=1, help_text="Each caller, whatever its role. Empty: by role."
    )
    users = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 6}),
        label="Single callers",
        help_text="One a line: subject = requests a minute.",
    )

    def __init__(self, *args: Any, for_platform: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not for_platform:
            del self.fields["tenant_per_minute"]

    @classmethod
    def of(cls, tenant: Tenant, *, for_platform: bool) -> "RateLimitForm":
        limits = TenantSettings.model_validate(tenant.settings).rate_limits
        lines = "\n".join(f"{sub} = {limit}" for sub, limit in sorted(limits.users.items()))
        return cls(
            initial={**limits.model_dump(), "users": lines, "version": tenant.version}, for_platform=for_platform
        )

    def clean_users(self) -> dict[str, int]:
        users = {}
        for line in self.cleaned_data["users"].splitlines():
            if not line.strip():
                continue
            sub, _, limit = line.rpartition("=")
            if not sub.strip() or not limit.strip().isascii() or not limit.strip().isdigit() or len(limit) > 12:
                raise forms.ValidationError(f"{line.strip()[:80]}: write subject = number.")
            users[sub.strip()] = int(limit)
        return users

    def change_of(self, tenant: Tenant) -> dict[str, Any]:
        """For apps.tenancy.services.change_tenant; a caller who is left out loses its override."""
        before: RateLimits = TenantSettings.model_validate(tenant.settings).rate_limits
        users = self.cleaned_data["users"]
        limits = {name: self.cleaned_data[name] for name in self.fields if name not in ("version", "users")}
        limits["users"] = {**dict.fromkeys(before.users.keys() - users.keys()), **users}
        return _checked({"settings": {"rate_limits": limits}})


class UserForm(forms.Form):
    """What of an account may be changed here."""

    roles = forms.MultipleChoiceField(
        choices=[(role, role) for role in sorted(ROLES)], widget=forms.CheckboxSelectMultiple, required=False
    )
    is_active = forms.BooleanField(required=False, label="Enabled", help_text="A disabled account is out at once.")


class NewUserForm(forms.Form):
    """A new account of the built-in issuer."""

    username = forms.RegexField(r"^[A-Za-z0-9@.+_-]+$", min_length=3, max_length=150, label="User name")
    email = forms.EmailField(max_length=254, required=False)
    roles = forms.MultipleChoiceField(
        choices=[(role, role) for role in sorted(ROLES)], widget=forms.CheckboxSelectMultiple
    )
    tenant = forms.CharField(max_length=63, help_text="The tenant's short name.")

    def __init__(self, *args: Any, for_platform: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not for_platform:
            del self.fields["tenant"]


def _checked(change: dict[str, Any]) -> dict[str, Any]:
    try:
        return TenantChange.model_validate_json(json.dumps(change)).as_change()
    except pydantic.ValidationError as error:
        faults = [f"{'.'.join(str(step) for step in fault['loc'])}: {fault['msg']}" for fault in error.errors()]
        raise ValidationError("; ".join(faults)) from error
