"""Guessing passwords and client secrets: ten wrong ones for an account, thirty from an address, in 15 minutes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connections
from django.test import Client

from apps.identity import services, throttle
from apps.identity.models import SignInAttempt, User
from kernel.clock import now
from kernel.errors import RateLimitedError
from tests.integration.identity.cli import PASSWORD, Cli

LOGIN, TOKEN = "/oidc/login", "/oidc/token"


@pytest.fixture
def address() -> str:
    """Nobody else's."""
    digits = uuid4().int
    return f"10.{digits % 250}.{digits // 250 % 250}.{digits // 62500 % 250}"


@pytest.fixture
def guess(address: str) -> Callable[..., Any]:
    """Try a password at the login page."""

    def try_it(user: User | str, password: str = "wrong", at: str = address) -> Any:
        name = user if isinstance(user, str) else user.username
        browser = Client(raise_request_exception=False, SERVER_NAME="127.0.0.1", REMOTE_ADDR=at)
        return browser.post(LOGIN, {"username": name, "password": password})

    return try_it


@pytest.mark.requirement("roles:sign-in-limit")
def test_after_ten_wrong_passwords_an_account_is_closed_for_a_while(
    make_user: Callable[..., User], guess: Callable[..., Any]
) -> None:
    user, other = make_user("user"), make_user("user")
    wrong = [guess(user, at=f"10.1.1.{number}").status_code for number in range(10)]

    right_one = guess(user, PASSWORD)

    assert wrong == [200] * 10
    assert right_one.status_code == 429
    assert 0 < int(right_one["Retry-After"]) <= 900
    assert b"Too many failed sign-ins" in right_one.content
    assert "cineca_session" not in right_one.cookies
    assert guess(other, PASSWORD).status_code == 302


@pytest.mark.requirement("roles:sign-in-limit")
def test_an_account_that_does_not_exist_is_closed_like_any_other(guess: Callable[..., Any]) -> None:
    name = f"nobody-{uuid4().hex}"

    answers = [guess(name).status_code for _ in range(11)]

    assert answers == [200] * 10 + [429]


@pytest.mark.requirement("roles:sign-in-limit")
def test_after_thirty_wrong_passwords_an_address_is_closed(
    make_user: Callable[..., User], guess: Callable[..., Any], settings: Any
) -> None:
    settings.SIGN_IN_FAILURES_PER_ADDRESS = 30
    user = make_user("user")

    answers = [guess(f"nobody-{number}-{uuid4().hex}").status_code for number in range(31)]

    assert answers == [200] * 30 + [429]
    assert guess(user, PASSWORD).status_code == 429
    assert guess(user, PASSWORD, at="10.2.2.2").status_code == 302


@pytest.mark.requirement("roles:sign-in-limit")
def test_a_right_password_resets_the_accounts_count_and_not_the_addresss(
    make_user: Callable[..., User], guess: Callable[..., Any], address: str
) -> None:
    user, victim = make_user("user"), make_user("user")
    for _ in range(9):
        guess(user)
    guess(victim)

    assert guess(user, PASSWORD).status_code == 302

    assert [guess(user).status_code for _ in range(10)] == [200] * 10
    assert SignInAttempt.objects.filter(address=address).count() == 11  # the victim's, and the ten since


@pytest.mark.requirement("roles:sign-in-limit")
def test_the_count_forgets_what_is_older_than_fifteen_minutes(
    make_user: Callable[..., User], guess: Callable[..., Any], address: str
) -> None:
    user = make_user("user")
    for _ in range(10):
        guess(user)
    assert guess(user, PASSWORD).status_code == 429

    SignInAttempt.objects.filter(address=address).update(attempted_at=now() - timedelta(minutes=16))

    assert guess(user, PASSWORD).status_code == 302
    services.purge_expired_tokens()
    assert not SignInAttempt.objects.filter(address=address).exists()


@pytest.mark.requirement("roles:sign-in-limit")
def test_guesses_made_at_once_all_count(address: str) -> None:
    def attempt(_: int) -> bool:
        try:
            throttle.begin_attempt(account="ada", address=address)
        except RateLimitedError:
            return False
        finally:
            connections.close_all()
        return True

    SignInAttempt.objects.filter(account=throttle._checksum("ada")).delete()
    with ThreadPoolExecutor(8) as pool:
        began = list(pool.map(attempt, range(40)))

    assert sum(began) == 10


@pytest.mark.requirement("roles:sign-in-limit")
def test_spellings_the_accounts_table_takes_for_one_name_are_one_account(address: str) -> None:
    name = f"ada-{uuid4().hex}"
    full_width = "".join(chr(ord(letter) + 0xFEE0) for letter in name)

    assert throttle._checksum(name) == throttle._checksum(full_width) != throttle._checksum(name.upper())


@pytest.mark.requirement("roles:sign-in-limit")
def test_wrong_client_secrets_are_counted_by_address(
    address: str, confidential: dict[str, str], cli: Cli, settings: Any
) -> None:
    settings.SIGN_IN_FAILURES_PER_ADDRESS = 30
    client = Client(SERVER_NAME="127.0.0.1", REMOTE_ADDR=address)
    wrong = {"Authorization": "Basic bm9ib2R5Ondyb25n"}
    form = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": cli.client_id}

    answers = [client.post("/oidc/introspect", {"token": "x"}, headers=wrong).status_code for _ in range(15)]
    answers += [client.post(TOKEN, form).status_code for _ in range(15)]
    closed = client.post(TOKEN, form)

    assert set(answers) <= {400, 401, 403}
    assert closed.status_code == 429 and int(closed["Retry-After"]) > 0
    assert closed.json()["error"] == "temporarily_unavailable"
    assert client.post("/oidc/introspect", {"token": "x"}, headers=confidential).status_code == 429


@pytest.mark.requirement("roles:sign-in-limit")
def test_what_guesses_nothing_is_not_counted(address: str, confidential: dict[str, str]) -> None:
    client = Client(SERVER_NAME="127.0.0.1", REMOTE_ADDR=address)

    client.post("/oidc/introspect", {"token": "x"}, headers=confidential)
    client.post(TOKEN, {"grant_type": "password"})

    assert not SignInAttempt.objects.filter(address=address).exists()


@pytest.mark.requirement("roles:sign-in-limit")
def test_an_outage_opens_nothing(
    make_user: Callable[..., User], guess: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    user = make_user("user")

    def broken(**_: Any) -> None:
        raise OperationalError("away")

    monkeypatch.setattr("apps.identity.oidc_views.begin_attempt", broken)
    response = guess(user, PASSWORD)

    assert response.status_code == 503
    assert "cineca_session" not in response.cookies
