"""The ports of a run's phases: the gateway, the graph and the tools, each call on the run's tape and in its budgets."""

from collections.abc import Callable

from django.conf import settings

from apps.agents.phases import links
from apps.agents.phases.links import LinkGuard
from apps.agents.thinking.budgets import RunMeter
from apps.agents.thinking.calls import Calls
from apps.agents.thinking.doors import Doors, RealDoors
from apps.agents.thinking.offering import Offer, changes, offered
from apps.agents.thinking.tape import DatabaseTape, Tape
from apps.agents.thinking.telling import Say, Teller
from apps.agents.types import Ports, RunView
from apps.identity.principal import Principal
from apps.tenancy import hiding
from kernel.pii.stream import StreamScrubber
from kernel.pii.text import Mode


def ports_for(
    view: RunView,
    *,
    place: str,
    principal: Principal,
    deadline_s: float,
    report: Callable[[str, str], None],
    say: Say,
    checkpoint: Callable[[], None],
    cancelled: Callable[[], bool] | None = None,
) -> Ports:
    """The ports of one place of a run: ``classify``, ``plan``, ``step 3``, ``finalize``.

    ``deadline_s``: seconds that its calls have together. ``checkpoint`` raises when the run must stop; ``cancelled``
    says so without raising, and is asked a few times a second while a model is waited for. BudgetExhausted comes out
    of any port; UnavailableError when the books of models cannot be written.
    """
    tape = DatabaseTape(view.run_id, view.tenant_id, place, view.attempt)
    meter = RunMeter(view.run_id, view.tenant_id, view.budget)
    return build(
        view, principal=principal, offer=offered(principal, view), tape=tape, doors=RealDoors(), meter=meter,
        pii_mode=hiding.mode_of(view.tenant_id), deadline_s=deadline_s,
        report=report, say=say, checkpoint=checkpoint, cancelled=cancelled,
    )  # fmt: skip


def build(
    view: RunView,
    *,
    principal: Principal,
    offer: Offer,
    tape: Tape,
    doors: Doors,
    meter: RunMeter | None,
    pii_mode: Mode,
    deadline_s: float,
    report: Callable[[str, str], None],
    say: Say,
    checkpoint: Callable[[], None],
    cancelled: Callable[[], bool] | None = None,
) -> Ports:
    """Ports out of their parts. ``meter`` None: calls and time are not counted (a replay)."""
    key = hiding.key_of(view.tenant_id)
    hosts = frozenset(settings.ANSWER_LINK_HOSTS)
    calls = Calls(view, principal, offer, tape, doors, meter, deadline_s, checkpoint, cancelled, hosts)
    return Ports(
        complete=calls.complete,
        ask_graph=calls.ask_graph,
        invoke_tool=calls.invoke_tool,
        tools=offer.specs(),
        writes=offer.writing(),
        changes=changes,
        link_hosts=hosts,
        report=report,
        say=Teller(say, StreamScrubber(pii_mode, key), LinkGuard(links.hosts_of(view.prompt) | hosts)),
        checkpoint=checkpoint,
        scrub=hiding.scrubber(view.tenant_id, pii_mode),
        spent=calls.spent.total,
        history=calls.history,
    )
