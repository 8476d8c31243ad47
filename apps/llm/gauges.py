"""How providers are at the moment that Prometheus asks (SPEC 13): what the last look saw, and their circuits.

Read from Redis at scrape time, by the API: what one worker measured would stay what it was when another looks next.
"""

from collections import defaultdict
from collections.abc import Iterator

from django.db import Error as DatabaseError
from django.db import connections
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from apps.llm import circuits, monitoring
from apps.llm.models import Provider
from kernel import engine_db

LABELS = ("provider_type", "provider")
# What a tenant's provider is called in the metrics: names of tenants' things are nobody else's to read.
OF_TENANTS = "tenant"
MOST = 5_000  # providers that are counted, the platform's before tenants'
CIRCUIT = {"CLOSED": 0.0, "HALF_OPEN": 0.5, "OPEN": 1.0}
HEALTH_NAME, HEALTH_HELP = "provider_health_status", "1: the provider answered when last looked at; tenants': the share"
CIRCUIT_NAME, CIRCUIT_HELP = "llm_circuit_state", "0: CLOSED, 0.5: HALF_OPEN, 1: OPEN; tenants': the mean"


class ProviderGauges(Collector):
    """One sample for each enabled provider of the platform's, and one a type for all tenants' together."""

    def describe(self) -> list[GaugeMetricFamily]:
        """For the registry, which else would collect once when it gets to know this: in the middle of an import."""
        return [_family(HEALTH_NAME, HEALTH_HELP, {}), _family(CIRCUIT_NAME, CIRCUIT_HELP, {})]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            rows = list(
                Provider.objects.using(engine_db.ALIAS)
                .filter(enabled=True)
                .order_by("-tenant_id", "id")  # descending, PostgreSQL puts what has none first
                .values_list("id", "type", "name", "tenant_id")[:MOST]
            )
        except DatabaseError:
            return
        finally:
            connections[engine_db.ALIAS].close()
        seen, states = monitoring.health_of_all([row[0] for row in rows]), circuits.states([row[0] for row in rows])
        ups: dict[tuple[str, str], list[float]] = defaultdict(list)
        opens: dict[tuple[str, str], list[float]] = defaultdict(list)
        for provider_id, kind, name, tenant_id in rows:
            labels = (kind, name if tenant_id is None else OF_TENANTS)
            health, state = seen[provider_id], states.get(provider_id)
            if health is not None:
                ups[labels].append(float(health["ok"]))
            if state is not None:
                opens[labels].append(CIRCUIT.get(state, 0.0))
        yield _family(HEALTH_NAME, HEALTH_HELP, ups)
        yield _family(CIRCUIT_NAME, CIRCUIT_HELP, opens)


def _family(name: str, text: str, values: dict[tuple[str, str], list[float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=LABELS)
    for labels, each in values.items():
        family.add_metric(labels, sum(each) / len(each))
    return family
