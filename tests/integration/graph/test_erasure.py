"""A tenant that leaves takes its graph along, and nobody else's."""

import json
import zipfile

import pytest

from apps.graph import erasure, selectors
from apps.graph.seeding.sowing import sow
from apps.tenancy import exports
from tests.factories import make_tenant
from tests.integration.tenants.test_offboarding import attempt
from workers.handlers import tenant_offboard


@pytest.mark.requirement("graph:erased-with-tenant")
def test_offboarding_exports_and_erases_the_tenants_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenant_offboard, "CONFIG_SPREADS_IN_S", 0)
    leaving, staying = make_tenant(), make_tenant()
    sown = sow(leaving.id, users=1, seed=1)
    sow(staying.id, users=1, seed=1)
    before = selectors.schema_counts(staying.id, fresh=True)

    result = tenant_offboard.run(attempt(leaving))

    with zipfile.ZipFile(exports.path_of(result["export"])) as archive:
        exported = [json.loads(line) for line in archive.read("graph.ndjson").splitlines()]
    assert len(exported) == result["counts"]["graph"] == sown.nodes_created + sown.relationships_created
    assert result["erased"]["graph"] == sown.nodes_created
    assert selectors.schema_counts(leaving.id, fresh=True).nodes == 0
    assert selectors.schema_counts(staying.id, fresh=True) == before


def test_erasing_again_erases_nothing() -> None:
    tenant = make_tenant()
    sow(tenant.id, users=1, seed=1)
    erasure.erase(tenant.id, lambda: None)

    again = erasure.erase(tenant.id, lambda: None)

    assert again == 0
    assert list(erasure.lines(tenant.id)) == []
