"""What is done to providers and model instances by a button: through their services, each one audited."""

from collections.abc import Callable

from apps.backoffice.rights import Staff
from apps.backoffice.told import tell
from apps.identity.principal import Principal
from apps.llm import circuits, monitoring
from apps.llm.models import ModelInstance, Provider
from apps.llm.registry import providers, trials
from kernel.clock import iso, now
from kernel.errors import NotFoundError, PlatformError

SHOWN_MODELS = 8
GENERIC = "Request validation failed"
Act = Callable[[Staff, Provider], tuple[bool, str]]


class NoSuchTenant(NotFoundError):
    """The short name belongs to nobody."""

    def __init__(self) -> None:
        super().__init__("There is no such tenant.", code="tenant_not_found")


def acting(staff: Staff, row: Provider | ModelInstance) -> Principal:
    """Who changes the row: a platform administrator in the tenant whose it is."""
    return staff.principal if row.tenant_id is None else staff.acting_in(row.tenant_id)


def told_why(error: PlatformError) -> str:
    """The service's sentence, or its faults, field by field, where the sentence says nothing more."""
    if not error.detail.endswith(GENERIC) or not error.errors:
        return error.detail
    faults = [f"{'.'.join(str(step) for step in fault['loc'][1:])}: {fault['msg']}." for fault in error.errors]
    return " ".join(faults)


def test(staff: Staff, row: Provider) -> tuple[bool, str]:
    """Ask it now, with a connection of its own, which models it has."""
    trial = trials.try_connection(row.pk, by=acting(staff, row))
    outcome = {"status_code": 200} if trial.ok else {"error": trial.kind}
    health = {"ok": trial.ok, "reachable": trial.reachable, **outcome, "latency_ms": trial.latency_ms}
    monitoring.keep(row.pk, {**health, "checked_at": iso(now())})
    if not trial.ok:
        return False, f"{row.name} did not pass the test: {trial.error}"
    names = ", ".join(model.model_id for model in trial.models[:SHOWN_MODELS])
    more = f" and {len(trial.models) - SHOWN_MODELS} more" if len(trial.models) > SHOWN_MODELS else ""
    return True, f"{row.name} answers ({trial.latency_ms:.0f} ms). Its models: {names or 'none'}{more}."


def enable(staff: Staff, row: Provider) -> tuple[bool, str]:
    providers.change_provider(row.pk, {"enabled": True}, by=acting(staff, row))
    return True, f"{row.name} is enabled."


def disable(staff: Staff, row: Provider) -> tuple[bool, str]:
    providers.change_provider(row.pk, {"enabled": False}, by=acting(staff, row))
    return True, f"{row.name} is disabled: its models are asked no more."


def main(staff: Staff, row: Provider) -> tuple[bool, str]:
    providers.make_main(row.pk, by=acting(staff, row))
    return True, f"{row.name} is the main provider."


def close_circuit(staff: Staff, row: Provider) -> tuple[bool, str]:
    circuits.reset(row.pk)
    return True, f"The circuit of {row.name} is closed: it is asked again."


ACTS: dict[str, Act] = {
    "test": test,
    "enable": enable,
    "disable": disable,
    "main": main,
    "close_circuit": close_circuit,
}
LABELS = {
    "test": "Test the connection",
    "enable": "Enable",
    "disable": "Disable",
    "main": "Make it the main one",
    "close_circuit": "Close the circuit",
}


def offered(row: Provider) -> list[tuple[str, str]]:
    """The acts that make sense for the provider as it is."""
    names = ["test", "disable" if row.enabled else "enable"]
    if row.enabled and not row.is_main:
        names.append("main")
    if circuits.view(row.pk).state != "CLOSED":
        names.append("close_circuit")
    return [(name, LABELS[name]) for name in names]


def perform(staff: Staff, act: Act, row: Provider) -> tuple[bool, str]:
    """Do it and tell the audit log. Whether it worked, and a sentence for the person."""
    try:
        worked, said = act(staff, row)
    except PlatformError as error:
        worked, said = False, error.detail
    tell(staff, f"provider_{act.__name__}", tenant_id=row.tenant_id, resource_type="provider", resource_id=row.pk,
         outcome="success" if worked else "failed", name=row.name)  # fmt: skip
    return worked, said
