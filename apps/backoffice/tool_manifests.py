"""The tool registry: what each tool does and may, how often it is called; switches, limits, and approving a change."""

from typing import Any

from django.contrib import messages
from django.contrib.admin import display
from django.contrib.admin.utils import quote
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, path

from apps.backoffice import filters
from apps.backoffice.documents import listed, seen
from apps.backoffice.llm_acts import told_why
from apps.backoffice.reading import alias_for, reading
from apps.backoffice.rights import TOOLS, TOOLS_SET, Staff, require
from apps.backoffice.scoped_admin import BoundedList, ScopedAdmin
from apps.backoffice.site import site
from apps.backoffice.tool_forms import ManifestForm, ReadForm
from apps.backoffice.tool_list import CategoryFilter, StateFilter, WithCalls
from apps.backoffice.tool_shown import (
    TOOL_LIST,
    approval_text,
    differences,
    effect_badge,
    history,
    is_waiting,
    limits_text,
    state_badge,
    tool_address,
)
from apps.identity.selectors import username_of
from apps.tools.models import ToolManifest, ToolPolicy
from apps.tools.policies import approve_manifest, change_manifest
from apps.tools.spec import EFFECTS
from kernel import engine_db
from kernel.errors import PlatformError

WAITS = "It is off for everybody: what it does has changed, or is new, and nobody has approved that yet."
EffectFilter = filters.one_of("effect", "effect", EFFECTS)


