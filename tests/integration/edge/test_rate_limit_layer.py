"""Layer 4 at a running server whose limits are a twentieth of the real ones."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis

from apps.edge.rate_limit import route_of
from apps.identity.issuer import sign_access_token
from apps.tenancy.rates import sub_part
from apps.tenancy.services import create_tenant
from tests.clients import PATIENCE_S, Answer, Api, free_port, is_up, wait_for
from tests.factories import make_tenant, make_token

ME = "/v1/auth/me"
FACTOR = "0.05"
USER, VIEWER, ADMIN, ADDRESS = 30, 15, 120, 15


@pytest.fixture(scope="module")
def start_limited(spawn: Callable[..., Any]) -> Iterator[Callable[..., str]]:
    """Start an API server of this file's own and return its URL."""
    started = []

    def start(**environment: str) -> str:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        process = spawn("config.serve", "--port", str(port), name=f"web-limited-{port}",
                        AGENTIC_RATE_LIMIT_FACTOR=FACTOR, **environment)  # fmt: skip
        started.append(process)
        wait_for(lambda: is_up(url), what="the limited API server answering")
        return url

    yield start
    for process in started:
        process.terminate()
        process.wait(timeout=PATIENCE_S)


@pytest.fixture(scope="module")
def limited_url(start_limited: Callable[..., str]) -> str:
    return start_limited()


@pytest.fixture(scope="module")
def proxied_url(start_limited: Callable[..., str]) -> str:
    """A server that takes this machine for its proxy."""
    return start_limited(AGENTIC_TRUSTED_PROXIES="127.0.0.1")


@pytest.fixture(autouse=True)
def shared_counts_begin_anew(redis_client: redis.Redis) -> None:
    """What other tests did in the last minute counts against routes and this machine's address."""
    for key in redis_client.scan_iter("ratelimit:*"):
        redis_client.delete(key)


def own_tenant(**tenant_settings: Any) -> Any:
    mark = uuid4().hex[:12]
    return create_tenant(f"t-{mark}", f"Tenant {mark}", tenant_settings=tenant_settings)


def numbers(answer: Answer) -> tuple[int, int]:
    return int(answer.headers["x-ratelimit-limit"]), int(answer.headers["x-ratelimit-remaining"])


def statuses(answers: list[Answer]) -> list[int]:
    return [answer.status for answer in answers]


@pytest.mark.requirement("limits:headers")
def test_answers_of_every_status_say_how_much_is_left(limited_url: str, tenant: Any) -> None:
    api = Api(limited_url, make_token(tenant))

    answers = [
        api.get(ME),
        api.get("/v1/jobs/00000000-0000-0000-0000-000000000000"),
        api.get("/v1/no/such/path"),
        api.post("/v1/jobs", {"type": "nothing"}),
        api.request("PUT", ME),
        api.get("/v1/admin/jobs"),
    ]

    assert statuses(answers) == [200, 404, 404, 400, 405, 403]
    assert [numbers(answer) for answer in answers] == [(USER, USER - 1 - n) for n in range(6)]
    assert {answer.headers["x-ratelimit-window"] for answer in answers} == {"60"}
    assert all(0 < int(answer.headers["x-ratelimit-reset"]) <= 65 for answer in answers)
    assert not any("x-ratelimit-policy" in answer.headers for answer in answers)


@pytest.mark.requirement("limits:refusal")
def test_a_refusal_says_which_limit_and_when_to_come_back(limited_url: str, tenant: Any) -> None:
    api = Api(limited_url, make_token(tenant))

    answers = [api.get(ME) for _ in range(USER + 1)]

    refused = answers[-1]
    assert statuses(answers) == [200] * USER + [429]
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["x-ratelimit-scope"] == "user"
    assert numbers(refused) == (USER, 0)
    wait_s = int(refused.headers["retry-after"])
    assert 0 < wait_s <= 65
    assert refused.json["code"] == "rate_limited"
    said = {name: refused.json["extensions"][name] for name in ("limit", "window", "scope", "retry_after")}
    assert said == {"limit": USER, "window": 60, "scope": "user", "retry_after": wait_s}


