"""How providers and models are shown: whose they are, how they are, what they cost; and the base of their lists."""

from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

from django.contrib.admin import display
from django.http import Http404, HttpRequest
from django.utils.html import format_html

from apps.backoffice.reading import alias_for, reading
from apps.backoffice.rights import MODELS, Staff, require, staff_of
from apps.backoffice.scoped_admin import ScopedAdmin
from apps.identity.standing import slug_of
from apps.llm.circuits import CircuitView
from apps.llm.models import Provider
from apps.llm.types import NANO_USD

CIRCUIT_COLOURS = {"CLOSED": "ok", "HALF_OPEN": "degraded", "OPEN": "down"}


def badge(word: str, state: str) -> str:
    """A coloured word; ``state`` is a class of backoffice.css."""
    return format_html('<span class="badge is-{}">{}</span>', state, word)


def owner_named(tenant_id: UUID | None) -> str:
    """Whose a row is."""
    return "every tenant's" if tenant_id is None else slug_of(tenant_id) or str(tenant_id)


def is_theirs(staff: Staff, row: Any) -> bool:
    """Whether the person may change the row; a tenant's administrator only sees the platform's."""
    return staff.is_platform or row.tenant_id == staff.tenant_id


def health_badge(provider: Provider, health: dict[str, Any] | None) -> str:
    """What the last look saw; nobody looks at a disabled one."""
    if health is None:
        return badge("not looked at", "unknown")
    if health["ok"]:
        return badge("ok", "ok")
    reason = str(health.get("status_code") or health.get("error") or "failed")[:40]
    reason = {"connection": "no connection", "timeout": "no answer in time"}.get(reason, reason)
    return badge(reason.replace("_", " "), "degraded" if health.get("reachable") else "down")


def looked_at(health: dict[str, Any] | None) -> str:
    """When it was last looked at, and how long that took."""
    if health is None:
        return "not in the last two minutes"
    moment = str(health.get("checked_at", ""))[:19].replace("T", " ")
    return f"{moment}, {health.get('latency_ms', '?')} ms"


def circuit_badge(circuit: CircuitView) -> str:
    """The breaker's state, and when it will try again."""
    word = circuit.state.lower().replace("_", " ")
    if circuit.state == "OPEN" and circuit.retry_in_s:
        word = f"{word}, {circuit.retry_in_s:.0f} s"
    elif circuit.state == "OPEN":
        word = f"{word}, the next call tries"
    return badge(word, CIRCUIT_COLOURS.get(circuit.state, "unknown"))


def usd(nano: int | None) -> str:
    """Money for people: as many digits as it takes to see something."""
    if nano is None:
        return ""
    amount = nano / NANO_USD
    if amount == 0:
        return "0"
    return f"{amount:.2f}" if amount >= 1 else f"{amount:.6f}".rstrip("0")


class SharedAdmin(ScopedAdmin):
    """A list of what tenants own and the platform shares."""

    right = MODELS
    title = ""
    sortable_by = ()
    actions = ()

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return super().changelist_view(request, {"title": self.title, **(extra_context or {})})

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return staff_of(request).may(self.right)

    @display(description="Whose")
    def owner(self, row: Any) -> str:
        return owner_named(row.tenant_id)

    @display(description="State")
    def state(self, row: Any) -> str:
        return badge("enabled", "ok") if row.enabled else badge("disabled", "failed")

    def alias(self, request: HttpRequest) -> str:
        """The connection on which the person sees what it may see."""
        return alias_for(staff_of(request))

    def fence(self, request: HttpRequest) -> AbstractContextManager[None]:
        """Reads belong in here."""
        return reading(staff_of(request))

    def theirs(self, request: HttpRequest, row_id: UUID) -> tuple[Staff, Any]:
        """Who asks, and the row; 404 for one that the person may not change, as for a missing one."""
        staff = require(request, self.right)
        row = self.get_object(request, str(row_id))
        if row is None or not is_theirs(staff, row):
            raise Http404
        return staff, row