class ManifestAdmin(ScopedAdmin):
    """The same tools for everybody; platform administrators set what holds for all tenants."""

    right = TOOLS
    search_fields = ("name",)
    search_help_text = "A part of a name"
    ordering = ("name",)
    sortable_by = ()
    actions = ()
    list_filter = (StateFilter, CategoryFilter, EffectFilter)
    list_per_page = 200
    list_display = ("name", "category", "shown_effect", "state", "needs", "rate", "approves", "calls", "narrowed_by")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return super().changelist_view(request, {"title": "Tools", **(extra_context or {})})

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[BoundedList]:
        return WithCalls

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The registry is no tenant's: everybody reads it through the engine's door."""
        return ToolManifest._base_manager.using(engine_db.ALIAS).order_by(*self.get_ordering(request))

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        term = search_term.strip()
        return (queryset.filter(name__contains=term) if term else queryset), False

    @display(description="Effect")
    def shown_effect(self, row: ToolManifest) -> str:
        return effect_badge(row.effect)

    @display(description="State")
    def state(self, row: ToolManifest) -> str:
        return state_badge(row, getattr(row, "own_policy", None))

    @display(description="Needs")
    def needs(self, row: ToolManifest) -> str:
        return needed(row)

    @display(description="Calls of one caller")
    def rate(self, row: ToolManifest) -> str:
        return limits_text(row, getattr(row, "own_policy", None))

    @display(description="Approval")
    def approves(self, row: ToolManifest) -> str:
        return approval_text(row, getattr(row, "own_policy", None)).partition(" ")[0]

    @display(description="Calls in 24 h")
    def calls(self, row: ToolManifest) -> str:
        counted = getattr(row, "counted", {"n": 0, "ill": 0})
        failed = f", {counted['ill']:,} of them failed" if counted["ill"] else ""
        return f"{counted['n']:,}{failed}"

    @display(description="Policies")
    def narrowed_by(self, row: ToolManifest) -> str:
        return str(len(getattr(row, "narrowed", [])) or "")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("<str:name>/act", view(self.act_view), name="tools_toolmanifest_act"),
            path("<str:name>/approve", view(self.approve_view), name="tools_toolmanifest_approve"),
        ]
        return [*own, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        staff = require(request, TOOLS)
        row: ToolManifest | None = self.get_object(request, object_id)
        if row is None:
            raise Http404
        may_set = may_change(staff) and row.is_declared
        form = None
        if may_set and request.method == "POST":
            form = ManifestForm(request.POST, row=row)
            if form.is_valid() and _change(request, staff, row, form):
                return HttpResponseRedirect(request.path)
        elif may_set:
            form = ManifestForm.of(row)
        elif request.method == "POST":
            raise Http404
        return site.show(request, "form.html", f"Tool {row.name}", form=form, **self._shown(request, staff, row))

    def act_view(self, request: HttpRequest, name: str) -> HttpResponseBase:
        """Switch it on or off, for everybody."""
        staff, row = self._theirs(request, name)
        action = request.POST.get("action", "")
        if request.method != "POST" or action not in ("enable", "disable"):
            raise Http404
        try:
            change_manifest(row.name, {"enabled": action == "enable"}, by=staff.principal)
        except PlatformError as error:
            messages.error(request, told_why(error))
        else:
            messages.success(request, f"{row.name} is switched {'on' if action == 'enable' else 'off, for everybody'}.")
        return HttpResponseRedirect(tool_address(row.name))

    def approve_view(self, request: HttpRequest, name: str) -> HttpResponseBase:
        """What has changed since it was approved, word for word; and vouching for it."""
        staff, row = self._theirs(request, name)
        if not is_waiting(row):
            messages.warning(request, f"Nothing of {row.name} waits for an approval.")
            return HttpResponseRedirect(tool_address(row.name))
        form = ReadForm(request.POST or None, initial={"seen": row.fingerprint})
        if request.method == "POST" and form.is_valid():
            try:
                approve_manifest(row.name, fingerprint=form.cleaned_data["seen"], by=staff.principal)
            except PlatformError as error:
                form = ReadForm(initial={"seen": row.fingerprint})
                messages.error(request, told_why(error))
            else:
                messages.success(request, f"{row.name} is approved as it is now.")
                return HttpResponseRedirect(tool_address(row.name))
        approved = row.approved_declaration
        return site.show(
            request,
            "form.html",
            f"Approve what {row.name} has become",
            back=tool_address(row.name),
            back_to="the tool",
            differences=differences(approved, row.declaration),
            differences_title="What is different from what was approved" if approved else "What it is; it is new",
            intro="Descriptions are read by language models: look for instructions in them. Once approved, it can be "
            "called at once, by whom it is open to.",
            form=form,
            submit="Approve it as it is now",
        )

    def _theirs(self, request: HttpRequest, name: str) -> tuple[Staff, ToolManifest]:
        staff = require(request, TOOLS)
        row: ToolManifest | None = self.get_object(request, name)
        if row is None or not may_change(staff):
            raise Http404
        return staff, row

    def _shown(self, request: HttpRequest, staff: Staff, row: ToolManifest) -> dict[str, Any]:
        with reading(staff):
            policy = ToolPolicy._base_manager.using(alias_for(staff)).filter(tool=row.name, tenant_id=staff.tenant_id)
            own = policy.first()
        ways, acts = [("Calls", f"/admin/tools/toolinvocation/?tool={row.name}")], []
        if staff.may(TOOLS_SET) and row.is_declared:
            there = (
                f"/admin/tools/toolpolicy/{own.pk}/change/" if own else f"/admin/tools/toolpolicy/add/?tool={row.name}"
            )
            ways.append(("Policy of your tenant", there))
        if may_change(staff) and row.is_declared:
            acts = [("disable", "Switch off")] if row.enabled else [("enable", "Switch on")]
            if is_waiting(row):
                ways.append(("Approve what it has become", f"{TOOL_LIST}{quote(row.name)}/approve"))
        return {
            "back": TOOL_LIST,
            "ways": ways,
            "acts": acts,
            "act_at": f"{TOOL_LIST}{quote(row.name)}/act",
            "facts": _facts(row, own, for_platform=staff.is_platform),
            "warning": WAITS if is_waiting(row) else "",
            "documents": [("Description", seen(row.description))],
            "history": [
                *listed((("Takes", row.input_schema), ("Gives", row.output_schema))),
                *(history(engine_db.ALIAS, "tool_manifest", row.name) if staff.is_platform else []),
            ],
        }


def may_change(staff: Staff) -> bool:
    """Whether the person sets what holds for all tenants."""
    return staff.is_platform and staff.may(TOOLS_SET)


def needed(row: ToolManifest) -> str:
    """Permissions and scopes, of the code and besides."""
    only = ["platform administrator"] if row.declaration.get("platform") else []
    return ", ".join(dict.fromkeys([*only, *row.permissions, *row.declared_scopes, *row.extra_scopes]))


def _facts(row: ToolManifest, own: ToolPolicy | None, *, for_platform: bool) -> list[tuple[str, Any]]:
    approved_by = (username_of(row.approved_by) or row.approved_by) if row.approved_by else "nobody"
    facts: list[tuple[str, Any]] = [
        ("State", state_badge(row, own)),
        ("Title", row.title),
        ("Effect", effect_badge(row.effect)),
        ("Version", row.version),
        ("Permissions", ", ".join(row.permissions) or "none but to run tools"),
        ("Scopes", ", ".join([*row.declared_scopes, *(f"{scope} (besides)" for scope in row.extra_scopes)])),
        ("Reads only, with the action", ", ".join(row.declaration.get("reading_actions", [])) or "no such"),
        ("Only for platform administrators", "yes" if row.declaration.get("platform") else "no"),
        ("Calls of one caller", limits_text(row, own)),
        ("It is stopped after", f"{row.timeout_s:g} s"),
        ("A person has to approve", approval_text(row, own)),
        ("Becomes a job over REST", "yes" if row.long_running else "no"),
        ("Other names", ", ".join(row.aliases) or "none"),
    ]
    if for_platform:
        facts += [
            ("Approved by", f"{approved_by}, {row.approved_at:%Y-%m-%d %H:%M}" if row.approved_at else "nobody yet"),
            ("SHA-256 of what it is", row.fingerprint),
            ("SHA-256 of what was approved", row.approved_fingerprint or "nothing yet"),
            ("Changed", row.updated_at),
        ]
    return facts


def _change(request: HttpRequest, staff: Staff, row: ToolManifest, form: ManifestForm) -> bool:
    try:
        change_manifest(row.name, form.change(), by=staff.principal, expected=form.expected_at)
    except PlatformError as error:
        form.add_error(None, told_why(error))
        return False
    messages.success(request, f"{row.name} was changed. It holds everywhere within three seconds.")
    return True


site.register(ToolManifest, ManifestAdmin)