@pytest.mark.requirement("limits:refusal")
def test_one_callers_refusal_is_nobody_elses(limited_url: str, tenant: Any) -> None:
    busy, calm = Api(limited_url, make_token(tenant, role="viewer")), Api(limited_url, make_token(tenant))

    for _ in range(VIEWER + 1):
        last = busy.get(ME)

    assert last.status == 429
    assert numbers(calm.get(ME)) == (USER, USER - 1)


@pytest.mark.requirement("limits:roles")
@pytest.mark.parametrize(
    ("roles", "limit"),
    [(["viewer"], VIEWER), (["user"], USER), (["viewer", "admin"], ADMIN), (["guest"], 10), (["operator"], 90)],
)
def test_the_highest_of_a_callers_roles_decides(limited_url: str, tenant: Any, roles: list[str], limit: int) -> None:
    token = sign_access_token(
        sub=uuid4().hex, tenant_id=tenant.id, roles=roles, scopes=["read"], client_id="tests", ttl_s=60
    )

    assert numbers(Api(limited_url, token).get(ME))[0] == limit


@pytest.mark.requirement("limits:overrides")
def test_a_tenants_own_limits_go_before_the_platforms(limited_url: str) -> None:
    tenant = own_tenant(rate_limits={"user_per_minute": 7, "users": {"ada": 9}})

    assert numbers(Api(limited_url, make_token(tenant, sub="ada")).get(ME))[0] == 9
    assert numbers(Api(limited_url, make_token(tenant, sub="bob", role="admin")).get(ME))[0] == 7


@pytest.mark.requirement("limits:tightest")
def test_callers_of_a_tenant_share_the_tenants_limit(limited_url: str) -> None:
    tenant = own_tenant(rate_limits={"tenant_per_minute": 4})
    callers = [Api(limited_url, make_token(tenant)) for _ in range(5)]

    answers = [caller.get(ME) for caller in callers]

    assert statuses(answers) == [200] * 4 + [429]
    assert [numbers(answer) for answer in answers] == [(4, 3), (4, 2), (4, 1), (4, 0), (4, 0)]
    assert answers[-1].headers["x-ratelimit-scope"] == "tenant"


@pytest.mark.requirement("limits:day-quota")
def test_a_day_has_as_many_requests_as_its_quota(limited_url: str, redis_client: redis.Redis) -> None:
    tenant = own_tenant(quotas={"requests_per_day": 5})
    api = Api(limited_url, make_token(tenant))

    answers = [api.get(ME) for _ in range(6)]

    assert statuses(answers) == [200] * 5 + [429]
    assert answers[0].headers["x-ratelimit-window"] == "86400"
    assert answers[-1].headers["x-ratelimit-scope"] == "tenant-day"
    assert 23 * 3600 <= int(answers[-1].headers["retry-after"]) <= 25 * 3600
    assert redis_client.ttl(f"ratelimit:tenant:{tenant.id}:day") > 86_000


@pytest.mark.requirement("limits:owners")
def test_a_namesake_in_another_tenant_has_a_count_of_its_own(limited_url: str, redis_client: redis.Redis) -> None:
    here, there = make_tenant(), make_tenant()
    sub = uuid4().hex

    rests = [numbers(Api(limited_url, make_token(tenant, sub=sub)).get(ME))[1] for tenant in (here, here, there)]

    assert rests == [USER - 1, USER - 2, USER - 1]
    assert redis_client.exists(f"ratelimit:user:{sub}") == 1


@pytest.mark.requirement("limits:owners")
@pytest.mark.parametrize("sub", ["", "a:b", "a b", "ä", "x" * 129, "sha256:" + "0" * 32, "a{b}", "a\r\nFLUSHALL", "*"])
def test_an_odd_sub_stands_as_a_digest_that_no_plain_one_can_equal(sub: str) -> None:
    part = sub_part(sub)

    assert part.startswith("sha256:") and len(part) == 39
    assert part != sub
    assert sub_part("auth0|5f7c8ec7c33c6c004bbafe82") == "auth0|5f7c8ec7c33c6c004bbafe82"


