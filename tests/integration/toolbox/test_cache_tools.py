"""The tenant's cache: what is kept, for how long, how much, and that no text leads out of the tenant's space."""

import socket
from typing import Any

import pytest

from apps.identity.principal import Principal
from apps.tenancy import tool_cache
from apps.tenancy.models import Tenant
from kernel import redis_client
from kernel.errors import ForbiddenError, ValidationError
from kernel.redis_keys import TOOLS_CACHE, TOOLS_CACHE_KEYS, TOOLS_CACHE_SIZES
from tests.clients import PATIENCE_S
from tests.factories import make_principal, make_tenant
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:cache")
NAUGHTY = [
    "*", "?", "[a-z]", "{}", "{tenant}", "{key}", "%s", "../x", ":", "::", "a b", "\u202eabc", "'; FLUSHALL", "e\u0301",
    "😀", "x" * 256,
]  # fmt: skip
MINIMAL: dict[str, dict[str, Any]] = {
    "cache.get": {"key": "k"},
    "cache.set": {"key": "k", "value": 1},
    "cache.delete": {"key": "k"},
    "cache.invalidate": {"prefix": "k"},
    "cache.manage": {"action": "keys"},
}


def code_of(principal: Principal, name: str, arguments: dict[str, Any]) -> str:
    outcome = call(principal, name, arguments)
    assert outcome.error is not None, outcome.result
    return str(outcome.error["code"])


@pytest.mark.parametrize("value", [None, True, 0, 1.5, "text", "", [], {"a": [{"b": None}]}], ids=repr)
def test_any_json_comes_back_as_it_was_kept(principal: Principal, value: Any) -> None:
    kept = result(principal, "cache.set", {"key": "k", "value": value, "ttl_s": 60})
    found = result(principal, "cache.get", {"key": "k"})

    assert kept["expires_in_s"] == 60
    assert (found["found"], found["value"]) == (True, value)
    assert type(found["value"]) is type(value)
    assert 50 < found["expires_in_s"] <= 60


def test_the_latest_value_counts_and_a_colleague_shares_it(tenant: Tenant, principal: Principal) -> None:
    for value in (1, 2):
        result(principal, "cache.set", {"key": "k", "value": value})

    assert result(make_principal(tenant), "cache.get", {"key": "k"})["value"] == 2
    assert result(principal, "cache.manage", {"action": "keys"})["keys"] == ["k"]


def test_what_was_deleted_or_has_expired_is_not_there(principal: Principal) -> None:
    result(principal, "cache.set", {"key": "gone", "value": 1})
    result(principal, "cache.set", {"key": "late", "value": 1})

    deleted = [result(principal, "cache.delete", {"key": "gone"})["deleted"] for _ in range(2)]
    redis_client.client().pexpire(TOOLS_CACHE(tenant=principal.tenant_id, key="late"), 0)

    assert deleted == [True, False]
    assert [result(principal, "cache.get", {"key": key})["found"] for key in ("gone", "late")] == [False, False]


def test_a_prefix_takes_what_begins_so_and_nothing_else(principal: Principal) -> None:
    for number in range(600):
        tool_cache.put(principal.tenant_id, f"genes:{number}", number, ttl_s=60)
    for key in ("gene", "Genes:1", "tasks:1"):
        result(principal, "cache.set", {"key": key, "value": 1})

    taken = result(principal, "cache.invalidate", {"prefix": "genes:"})["deleted"]

    assert taken == 600
    assert result(principal, "cache.manage", {"action": "keys"})["keys"] == ["Genes:1", "gene", "tasks:1"]
    assert result(principal, "cache.invalidate", {"prefix": ""})["deleted"] == 3
    assert redis_client.client().hget(TOOLS_CACHE_SIZES(tenant=principal.tenant_id), "") == "0"


def test_keys_are_listed_in_order_by_their_beginning_and_in_part(principal: Principal) -> None:
    for key in ("b:2", "a:1", "b:1", "b:3"):
        result(principal, "cache.manage", {"action": "set", "key": key, "value": key, "ttl": 60})

    listed = result(principal, "cache.manage", {"action": "keys", "key": "b:", "limit": 2})

    assert (listed["keys"], listed["total"]) == (["b:1", "b:2"], 3)
    assert result(principal, "cache.manage", {"action": "get", "key": "a:1"})["value"] == "a:1"
    assert result(principal, "cache.manage", {"action": "delete", "key": "a:1"})["found"] is True
    assert result(principal, "cache.manage", {"action": "get", "key": "a:1"})["found"] is False


