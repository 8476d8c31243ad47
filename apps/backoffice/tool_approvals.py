"""Calls that wait for a person (R31, attack 113): all of what each would do, and a decision about exactly that."""

from typing import Any

from django.contrib import messages
from django.contrib.admin import display
from django.db.models import Case, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Cast, Left, Now
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect

from apps.backoffice import filters
from apps.backoffice.documents import pretty, seen
from apps.backoffice.llm_acts import told_why
from apps.backoffice.llm_shown import badge
from apps.backoffice.rights import TOOL_APPROVALS, Staff, require, staff_of
from apps.backoffice.scoped_admin import BoundedList, ScopedAdmin, list_without
from apps.backoffice.site import site
from apps.backoffice.told import tell
from apps.backoffice.tool_forms import ReadForm
from apps.backoffice.tool_shown import effect_badge
from apps.identity.selectors import username_of
from apps.tools import approvals
from apps.tools.models import APPROVED, DENIED, PENDING, USED, ToolApproval
from kernel.clock import now
from kernel.errors import PlatformError

LIST = "/admin/tools/toolapproval/"
EXPIRED = "expired"
WAITING = Q(status=PENDING, expires_at__gt=Now())
COLOURS = {PENDING: "pending", APPROVED: "ok", USED: "ok", DENIED: "denied", EXPIRED: "unknown"}
PREVIEW_CHARS = 60
ToolFilter = filters.typed_in("tool", "tool", "tool")
OwnerFilter = filters.person("owner", "who called", "owner_sub")
TenantFilter = filters.tenant_of("tenant_id")
# As it is now: one that nobody decided in time has expired.
StateFilter = filters.narrowed_to(
    "state",
    "state",
    {
        PENDING: WAITING,
        **{state: Q(status=state) for state in (APPROVED, DENIED, USED)},
        EXPIRED: Q(status=PENDING, expires_at__lte=Now()),
    },
)


class ApprovalAdmin(ScopedAdmin):
    """The tenant's; for a platform administrator those of all tenants. What waits comes first."""

    right = TOOL_APPROVALS
    person = "owner_sub"
    ordering = (Case(When(WAITING, then=Value(0)), default=Value(1)).asc(), "-created_at", "-id")
    sortable_by = ()
    actions = ()

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return super().changelist_view(request, {"title": "Calls that wait for a person", **(extra_context or {})})

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        shown = ("asked_at", "state", "tool", "shown_effect", "given", "who", "door", "expires_at", "decider")
        return (*shown, "tenant") if staff_of(request).is_platform else shown

    def get_list_filter(self, request: HttpRequest) -> tuple[Any, ...]:
        shown = (StateFilter, ToolFilter, OwnerFilter)
        return (*shown, TenantFilter) if staff_of(request).is_platform else shown

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("tenant")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[BoundedList]:
        return list_without("arguments", beginning=Left(Cast("arguments", TextField()), PREVIEW_CHARS + 1))

    @display(description="Asked")
    def asked_at(self, row: ToolApproval) -> Any:
        return row.created_at

    @display(description="State")
    def state(self, row: ToolApproval) -> str:
        return badge(_state(row), COLOURS[_state(row)])

    @display(description="Effect")
    def shown_effect(self, row: ToolApproval) -> str:
        return effect_badge(row.effect)

    @display(description="Arguments, their beginning")
    def given(self, row: ToolApproval) -> str:
        text = seen(row.beginning)  # type: ignore[attr-defined]
        return text if len(text) <= PREVIEW_CHARS else f"{text[:PREVIEW_CHARS]} ..."

    @display(description="Decided by")
    def decider(self, row: ToolApproval) -> str:
        return (username_of(row.decided_by) or row.decided_by) if row.decided_by else ""

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        """All of it, and the decision: about the very arguments that this page showed."""
        staff = require(request, TOOL_APPROVALS)
        row: ToolApproval | None = self.get_object(request, object_id)
        if row is None:
            raise Http404
        shown = approvals.arguments_sha256(row.arguments)
        is_whole = shown == row.arguments_sha256
        form = None
        if request.method == "POST":
            form = ReadForm(request.POST)
            if form.is_valid() and _decide(request, staff, row, form):
                return HttpResponseRedirect(LIST)
        elif _state(row) == PENDING and is_whole:
            form = ReadForm(initial={"seen": shown})
        return site.show(
            request,
            "tool_approval.html",
            f"Approve a call of {row.tool}?" if form else f"A call of {row.tool}",
            back=LIST,
            form=form,
            is_whole=is_whole,
            arguments=pretty(row.arguments),
            count=len(row.arguments) if isinstance(row.arguments, dict) else 0,
            facts=self._facts(row, shown),
        )

    def _facts(self, row: ToolApproval, shown: str) -> list[tuple[str, Any]]:
        owner = username_of(row.owner_sub)
        return [
            ("State", self.state(row)),
            ("Tool", row.tool),
            ("Effect", effect_badge(row.effect)),
            ("Who called", f"{row.owner_sub}, {owner}" if owner else row.owner_sub),
            ("Tenant", row.tenant),
            ("Door", row.door),
            ("Run", row.run_id or "none"),
            ("Asked", row.created_at),
            ("Expires", row.expires_at),
            ("Decided", f"{row.decided_at:%Y-%m-%d %H:%M:%S}, by {self.decider(row)}" if row.decided_at else "not yet"),
            ("SHA-256 of the arguments", shown),
        ]


def _state(row: ToolApproval) -> str:
    return EXPIRED if row.status == PENDING and row.expires_at <= now() else row.status


def _decide(request: HttpRequest, staff: Staff, row: ToolApproval, form: ReadForm) -> bool:
    action = request.POST.get("action", "")
    if action not in ("approve", "deny"):
        raise Http404
    try:
        approvals.decide(
            staff.acting_in(row.tenant_id),
            row.pk,
            approve=action == "approve",
            arguments_sha256=form.cleaned_data["seen"],
        )
    except PlatformError as error:
        form.add_error(None, told_why(error))
        return False
    tell(staff, f"tool_call_{action}", tenant_id=row.tenant_id, resource_type="tool_approval", resource_id=row.pk,
         tool=row.tool, owner=row.owner_sub, arguments_sha256=row.arguments_sha256)  # fmt: skip
    done = "approved: its caller can make it now, once" if action == "approve" else "denied"
    messages.success(request, f"The call of {row.tool} is {done}.")
    return True


site.register(ToolApproval, ApprovalAdmin)
