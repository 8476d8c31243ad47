"""A run acts with its submitter's rights, looked at again before every phase and step (R24, attacks 47 and 48)."""

from uuid import UUID, uuid4

import pytest

from apps.identity import present
from apps.identity.models import User
from apps.identity.principal import Principal
from apps.identity.rbac import scopes_of
from apps.tenancy.models import Tenant
from apps.tenancy.services import set_tenant_status
from tests.integration.runs import carrying
from tests.integration.runs.carrying import advance, make_run


@pytest.fixture
def account(tenant, monkeypatch):
    """An account of the built-in issuer; what is known of it is never older than the question."""
    monkeypatch.setattr(present, "BELIEVED_S", 0.0)
    name = f"u-{uuid4().hex[:8]}"
    return User.objects.create_user(name, password="x", tenant_id=tenant.id, roles=["user", "viewer"])


def principal_of(account, tenant) -> Principal:
    roles = frozenset(account.roles)
    return Principal(str(account.id), UUID(str(tenant.id)), roles, frozenset(scopes_of(roles)))


@pytest.mark.requirement("runs:rights-now")
@pytest.mark.parametrize("what", ["disabled", "roles", "suspended"])
def test_who_may_no_longer_run_agents_is_stopped_between_two_steps(account, tenant, engine, effects, what):
    run = make_run(principal_of(account, tenant), steps=3, effects=True)
    done = advance(engine, run.id, tasks=3)

    if what == "disabled":
        User.objects.filter(id=account.id).update(is_active=False)
    elif what == "roles":
        User.objects.filter(id=account.id).update(roles=["viewer"])
    else:
        set_tenant_status(tenant.id, Tenant.Status.SUSPENDED, by=None)
        from apps.identity import standing

        standing.current.reload()
    advance(engine, run.id, done)

    ended = carrying.row(run)
    assert (ended.status, ended.error_json["reason"]) == ("failed", "forbidden")
    assert [line[0] for line in effects(run)] == [0, 0]


@pytest.mark.requirement("runs:rights-now")
def test_a_lost_role_takes_its_scopes_along(account, tenant):
    said = principal_of(account, tenant)
    curator = Principal(said.sub, said.tenant_id, said.roles | {"curator"}, said.scopes | scopes_of(["curator"]))

    now = present.rights_now(curator)

    assert now.roles == {"user", "viewer"}
    assert "graph:write" in curator.scopes and "graph:write" not in now.scopes
    assert said.scopes == now.scopes