@pytest.mark.requirement("security:99")
@pytest.mark.parametrize("text", NAUGHTY, ids=range(len(NAUGHTY)))
def test_no_text_leads_out_of_the_tenants_space(principal: Principal, text: str) -> None:
    stranger = make_principal(make_tenant())
    result(stranger, "cache.set", {"key": "theirs", "value": "secret"})
    result(principal, "cache.set", {"key": "other", "value": 1})

    result(principal, "cache.set", {"key": text, "value": text})
    found = result(principal, "cache.get", {"key": text})
    taken = result(principal, "cache.invalidate", {"prefix": text})["deleted"]

    assert (found["value"], taken) == (text, 1)
    assert result(principal, "cache.get", {"key": "other"})["found"] is True
    assert result(stranger, "cache.get", {"key": "theirs"})["value"] == "secret"


@pytest.mark.requirement("security:99")
def test_another_tenants_values_are_not_reached_by_any_name(tenant: Tenant, principal: Principal) -> None:
    stranger = make_principal(make_tenant())
    result(stranger, "cache.set", {"key": "theirs", "value": "secret"})
    names = ("theirs", f"{stranger.tenant_id}:theirs", f"../{stranger.tenant_id}:theirs",
             TOOLS_CACHE(tenant=stranger.tenant_id, key="theirs"))  # fmt: skip

    found = [result(principal, "cache.get", {"key": name})["found"] for name in names]
    for name in names:
        result(principal, "cache.delete", {"key": name})
    result(principal, "cache.invalidate", {"prefix": ""})

    assert found == [False] * len(names)
    assert result(principal, "cache.manage", {"action": "keys"})["keys"] == []
    assert result(stranger, "cache.get", {"key": "theirs"})["value"] == "secret"


@pytest.mark.requirement("security:122")
def test_what_a_foreign_writer_put_there_is_not_there(principal: Principal) -> None:
    for key in ("signed", "copied", "edited", "bytes"):
        result(principal, "cache.set", {"key": key, "value": key})
    names = {key: TOOLS_CACHE(tenant=principal.tenant_id, key=key) for key in ("signed", "copied", "edited", "bytes")}
    redis, signed = redis_client.client(), redis_client.client().get(names["signed"])
    assert isinstance(signed, str)

    redis.set(names["copied"], signed, ex=60)
    redis.set(names["edited"], signed.replace("signed", "forged", 1), ex=60)
    redis.set(names["bytes"], b"\xff\xfe", ex=60)
    redis.set(TOOLS_CACHE(tenant=principal.tenant_id, key="unknown"), signed, ex=60)

    found = {key: result(principal, "cache.get", {"key": key})["found"] for key in (*names, "unknown")}
    assert found == {"signed": True, "copied": False, "edited": False, "bytes": False, "unknown": False}


def test_a_tenant_keeps_a_bounded_number_of_keys_and_bytes(principal: Principal, settings: Any) -> None:
    settings.TOOLS_CACHE_KEYS = 2
    for key in ("a", "b"):
        result(principal, "cache.set", {"key": key, "value": "x" * 100})

    third = code_of(principal, "cache.set", {"key": "c", "value": 1})
    settings.TOOLS_CACHE_BYTES = 600
    longer = code_of(principal, "cache.set", {"key": "a", "value": "x" * 1000})
    again = call(principal, "cache.set", {"key": "a", "value": "x" * 90})
    result(principal, "cache.delete", {"key": "b"})

    assert (third, longer, again.ok) == ("cache_full", "cache_full", True)
    assert call(principal, "cache.set", {"key": "c", "value": 1}).ok


def test_what_expired_makes_room(principal: Principal, settings: Any) -> None:
    settings.TOOLS_CACHE_KEYS = 1
    result(principal, "cache.set", {"key": "old", "value": 1})
    redis_client.client().zadd(TOOLS_CACHE_KEYS(tenant=principal.tenant_id), {"old": 1})

    listed = result(principal, "cache.manage", {"action": "keys"})["keys"]

    assert listed == []
    assert call(principal, "cache.set", {"key": "new", "value": 1}).ok


