"""Can the platform's own models be asked? What health says of language models (SPEC 12, 13).

Nothing here says where a provider is, or that a tenant has one: health is public.
"""

from dataclasses import dataclass
from typing import Any

from django.db import connections

from apps.llm import circuits, monitoring
from apps.llm.models import ModelDefault, Provider
from kernel import engine_db

SHOWN = 20
NEEDS_NO_LOOK = "demo"  # no network: there is nothing to look at


@dataclass(frozen=True)
class Availability:
    """``is_available``: the platform's default model, or else another of the platform's providers, can be asked."""

    is_available: bool
    reason: str
    default_is_available: bool
    providers: tuple[dict[str, Any], ...]
    provider_count: int

    def as_json(self) -> dict[str, Any]:
        return {
            "default_is_available": self.default_is_available,
            "provider_count": self.provider_count,
            "providers": list(self.providers),
        }


def platform_availability() -> Availability:
    """One short read of the database and one of Redis for each of at most 20 providers."""
    try:
        rows = list(
            Provider.objects.using(engine_db.ALIAS)
            .filter(tenant_id=None, enabled=True)
            .order_by("priority", "name")[: SHOWN + 1]
        )
        default = (
            ModelDefault.objects.using(engine_db.ALIAS)
            .filter(scope="global", instance__enabled=True)
            .values_list("instance__provider_id", flat=True)
            .first()
        )
        count = len(rows)
        if count > SHOWN:
            count = Provider.objects.using(engine_db.ALIAS).filter(tenant_id=None, enabled=True).count()
        if default is not None and default not in {row.pk for row in rows[:SHOWN]}:
            rows = [*Provider.objects.using(engine_db.ALIAS).filter(pk=default, enabled=True), *rows]
    finally:
        connections[engine_db.ALIAS].close()
    rows = rows[:SHOWN]
    health = monitoring.health_of_all([row.pk for row in rows])
    shown = {row.pk: _shown(row, health[row.pk]) for row in rows}
    available = {key for key, said in shown.items() if said["ok"] and said["circuit"] == "CLOSED"}
    reason = "" if available else "no enabled provider of the platform's answered when last looked at"
    return Availability(
        is_available=bool(available),
        reason=reason,
        default_is_available=default in available,
        providers=tuple(shown.values()),
        provider_count=count,
    )


def _shown(row: Provider, health: dict[str, Any] | None) -> dict[str, Any]:
    """``ok`` is null when nobody has looked in the last two minutes."""
    ok = True if row.type == NEEDS_NO_LOOK else None if health is None else health["ok"]
    return {"name": row.name, "type": row.type, "ok": ok, "circuit": circuits.view(row.pk).state}
