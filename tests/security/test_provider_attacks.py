"""Attacks 118 and 121 on providers' keys: led to another host, swapped between rows, tampered with."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connections

from apps.llm import catalogue, keys
from apps.llm.models import Provider, ProviderSecret
from apps.llm.registry.providers import register_provider
from apps.tenancy.models import Tenant
from kernel import engine_db
from tests.clients import Api
from tests.factories import make_tenant

PLACE = "http://127.0.0.1:9/v1"
KEY = "sk-proj-0123456789abcdefWXYZ"
ELSEWHERE = ("http://127.0.0.1:10/v1", "http://127.0.0.2:9/v1", "https://127.0.0.1:9/v1", "http://localhost:9/v1")


def with_key(tenant: Tenant | None) -> Provider:
    return register_provider(
        tenant_id=tenant.id if tenant else None,
        name=f"k-{uuid4().hex[:8]}",
        type="openai",
        base_url=PLACE,
        api_key=KEY,
        by=None,
    )


def secrets() -> Any:
    return ProviderSecret.objects.using(engine_db.ALIAS)


@pytest.mark.requirement("security:118")
def test_a_key_does_not_follow_its_provider_to_another_host(admin: Api, tenant: Tenant) -> None:
    for elsewhere in ELSEWHERE:
        provider = with_key(tenant)
        path = f"/v1/admin/models/providers/{provider.id}"

        changed = admin.patch(path, {"base_url": elsewhere})

        assert (changed.status, changed.json["key_cleared"]) == (200, True), elsewhere
        assert catalogue.provider_config(provider.id).api_key == ""
        admin.patch(path, {"base_url": PLACE})  # and it does not come back with it
        assert catalogue.provider_config(provider.id).api_key == ""


@pytest.mark.requirement("security:118")
def test_an_address_that_was_changed_behind_the_platforms_back_gets_no_key(tenant: Tenant) -> None:
    for elsewhere in ELSEWHERE:
        provider = with_key(tenant)
        Provider.objects.using(engine_db.ALIAS).filter(id=provider.id).update(base_url=elsewhere)

        with pytest.raises(keys.KeyUnreadable) as refused:
            catalogue.provider_config(provider.id)

        assert KEY not in str(refused.value)


@pytest.mark.requirement("security:118")
def test_no_request_says_where_a_call_goes(admin: Api, api_url: str, tenant: Tenant) -> None:
    provider = with_key(tenant)
    instance = {"provider_id": str(provider.id), "instance_name": "m", "model_id": "m"}
    ways = ("base_url", "api_base", "api_key", "headers", "extra_headers", "extra_body", "proxy", "organization")
    made = admin.post("/v1/models/instances", instance)
    tests = f"/v1/models/instances/{made.json['id']}/tests"

    in_parameters = [
        admin.patch(f"/v1/models/instances/{made.json['id']}", {"parameters": {way: "http://evil.example"}}).status
        for way in ways
    ]
    in_tests = [admin.post(tests, {"prompt": "x", way: "http://evil.example"}).status for way in ways]
    in_jobs = [
        admin.post("/v1/jobs", {"type": "model.warmup", "payload": {"instance_id": made.json["id"], way: "x"}}).status
        for way in ways
    ]

    assert made.status == 201
    assert in_parameters == in_tests == in_jobs == [422] * len(ways)


@pytest.mark.requirement("security:121")
def test_a_ciphertext_in_another_row_or_tenant_opens_nothing(tenant: Tenant) -> None:
    mine, neighbours, theirs, shared = with_key(tenant), with_key(tenant), with_key(make_tenant()), with_key(None)
    stolen = secrets().get(pk=theirs.id).ciphertext

    for row in (mine, neighbours, shared):
        secrets().filter(pk=row.id).update(ciphertext=stolen)
        with pytest.raises(keys.KeyUnreadable):
            keys.read_key(row.id, PLACE)
        with pytest.raises(keys.KeyUnreadable):
            keys.reencrypted(stolen, row.id)

    assert keys.read_key(theirs.id, PLACE) == KEY
    Provider.objects.using(engine_db.ALIAS).filter(id=shared.id).delete()


@pytest.mark.requirement("security:121")
def test_a_tampered_cut_or_foreign_ciphertext_opens_nothing(tenant: Tenant) -> None:
    provider = with_key(tenant)
    good = secrets().get(pk=provider.id).ciphertext
    middle = len(good) // 2
    flipped = good[:middle] + ("A" if good[middle] != "A" else "B") + good[middle + 1 :]

    for bad in (flipped, good[:-4], good[:-44], good[4:], "A" + good[1:], "", "gAAAAA==", "ünlesbar", KEY):
        with pytest.raises(keys.KeyUnreadable) as refused:
            keys.opened(bad, provider.id, PLACE)
        assert KEY not in str(refused.value)
        assert refused.value.__suppress_context__


@pytest.mark.requirement("security:121")
def test_no_two_encryptions_of_a_key_are_alike(tenant: Tenant) -> None:
    provider_id = uuid4()

    made = {keys.sealed(provider_id, PLACE, KEY) for _ in range(2000)}

    assert len(made) == 2000


@pytest.mark.requirement("security:121")
def test_the_applications_role_can_neither_read_nor_write_ciphertexts(tenant: Tenant) -> None:
    provider = with_key(tenant)

    for statement in (
        "SELECT 1 FROM provider_secrets",
        "DELETE FROM provider_secrets",
        "UPDATE provider_secrets SET ciphertext = ''",
    ):
        with connections["default"].cursor() as cursor, pytest.raises(Exception, match="permission denied"):
            cursor.execute(statement)

    assert keys.read_key(provider.id, PLACE) == KEY