def test_a_redis_that_lost_the_index_has_lost_the_values(principal: Principal) -> None:
    result(principal, "cache.set", {"key": "k", "value": 1})

    redis_client.client().delete(TOOLS_CACHE_SIZES(tenant=principal.tenant_id))

    assert result(principal, "cache.get", {"key": "k"})["found"] is False


def test_a_value_that_is_too_large_is_refused(principal: Principal) -> None:
    assert code_of(principal, "cache.set", {"key": "k", "value": "x" * 65_536}) == "cache_value_too_large"
    assert call(principal, "cache.set", {"key": "k", "value": "x" * 65_534}).ok


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("cache.get", {"key": ""}),
        ("cache.get", {"key": "a\nb"}),
        ("cache.get", {"key": "a\n"}),
        ("cache.get", {"key": "x" * 257}),
        ("cache.get", {"key": 7}),
        ("cache.set", {"key": "k"}),
        ("cache.set", {"key": "k", "value": 1, "ttl_s": 0}),
        ("cache.set", {"key": "k", "value": 1, "ttl_s": 604_801}),
        ("cache.set", {"key": "k", "value": "a\0b"}),
        ("cache.invalidate", {}),
        ("cache.invalidate", {"prefix": "a\r"}),
        ("cache.manage", {"action": "set", "key": "k"}),
        ("cache.manage", {"action": "get"}),
        ("cache.manage", {"action": "flush", "key": "k"}),
    ],
)
def test_what_does_not_fit_is_refused(principal: Principal, name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(principal, name, arguments)


@pytest.mark.parametrize("name", MINIMAL)
@pytest.mark.parametrize("role", ["viewer", "guest", "auditor"])
def test_who_may_not_read_the_graph_has_no_cache(tenant: Tenant, role: str, name: str) -> None:
    with pytest.raises(ForbiddenError):
        call(make_principal(tenant, role), name, MINIMAL[name])


def test_a_token_that_only_reads_writes_nothing(principal: Principal) -> None:
    scopes = frozenset({"read", "graph:read", "tools:invoke"})
    reader = Principal(principal.sub, principal.tenant_id, principal.roles, scopes)

    for name in ("cache.set", "cache.delete", "cache.invalidate"):
        with pytest.raises(ForbiddenError):
            call(reader, name, MINIMAL[name])
    with pytest.raises(ForbiddenError):
        call(reader, "cache.manage", {"action": "set", "key": "k", "value": 1})
    assert call(reader, "cache.get", {"key": "k"}).ok
    assert call(reader, "cache.manage", {"action": "keys"}).ok


def test_a_redis_that_is_away_is_said_at_once(principal: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_cache.availability, "usable", lambda: False)

    outcomes = [call(principal, name, arguments) for name, arguments in MINIMAL.items()]

    assert [(outcome.error or {}).get("code") for outcome in outcomes] == ["cache_unavailable"] * len(MINIMAL)
    assert {outcome.http_status for outcome in outcomes} == {503}


def test_a_redis_that_does_not_answer_is_not_waited_for(
    principal: Principal, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as silent:  # takes connections and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        settings.REDIS_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        hanging = redis_client.client.__wrapped__()
        monkeypatch.setattr(tool_cache, "client", lambda: hanging)
        monkeypatch.setattr(tool_cache, "availability", redis_client.Availability())

        monkeypatch.setattr(redis_client, "RETRY_AFTER_S", PATIENCE_S)  # as long as the second call may take

        first = call(principal, "cache.manage", {"action": "keys"})
        monkeypatch.setattr(tool_cache, "client", None)  # nobody asks for it
        second = call(principal, "cache.manage", {"action": "keys"})

    assert [(outcome.error or {}).get("code") for outcome in (first, second)] == ["cache_unavailable"] * 2
    assert 500 <= first.duration_ms < PATIENCE_S * 1000 / 3  # the client's timeout, once


def test_a_tenant_that_goes_leaves_nothing(principal: Principal) -> None:
    result(principal, "cache.set", {"key": "k", "value": 1})

    tool_cache.forget(principal.tenant_id, checkpoint=lambda: None)

    names = (TOOLS_CACHE_KEYS(tenant=principal.tenant_id), TOOLS_CACHE_SIZES(tenant=principal.tenant_id),
             TOOLS_CACHE(tenant=principal.tenant_id, key="k"))  # fmt: skip
    assert redis_client.client().exists(*names) == 0
