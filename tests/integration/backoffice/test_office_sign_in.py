"""Who gets into the administration pages, how, and how one gets out again."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from oauth2_provider.models import get_access_token_model, get_refresh_token_model

from apps.audit.models import AuditLog
from apps.identity.models import User
from apps.identity.services import set_user_active
from apps.tenancy.models import Tenant
from apps.tenancy.services import set_tenant_status
from tests.clients import Api, wait_for
from tests.integration.backoffice.browser import Browser
from tests.integration.backoffice.conftest import MakeUser, SignIn

COOKIE = "cineca_admin_session"


@pytest.mark.requirement("admin:sign-in")
def test_an_administrator_comes_in_through_the_issuer_and_sees_the_page_it_asked_for(
    office_url: str, make_user: MakeUser, audited: Callable[..., AuditLog]
) -> None:
    admin = make_user("admin")
    browser = Browser(office_url)

    page = browser.sign_in(admin, to="/admin/jobs/job/")

    assert page.status_code == 200
    assert page.url == f"{office_url}/admin/jobs/job/"
    assert admin.username in page.text
    assert audited("admin.signed_in", admin.pk).actor == str(admin.pk)


@pytest.mark.requirement("admin:sign-in")
def test_the_way_to_the_issuer_carries_state_nonce_and_a_challenge(office_url: str) -> None:
    browser = Browser(office_url)

    away = browser.get("/admin/login/?next=/admin/jobs/job/", allow_redirects=False)

    query = parse_qs(urlsplit(away.headers["Location"]).query)
    assert away.headers["Location"].startswith(f"{office_url}/oidc/authorize?")
    assert query["code_challenge_method"] == ["S256"]
    assert all(len(query[name][0]) >= 32 for name in ("state", "nonce", "code_challenge"))


@pytest.mark.requirement("admin:sign-in")
def test_there_is_no_password_form_and_no_password_page(office_url: str, tenant_admin: Browser) -> None:
    stranger = Browser(office_url)

    posted = stranger.post("/admin/login/", {"username": "admin@demo.example", "password": "x"}, allow_redirects=False)

    assert posted.status_code in (403, 405)
    assert tenant_admin.get("/admin/password_change/").status_code == 404
    assert tenant_admin.get("/admin/auth/").status_code == 404


@pytest.mark.requirement("admin:sign-in")
@pytest.mark.parametrize("query", ["code=abc&state=not-ours", "code=abc", "error=access_denied", ""])
def test_a_callback_that_nobody_asked_for_signs_nobody_in(office_url: str, query: str) -> None:
    browser = Browser(office_url)
    browser.get("/admin/login/", allow_redirects=False)

    answer = browser.get(f"/admin/oidc/callback?{query}")

    assert answer.status_code == 403
    assert "could not be signed in" in answer.text
    assert "/oidc/login" in browser.get("/admin/").url


@pytest.mark.requirement("admin:sign-in")
def test_a_next_address_elsewhere_is_not_followed(office_url: str, make_user: MakeUser) -> None:
    browser = Browser(office_url)

    page = browser.sign_in(make_user("admin"), to="/admin/login/?next=https://evil.example/")

    assert page.url == f"{office_url}/admin/"


@pytest.mark.requirement("admin:refusals")
@pytest.mark.parametrize("role", ["user", "viewer", "researcher", "guest"])
def test_other_roles_get_a_page_that_says_so(office_url: str, make_user: MakeUser, role: str) -> None:
    browser = Browser(office_url)

    page = browser.sign_in(make_user(role))

    assert page.status_code == 403
    assert "not open to you" in page.text
    assert browser.get("/admin/jobs/job/").status_code == 403
    assert browser.get("/admin/jobs/job/live?ids=").status_code == 403


@pytest.mark.requirement("admin:refusals")
def test_nobody_in_particular_is_sent_to_sign_in(office_url: str) -> None:
    for path in ("/admin", "/admin/", "/admin/jobs/job/", "/admin/settings/", "/admin/signed-in/"):
        assert "/oidc/login" in Browser(office_url).get(path).url, path


@pytest.mark.requirement("admin:rights")
@pytest.mark.parametrize(
    ("role", "opened", "closed"),
    [
        ("operator", ["jobs/job/", "backoffice/deadletter/"], ["audit/auditlog/", "tenancy/tenant/", "identity/user/"]),
        ("auditor", ["audit/auditlog/"], ["jobs/job/", "backoffice/deadletter/", "tenancy/tenant/", "limits/"]),
        (
            "admin",
            ["jobs/job/", "audit/auditlog/", "tenancy/tenant/", "identity/user/", "signed-in/", "limits/",
             "agents/session/", "backoffice/deadletter/"],
            ["settings/"],
        ),
    ],
)  # fmt: skip
def test_each_role_opens_its_own_pages_and_no_others(
    make_user: MakeUser, sign_in: SignIn, role: str, opened: list[str], closed: list[str]
) -> None:
    browser = sign_in(make_user(role))

    answers = {path: browser.get(f"/admin/{path}").status_code for path in [*opened, *closed, ""]}

    assert answers == {**dict.fromkeys([*opened, ""], 200), **dict.fromkeys(closed, 403)}


@pytest.mark.requirement("admin:rights")
def test_the_settings_in_force_are_for_platform_administrators_and_show_no_secret(
    platform_admin: Browser, settings: Any
) -> None:
    page = platform_admin.get("/admin/settings/")

    assert page.status_code == 200
    assert "AGENTIC_LEASE_S" in page.text
    assert settings.SECRET_KEY not in page.text
    assert settings.DATABASES["default"]["PASSWORD"] not in page.text


@pytest.mark.requirement("admin:standing")
def test_a_disabled_account_is_out_at_its_next_request(make_user: MakeUser, sign_in: SignIn) -> None:
    admin = make_user("admin")
    browser = sign_in(admin)

    set_user_active(admin.pk, is_active=False)

    assert "/oidc/login" in browser.get("/admin/").url
    set_user_active(admin.pk, is_active=True)
    assert browser.get("/admin/jobs/job/", allow_redirects=False).status_code == 302, "the session is gone"


@pytest.mark.requirement("admin:standing")
def test_a_role_that_was_taken_is_missed_at_the_next_request(make_user: MakeUser, sign_in: SignIn) -> None:
    admin = make_user("admin")
    browser = sign_in(admin)

    User.objects.filter(pk=admin.pk).update(roles=["viewer"])

    assert browser.get("/admin/").status_code == 403


@pytest.mark.requirement("admin:standing")
def test_people_of_a_suspended_tenant_are_out_within_a_second_or_so(tenant: Tenant, tenant_admin: Browser) -> None:
    set_tenant_status(tenant.id, Tenant.Status.SUSPENDED)

    wait_for(
        lambda: tenant_admin.get("/admin/", allow_redirects=False).status_code == 302,
        what="the session's end",
    )


@pytest.mark.requirement("admin:sign-out")
def test_signing_out_ends_the_session_here_and_at_the_issuer(
    office_url: str, make_user: MakeUser, sign_in: SignIn, audited: Callable[..., AuditLog]
) -> None:
    admin = make_user("admin")
    browser = sign_in(admin)
    stolen = browser.cookies()[COOKIE].value

    page = browser.submit("/admin/", {}, to="/admin/logout/")

    assert page.status_code == 200 and "signed out" in page.text
    assert "/oidc/login" in browser.get("/admin/").url, "the issuer asks for the password again"
    thief = Browser(office_url)
    thief.session.cookies.set(COOKIE, stolen, path="/admin")
    assert "/oidc/login" in thief.get("/admin/").url
    assert audited("admin.signed_out", admin.pk)


@pytest.mark.requirement("admin:sign-out")
def test_a_sign_out_by_another_site_is_refused(tenant_admin: Browser) -> None:
    forged = tenant_admin.post("/admin/logout/", {}, headers={"Origin": "https://evil.example"})

    assert forged.status_code == 403
    assert tenant_admin.get("/admin/").status_code == 200


@pytest.mark.requirement("admin:cookies")
def test_the_cookie_is_the_admins_own_and_closed_to_scripts(tenant_admin: Browser) -> None:
    cookies = tenant_admin.cookies()

    mine = cookies[COOKIE]
    assert mine.path == "/admin"
    assert mine.has_nonstandard_attr("HttpOnly") and mine.get_nonstandard_attr("SameSite") == "Lax"
    assert [name for name, cookie in cookies.items() if cookie.path == "/"] == []


@pytest.mark.requirement("admin:cookies")
def test_the_api_takes_no_cookie_and_gives_none(office_url: str, tenant_admin: Browser) -> None:
    value = tenant_admin.cookies()[COOKIE].value

    answer = Api(office_url).get("/v1/auth/me", Cookie=f"{COOKIE}={value}; cineca_session={value}")

    assert answer.status == 401
    assert "set-cookie" not in answer.headers


@pytest.mark.requirement("admin:cookies")
def test_the_issuers_session_opens_no_administration_page(office_url: str, tenant_admin: Browser) -> None:
    issuers = tenant_admin.cookies()["cineca_session"].value
    browser = Browser(office_url)
    browser.session.cookies.set(COOKIE, issuers, path="/admin")

    answer = browser.get("/admin/", allow_redirects=False)

    assert answer.status_code == 302


@pytest.mark.requirement("admin:headers")
def test_pages_allow_no_foreign_content_and_no_frame(tenant_admin: Browser, office_url: str) -> None:
    for page in (tenant_admin.get("/admin/"), Browser(office_url).get("/admin/signed-out")):
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "img-src 'self' data:" in policy and "'unsafe-inline'" not in policy.split("style-src")[0]
        assert page.headers["X-Frame-Options"] == "DENY"
        assert "no-store" in page.headers["Cache-Control"]


@pytest.mark.requirement("admin:headers")
def test_the_pages_scripts_and_styles_are_served_from_here(tenant_admin: Browser) -> None:
    page = tenant_admin.get("/admin/").text
    addresses = [part.split('"')[0] for part in page.split('="/static/')[1:]]

    assert len(addresses) > 5
    for address in addresses:
        assert tenant_admin.get(f"/static/{address}").status_code == 200, address
    assert 'src="http' not in page and "src='http" not in page


@pytest.mark.requirement("admin:sign-in")
def test_a_sign_in_leaves_no_token_behind(make_user: MakeUser, sign_in: SignIn) -> None:
    admin = make_user("admin")

    sign_in(admin)

    assert not get_access_token_model().objects.filter(user=admin).exists()
    assert not get_refresh_token_model().objects.filter(user=admin).exists()
