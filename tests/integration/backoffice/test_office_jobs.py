"""Jobs in the administration pages: whose one sees, what one may do, what is written down, and that text stays text."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from apps.audit.models import AuditLog
from apps.jobs import ledger
from apps.jobs.ledger import Outcome
from apps.jobs.models import Job
from apps.tenancy.models import Tenant
from kernel import engine_db
from kernel.tenant_context import tenant_scope
from tests.by_hand import HandJob, make_row
from tests.factories import make_principal
from tests.integration.backoffice.browser import Browser
from tests.integration.backoffice.conftest import MakeUser, SignIn

NASTY = "<script>alert(1)</script><img src=x onerror=alert(2)>![x](http://evil.example/?d=1)[y](javascript:alert(3))"


def job_of(tenant: Tenant, job_id: UUID) -> Job:
    with tenant_scope(tenant.id):
        return Job.objects.get(id=job_id)


def dead_letter(tenant: Tenant) -> UUID:
    job = HandJob(make_principal(tenant), type_name="test", payload_json={"duration_ms": 7})
    return job.claim().finish("failed", dead=True).id


@pytest.mark.requirement("admin:jobs")
def test_the_list_shows_the_tenants_jobs_and_filters_them(tenant: Tenant, tenant_admin: Browser) -> None:
    queued = make_row(make_principal(tenant, sub="ada"), type_name="demo")
    running = HandJob(make_principal(tenant, sub="bob"), type_name="test").claim().id

    def shown(query: str) -> set[UUID]:
        page = tenant_admin.get(f"/admin/jobs/job/{query}")
        assert page.status_code == 200, page.text[:300]
        return {job_id for job_id in (queued, running) if str(job_id) in page.text}

    assert shown("") == {queued, running}
    assert shown("?status=running") == {running}
    assert shown("?type=demo") == {queued}
    assert shown("?owner=bob") == {running}
    assert shown(f"?q={queued}") == {queued}
    assert shown("?q=bob") == {running}


@pytest.mark.requirement("admin:jobs")
def test_the_list_names_people_and_finds_them_by_name(
    tenant: Tenant, tenant_admin: Browser, make_user: MakeUser
) -> None:
    ada, bob = make_user("user"), make_user("user")
    jobs = {user: make_row(make_principal(tenant, sub=str(user.id)), type_name="demo") for user in (ada, bob)}

    everything = tenant_admin.get("/admin/jobs/job/").text
    found = [tenant_admin.get("/admin/jobs/job/", params={by: ada.username}).text for by in ("q", "owner")]

    assert ada.username in everything and bob.username in everything
    assert all(str(jobs[ada]) in page and str(jobs[bob]) not in page for page in found)


@pytest.mark.requirement("admin:jobs")
def test_what_is_not_there_is_said_on_a_page(tenant_admin: Browser) -> None:
    empty = tenant_admin.get("/admin/jobs/job/")
    unmatched = tenant_admin.get("/admin/jobs/job/?q=nobody")
    nowhere = tenant_admin.get("/admin/nowhere/")

    assert "There are none" in empty.text and "Reset filters" not in empty.text
    assert "Nothing matches" in unmatched.text and "Reset filters" in unmatched.text
    assert (nowhere.status_code, nowhere.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is nothing here" in nowhere.text


@pytest.mark.requirement("admin:jobs")
def test_a_job_shows_its_documents_and_its_events(tenant: Tenant, tenant_admin: Browser) -> None:
    job = HandJob(make_principal(tenant), payload_json={"answer": 42}).claim().report("half way")

    page = tenant_admin.get(f"/admin/jobs/job/{job.id}/change/")

    assert page.status_code == 200
    assert "&quot;answer&quot;: 42" in page.text and "half way" in page.text
    assert f'hx-get="/admin/jobs/job/{job.id}/live"' in page.text


@pytest.mark.requirement("admin:live")
def test_statuses_are_kept_up_to_date_until_the_end(tenant: Tenant, tenant_admin: Browser) -> None:
    job = HandJob(make_principal(tenant)).claim()
    foreign = uuid4()
    ask = f"/admin/jobs/job/live?ids={job.id},{foreign},rubbish"

    before, part = tenant_admin.get(ask).json(), tenant_admin.get(f"/admin/jobs/job/{job.id}/live")
    job.finish()
    after, last_part = tenant_admin.get(ask).json(), tenant_admin.get(f"/admin/jobs/job/{job.id}/live")

    assert (before, after) == ({str(job.id): "running"}, {str(job.id): "finished"})
    assert (part.status_code, last_part.status_code) == (200, 286)
    assert "finished" in last_part.text


@pytest.mark.requirement("admin:acts")
def test_selected_jobs_are_cancelled_and_it_is_written_down(
    tenant: Tenant, tenant_admin: Browser, audited: Callable[..., AuditLog]
) -> None:
    mine = make_row(make_principal(tenant, sub="ada")), make_row(make_principal(tenant))

    page = tenant_admin.submit(
        "/admin/jobs/job/", [("action", "cancel"), *(("_selected_action", str(job_id)) for job_id in mine)]
    )

    assert page.status_code == 200 and page.text.count("was cancelled.") == 2
    assert {job_of(tenant, job_id).status for job_id in mine} == {"cancelled"}
    row = audited("admin.job_cancel", mine[0])
    assert (row.tenant_id, row.outcome, row.details["owner"]) == (tenant.id, "success", "ada")


@pytest.mark.requirement("admin:acts")
def test_an_operator_retries_a_dead_letter_with_its_own_rights_only(
    tenant: Tenant, make_user: MakeUser, sign_in: SignIn
) -> None:
    operator = make_user("operator")
    browser = sign_in(operator)
    dead = dead_letter(tenant)
    assert str(dead) in browser.get("/admin/backoffice/deadletter/").text

    page = browser.submit(f"/admin/jobs/job/{dead}/change/", {"action": "retry"}, to=f"/admin/jobs/job/{dead}/act")

    assert page.status_code == 200 and "runs again as" in page.text
    with tenant_scope(tenant.id):
        again = Job.objects.get(retry_of=dead)
    assert (again.owner_sub, again.payload_json) == (str(operator.pk), {"duration_ms": 7})
    assert again.principal_json["roles"] == ["operator"]
    assert "admin:all" not in again.principal_json["scopes"]
    assert job_of(tenant, dead).dead_lettered_at is None
    assert str(dead) not in browser.get("/admin/backoffice/deadletter/").text


@pytest.mark.requirement("admin:acts")
def test_a_queued_job_is_put_in_front_and_an_ended_one_is_not(
    tenant: Tenant, tenant_admin: Browser, redis_client: Any, audited: Callable[..., AuditLog]
) -> None:
    queued, ended = make_row(make_principal(tenant)), HandJob(make_principal(tenant)).claim().finish().id

    tenant_admin.submit(f"/admin/jobs/job/{queued}/change/", {"action": "requeue"}, to=f"/admin/jobs/job/{queued}/act")
    refused = tenant_admin.submit(
        f"/admin/jobs/job/{queued}/change/", {"action": "requeue"}, to=f"/admin/jobs/job/{ended}/act"
    )

    assert str(queued).encode() in redis_client.lrange("jobs:queue:parked", 0, -1)
    assert "only a queued one" in refused.text
    assert audited("admin.job_requeue", ended).outcome == "failed"


@pytest.mark.requirement("admin:acts")
def test_an_act_needs_the_right_and_the_pages_own_form(
    tenant: Tenant, tenant_admin: Browser, make_user: MakeUser, sign_in: SignIn
) -> None:
    job_id = make_row(make_principal(tenant))
    auditor = sign_in(make_user("auditor"))

    forged = tenant_admin.post(f"/admin/jobs/job/{job_id}/act", {"action": "cancel"})
    listed = tenant_admin.post("/admin/jobs/job/", {"action": "cancel", "_selected_action": str(job_id)})
    unallowed = auditor.submit("/admin/", {"action": "cancel"}, to=f"/admin/jobs/job/{job_id}/act")
    unknown = tenant_admin.submit("/admin/", {"action": "delete_selected"}, to=f"/admin/jobs/job/{job_id}/act")

    assert [forged.status_code, listed.status_code, unallowed.status_code, unknown.status_code] == [403, 403, 403, 404]
    assert job_of(tenant, job_id).status == "queued"


@pytest.mark.requirement("admin:scope")
def test_an_administrator_of_one_tenant_neither_sees_nor_touches_anothers_job(
    tenant_admin: Browser, other_tenant: Tenant
) -> None:
    theirs = make_row(make_principal(other_tenant, sub="eve"))
    dead = dead_letter(other_tenant)
    missing = uuid4()

    for path in ("jobs/job/", f"jobs/job/?q={theirs}", "jobs/job/?owner=eve", "backoffice/deadletter/"):
        page = tenant_admin.get(f"/admin/{path}")
        assert page.status_code == 200
        # the search term is shown in the search box, and nowhere else
        assert f'data-job="{theirs}"' not in page.text and f"/{theirs}/change" not in page.text, path
        assert str(dead) not in page.text, path
    assert tenant_admin.get(f"/admin/jobs/job/live?ids={theirs}").json() == {}
    for path in ("change/", "live"):
        foreign = tenant_admin.get(f"/admin/jobs/job/{theirs}/{path}")
        random = tenant_admin.get(f"/admin/jobs/job/{missing}/{path}")
        assert (foreign.status_code, random.status_code) == (404, 404)
        assert _body(foreign.text) == _body(random.text)
    acted = tenant_admin.submit("/admin/", {"action": "cancel"}, to=f"/admin/jobs/job/{theirs}/act")
    listed = tenant_admin.submit("/admin/jobs/job/", {"action": "cancel", "_selected_action": str(theirs)})
    assert (acted.status_code, listed.status_code) == (404, 200)
    assert job_of(other_tenant, theirs).status == "queued"


def _body(page: str) -> str:
    """Without the correlation id."""
    return page.split("<small>")[0]


@pytest.mark.requirement("admin:scope")
@pytest.mark.parametrize(
    "query",
    [
        "tenant=demo", "tenant__slug=demo", "owner_sub__startswith=a", "principal_json__roles=x", "tenant_id=1",
        "_connector=OR", "pk__in=1", "status=unknown", "all=&tenant__slug__contains=a",
    ],
)  # fmt: skip
def test_query_strings_reach_no_column_but_by_the_filters(
    tenant_admin: Browser, other_tenant: Tenant, query: str
) -> None:
    theirs = make_row(make_principal(other_tenant))

    page = tenant_admin.get(f"/admin/jobs/job/?{query}", allow_redirects=False)

    assert page.status_code in (302, 400), page.status_code
    assert str(theirs) not in page.text


@pytest.mark.requirement("admin:scope")
def test_a_platform_administrator_sees_every_tenant_and_acts_in_the_jobs_own(
    platform_admin: Browser, tenant: Tenant, other_tenant: Tenant, audited: Callable[..., AuditLog]
) -> None:
    one, two = make_row(make_principal(tenant)), make_row(make_principal(other_tenant))

    page = platform_admin.get("/admin/jobs/job/").text
    filtered = platform_admin.get(f"/admin/jobs/job/?tenant={tenant.slug}").text
    platform_admin.submit(f"/admin/jobs/job/{two}/change/", {"action": "cancel"}, to=f"/admin/jobs/job/{two}/act")

    assert str(one) in page and str(two) in page
    assert str(one) in filtered and str(two) not in filtered
    assert job_of(other_tenant, two).status == "cancelled"
    row = audited("admin.job_cancel", two)
    assert row.tenant_id == other_tenant.id
    assert row.actor_tenant_id not in (None, other_tenant.id)


@pytest.mark.requirement("admin:text")
@pytest.mark.requirement("security:64")
def test_what_people_and_programs_wrote_is_shown_as_text(tenant: Tenant, tenant_admin: Browser) -> None:
    job = HandJob(make_principal(tenant, sub=NASTY[:200]), payload_json={"title": NASTY, NASTY: 1}).claim()
    job.report(NASTY)
    with engine_db.connect("tests") as connection:
        error = {"message": NASTY, "reason": NASTY}
        ledger.finish(connection, [Outcome(job.id, job.token, "failed", result={NASTY: NASTY}, error=error, dead=True)])

    pages = [
        tenant_admin.get(path)
        for path in (
            "/admin/jobs/job/",
            f"/admin/jobs/job/{job.id}/change/",
            f"/admin/jobs/job/{job.id}/live",
            "/admin/backoffice/deadletter/",
            "/admin/jobs/job/?" + "owner=%3Cscript%3Ealert(1)%3C/script%3E&q=%22%3E%3Cscript%3E",
        )
    ]

    for page in pages:
        assert "<script>alert" not in page.text and '"><script>' not in page.text
        assert "<img src=x" not in page.text
        assert 'href="javascript:' not in page.text and 'src="http' not in page.text
    assert all("&lt;img src=x onerror" in page.text for page in pages[1:3])


@pytest.mark.requirement("audit:cross-tenant")
def test_a_look_into_another_tenant_is_written_down_there(
    platform_admin: Browser, tenant: Tenant, audited: Callable[..., AuditLog]
) -> None:
    job_id = make_row(make_principal(tenant))

    assert platform_admin.get(f"/admin/jobs/job/{job_id}/change/").status_code == 200

    assert audited("admin.viewed", job_id).tenant_id == tenant.id


@pytest.mark.requirement("admin:acts")
@pytest.mark.parametrize(
    "path",
    ["/admin/identity/user/?enabled=true", "/admin/identity/user/?enabled=false", "/admin/jobs/job/?owner=%00",
     "/admin/jobs/job/?tenant=%00", "/admin/audit/auditlog/?actor=%00"],
)  # fmt: skip
def test_no_filter_breaks_a_list(platform_admin: Browser, path: str) -> None:
    assert platform_admin.get(path).status_code < 500
