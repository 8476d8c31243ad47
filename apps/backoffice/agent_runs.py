"""Runs of agents: lists that keep their statuses up to date, a run's story and tape, an end to it, or its going on."""

from typing import Any
from uuid import UUID

from django.contrib.admin import display
from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import URLPattern, path

from apps.agents.models import AgentRun, RunEvent, RunStep, TapeEntry
from apps.agents.runs import shown as run_shown
from apps.agents.states import RUN_STATUSES, RUN_TERMINAL
from apps.backoffice import filters, run_acts
from apps.backoffice.documents import listed, pretty
from apps.backoffice.live_rows import EVENTS_SHOWN, LiveRows
from apps.backoffice.llm_shown import usd
from apps.backoffice.reading import alias_for
from apps.backoffice.rights import AGENTS, RUNS, RUNS_ACT, Staff, require, staff_of
from apps.backoffice.site import site
from apps.backoffice.told import tell
from apps.identity.selectors import username_of

LIST = "/admin/agents/agentrun/"
TAPE_SHOWN = 100
PROMPT_CHARS = 80

StatusFilter = filters.one_of("status", "status", RUN_STATUSES)
AgentFilter = filters.typed_in("agent", "agent", "agent_name")
OwnerFilter = filters.person("owner", "owner", "owner_sub")
RefusedFilter = filters.one_of("refused", "refused", ("true", "false"))


class RunAdmin(LiveRows):
    """Every run of the tenant; for a platform administrator of all tenants."""

    right = RUNS
    one = "run"
    title = "Agent runs"
    at = LIST
    columns = ("short_id", "live_status", "agent_name", "asked", "who", "created_at", "attempt")
    narrowed_by = (StatusFilter, AgentFilter, OwnerFilter, RefusedFilter)
    found_by = ("pk", "session_id")
    search_help_text = "The id of a run or of its session, or its owner's name"
    acts_right = RUNS_ACT
    acts = {
        "cancel": "Cancel the selected runs",
        "resume": "Go on with the selected runs of your own that failed or were cancelled",
    }
    live_template = "backoffice/run_live.html"

    @display(description="Run")
    def short_id(self, run: AgentRun) -> str:
        return str(run.pk)

    @display(description="Prompt")
    def asked(self, run: AgentRun) -> str:
        return run.prompt if len(run.prompt) <= PROMPT_CHARS else f"{run.prompt[:PROMPT_CHARS]} ..."

    def perform(self, staff: Staff, name: str, row: AgentRun) -> tuple[bool, str]:
        return run_acts.perform(staff, name, row)

    def get_urls(self) -> list[URLPattern]:
        tape = path("<uuid:run_id>/tape", self.admin_site.admin_view(self.tape_view), name="agents_agentrun_tape")
        return [tape, *super().get_urls()]

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
                (f"{entry.place}: {entry.kind}", pretty(run_shown.tape_entry_out(entry))) for entry in rows[:TAPE_SHOWN]
            ],
        )

    def story(self, request: HttpRequest, row: AgentRun) -> dict[str, Any]:
        staff = staff_of(request)
        alias = alias_for(staff)
        rows = RunEvent._base_manager.using(alias).filter(run_id=row.pk).exclude(event_type="delta")
        events = [
            {"seq": event.seq_id, "type": event.event_type, "at": event.created_at, "text": pretty(event.event_json)}
            for event in rows.order_by("-seq_id")[:EVENTS_SHOWN]
        ]
        steps = [
            {
                "index": step.index, "attempt": step.attempt, "action": step.action, "status": step.status,
                "latency_ms": step.latency_ms, "tokens": step.tokens, "usd": usd(step.cost_nano_usd),
                "reused": step.reused_from is not None, "input": pretty(step.input), "output": pretty(step.output),
                "error": None if step.error is None else pretty(step.error),
            }
            for step in RunStep._base_manager.using(alias).filter(run_id=row.pk).order_by("index", "attempt")
        ]  # fmt: skip
        return {
            "run": row,
            "owner_name": username_of(row.owner_sub),
            "ended": row.status in RUN_TERMINAL,
            "offered": run_acts.offered(staff, row) if staff.may(RUNS_ACT) else [],
            "shows_tape": staff.may(AGENTS),
            "answer": run_shown.text_of(row),
            "todos": [run_shown.todo_out(todo) for todo in row.todos_json or []],
            "steps": steps,
            "events": events,
            "documents": listed(
                (
                    ("Intent", row.intent_json),
                    ("Error", row.error_json),
                    ("Outputs", run_shown.outputs_of(row) or None),
                    ("Metrics", row.metrics_json or None),
                    ("Budget", row.budget_json or None),
                    ("Asked with", row.request_json or None),
                    ("Agent", row.agent_json),
                    ("Acts with", row.principal_json),
                )
            ),
        }


site.register(AgentRun, RunAdmin)
