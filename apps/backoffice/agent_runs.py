"""Runs of agents: lists that keep their statuses up to date, a run's story and tape, an end to it, or its going on."""

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import display
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils.html import format_html

from apps.agents.models import AgentRun, RunEvent, RunStep, TapeEntry
from apps.agents.runs import shown as run_shown
from apps.agents.states import RUN_STATUSES, RUN_TERMINAL
from apps.backoffice import filters, run_acts
from apps.backoffice.llm_shown import usd
from apps.backoffice.reading import alias_for, as_uuid, reading
from apps.backoffice.rights import AGENTS, RUNS, RUNS_ACT, require, staff_of
from apps.backoffice.scoped_admin import PAGE_SIZE, ScopedAdmin
from apps.backoffice.site import site
from apps.backoffice.told import tell
from apps.identity.selectors import username_of

LIST = "/admin/agents/agentrun/"
EVENTS_SHOWN, TAPE_SHOWN = 200, 100
STOP_POLLING = 286  # htmx's own status: take this answer and ask no more
PROMPT_CHARS = 80

StatusFilter = filters.one_of("status", "status", RUN_STATUSES)
AgentFilter = filters.typed_in("agent", "agent", "agent_name")
OwnerFilter = filters.typed_in("owner", "owner", "owner_sub")
RefusedFilter = filters.one_of("refused", "refused", ("true", "false"))
TenantFilter = filters.tenant_of("tenant_id")