@pytest.mark.requirement("limits:routes")
@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/v1/jobs", "/v1/jobs"),
        ("/v1/jobs/a", "/v1/jobs/<str:job_id>"),
        ("/v1/jobs/" + "a" * 5000, "/v1/jobs/<str:job_id>"),
        ("/v1/jobs/", None),
        ("/v1/JOBS", None),
        ("//v1/jobs", None),
        ("/v1/jobs\n", None),
        ("/v1/no", None),
    ],
)
def test_a_path_is_counted_under_its_routes_template(path: str, template: str | None) -> None:
    assert route_of(path) == template


@pytest.mark.requirement("limits:probes")
def test_probes_are_never_refused(limited_url: str) -> None:
    nobody = Api(limited_url)

    answers = [nobody.get("/v1/health/live") for _ in range(ADDRESS * 3)]

    assert set(statuses(answers)) == {200}


@pytest.mark.requirement("limits:addresses")
def test_refused_tokens_are_counted_by_address_whatever_they_say(proxied_url: str) -> None:
    def attempt(number: int) -> Answer:
        return Api(proxied_url, f"bad{number}").get(f"/v1/whatever/{number}", X_Forwarded_For="198.51.100.66")

    answers = [attempt(number) for number in range(ADDRESS + 10)]

    assert statuses(answers) == [401] * ADDRESS + [429] * 10
    assert numbers(answers[0]) == (ADDRESS, ADDRESS - 1)
    assert {answer.headers["x-ratelimit-scope"] for answer in answers[ADDRESS:]} == {"address"}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers[ADDRESS:])


@pytest.mark.requirement("limits:addresses")
def test_pages_for_everybody_are_counted_by_address(limited_url: str) -> None:
    answers = [Api(limited_url).get("/v1/openapi.json") for _ in range(3)]

    assert [numbers(answer) for answer in answers] == [(ADDRESS, ADDRESS - 1 - n) for n in range(3)]


@pytest.mark.requirement("limits:addresses")
def test_who_shares_an_address_with_an_attacker_goes_on_with_a_token_that_was_good(proxied_url: str) -> None:
    office = "198.51.100.77"
    known, late = Api(proxied_url, make_token(make_tenant())), Api(proxied_url, make_token(make_tenant()))

    before = known.get(ME, X_Forwarded_For=office)
    flood = [Api(proxied_url, "bad").get(ME, X_Forwarded_For=office) for _ in range(ADDRESS + 1)]
    after = [caller.get(ME, X_Forwarded_For=office) for caller in (known, late)]

    assert (before.status, flood[-1].status) == (200, 429)
    assert statuses(after) == [200, 429]
    assert late.get(ME, X_Forwarded_For="198.51.100.78").status == 200


@pytest.mark.requirement("limits:proxies")
def test_behind_a_trusted_proxy_each_client_has_a_count_of_its_own(proxied_url: str) -> None:
    def rest(forwarded_for: str) -> int:
        return numbers(Api(proxied_url).get("/v1/openapi.json", X_Forwarded_For=forwarded_for))[1]

    rests = [rest("198.51.100.1"), rest("203.0.113.9, 198.51.100.1"), rest("198.51.100.2"), rest("2001:db8::1"),
             rest("2001:db8::ffff:2")]  # fmt: skip

    assert rests == [ADDRESS - 1, ADDRESS - 2, ADDRESS - 1, ADDRESS - 1, ADDRESS - 2]


@pytest.mark.requirement("limits:refusal")
def test_refusals_are_counted_in_the_metrics(limited_url: str) -> None:
    tenant = own_tenant(rate_limits={"user_per_minute": 1})
    api = Api(limited_url, make_token(tenant))

    for _ in range(3):
        api.get(ME)

    page = Api(limited_url).get("/metrics").body.decode()
    assert 'rate_limit_checks_total{allowed="false",backend="redis"}' in page
    assert 'rate_limit_exceeded_total{scope="user"}' in page