class RunAdmin(ScopedAdmin):
    """Every run of the tenant; for a platform administrator of all tenants."""

    right = RUNS
    search_fields = ("id",)
    search_help_text = "The id of a run or of its session, or its owner exactly"
    ordering = ("-created_at", "-id")
    sortable_by = ()
    actions: tuple[str, ...] = ("cancel", "resume")
    list_before_template = "backoffice/live_runs.html"

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseBase:
        """A selection is looked up inside the fence and acted on outside of it: each act commits for itself."""
        if request.method != "POST":
            return super().changelist_view(request, {"title": "Agent runs", **(extra_context or {})})
        ids = [run_id for raw in request.POST.getlist(ACTION_CHECKBOX_NAME)[:PAGE_SIZE] if (run_id := as_uuid(raw))]
        self.act(request, request.POST.get("action", ""), ids)
        return HttpResponseRedirect(request.get_full_path())

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        shown = ("short_id", "live_status", "agent_name", "asked", "owner_sub", "created_at", "attempt")
        return (*shown, "tenant") if staff_of(request).is_platform else shown

    def get_list_filter(self, request: HttpRequest) -> tuple[Any, ...]:
        shown = (StatusFilter, AgentFilter, OwnerFilter, RefusedFilter)
        return (*shown, TenantFilter) if staff_of(request).is_platform else shown

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("tenant")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        sought = as_uuid(term)
        if sought is None:
            return queryset.filter(owner_sub=term), False
        return queryset.filter(pk=sought) | queryset.filter(session_id=sought), False

    @display(description="Run")
    def short_id(self, run: AgentRun) -> str:
        return str(run.pk)

    @display(description="Status")
    def live_status(self, run: AgentRun) -> str:
        return format_html('<span class="badge is-{0}" data-job="{1}">{0}</span>', run.status, run.pk)

    @display(description="Prompt")
    def asked(self, run: AgentRun) -> str:
        return run.prompt if len(run.prompt) <= PROMPT_CHARS else f"{run.prompt[:PROMPT_CHARS]} ..."

    # -- acts on a selection: declared for the menu, done in changelist_view
    @display(description="Cancel the selected runs")
    def cancel(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        raise RuntimeError("acts on a selection are done by changelist_view")

    @display(description="Go on with the selected runs of your own that failed or were cancelled")
    def resume(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        raise RuntimeError("acts on a selection are done by changelist_view")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return super().get_actions(request) if staff_of(request).may(RUNS_ACT) else {}

    def act(self, request: HttpRequest, name: str, ids: list[UUID]) -> None:
        """Do one thing to these runs, those of others left out as if they were missing, and say what came of it."""
        staff = require(request, RUNS_ACT)
        if name not in run_acts.ACTS:
            raise Http404
        with reading(staff):
            runs = list(self.get_queryset(request).filter(pk__in=ids))
        if not runs:
            messages.warning(request, "No run was selected.")
        for run in runs:
            worked, said = run_acts.perform(staff, name, run)
            messages.add_message(request, messages.SUCCESS if worked else messages.WARNING, said)

    # -- one run
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("live", view(self.live_statuses), name="agents_agentrun_live"),
            path("<uuid:run_id>/live", view(self.live_view), name="agents_agentrun_live_run"),
            path("<uuid:run_id>/tape", view(self.tape_view), name="agents_agentrun_tape"),
            path("<uuid:run_id>/act", view(self.act_view), name="agents_agentrun_act"),
        ]
        return [*own, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        require(request, self.right)
        run = self.get_object(request, object_id)
        if run is None or request.method not in ("GET", "HEAD"):
            raise Http404
        return site.show(request, "run.html", f"Run {run.pk}", **self._story(request, run))

    def live_view(self, request: HttpRequest, run_id: UUID) -> HttpResponse:
        """The part of a run's page that changes, as HTML; the last answer after its end."""
        require(request, self.right)
        run = self.get_object(request, str(run_id))
        if run is None:
            raise Http404
        story = self._story(request, run)
        return render(request, "backoffice/run_live.html", story, status=STOP_POLLING if story["ended"] else 200)

    def live_statuses(self, request: HttpRequest) -> JsonResponse:
        """{id: status} of the runs of a list; those that cannot be seen are left out."""
        require(request, self.right)
        ids = [run_id for raw in request.GET.get("ids", "").split(",")[:PAGE_SIZE] if (run_id := as_uuid(raw))]
        rows = AgentRun._base_manager.using(alias_for(staff_of(request))).filter(pk__in=ids)
        return JsonResponse({str(run_id): status for run_id, status in rows.values_list("id", "status")})

    def act_view(self, request: HttpRequest, run_id: UUID) -> HttpResponseBase:
        if request.method != "POST" or self.get_object(request, str(run_id)) is None:
            raise Http404
        self.act(request, request.POST.get("action", ""), [run_id])
        return HttpResponseRedirect(f"{LIST}{run_id}/change/")

    def tape_view(self, request: HttpRequest, run_id: UUID) -> HttpResponseBase:
        """What models, tools and the graph were asked and answered, word for word. A look is written down."""
        staff = require(request, AGENTS)
        run = self.get_object(request, str(run_id))
        if run is None or request.method not in ("GET", "HEAD"):
            raise Http404
        tell(staff, "run_tape_read", tenant_id=run.tenant_id, resource_type="agent_run", resource_id=run.pk,
             owner=run.owner_sub)  # fmt: skip
        rows = TapeEntry._base_manager.using(alias_for(staff)).filter(run_id=run.pk).order_by("id")
        return site.show(
            request,
            "form.html",
            f"Tape of run {run.pk}",
            back=f"{LIST}{run.pk}/change/",
            back_to="the run",
            intro=f"The first {TAPE_SHOWN} entries, oldest first. A repeated step takes its answers from here.",
            documents=[
                (f"{entry.place}: {entry.kind}", _pretty(run_shown.tape_entry_out(entry)))
                for entry in rows[:TAPE_SHOWN]
            ],
        )

    def _story(self, request: HttpRequest, run: AgentRun) -> dict[str, Any]:
        staff = staff_of(request)
        alias = alias_for(staff)
        rows = RunEvent._base_manager.using(alias).filter(run_id=run.pk).exclude(event_type="delta")
        events = [
            {"seq": row.seq_id, "type": row.event_type, "at": row.created_at, "text": _pretty(row.event_json)}
            for row in rows.order_by("-seq_id")[:EVENTS_SHOWN]
        ]
        steps = [
            {
                "index": step.index, "attempt": step.attempt, "action": step.action, "status": step.status,
                "latency_ms": step.latency_ms, "tokens": step.tokens, "usd": usd(step.cost_nano_usd),
                "reused": step.reused_from is not None, "input": _pretty(step.input), "output": _pretty(step.output),
                "error": None if step.error is None else _pretty(step.error),
            }
            for step in RunStep._base_manager.using(alias).filter(run_id=run.pk).order_by("index", "attempt")
        ]  # fmt: skip
        return {
            "run": run,
            "owner_name": username_of(run.owner_sub),
            "ended": run.status in RUN_TERMINAL,
            "acts": run_acts.offered(staff, run) if staff.may(RUNS_ACT) else [],
            "shows_tape": staff.may(AGENTS),
            "answer": run_shown.text_of(run),
            "todos": [run_shown.todo_out(todo) for todo in run.todos_json or []],
            "steps": steps,
            "events": events,
            "documents": [
                (title, _pretty(document))
                for title, document in (
                    ("Intent", run.intent_json),
                    ("Error", run.error_json),
                    ("Outputs", run_shown.outputs_of(run) or None),
                    ("Metrics", run.metrics_json or None),
                    ("Budget", run.budget_json or None),
                    ("Asked with", run.request_json or None),
                    ("Agent", run.agent_json),
                    ("Acts with", run.principal_json),
                )
                if document is not None
            ],
        }


def _pretty(document: Any) -> str:
    """JSON for reading; the template escapes it."""
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True, default=str)


site.register(AgentRun, RunAdmin)
