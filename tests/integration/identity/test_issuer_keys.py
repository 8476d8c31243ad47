"""The key directory: made when missing, private, rotated while everybody goes on working."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import jwt
import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from apps.identity.jwks import LocalJwks
from apps.identity.keyring import Keyring, KeyringError
from tests.integration.identity.conftest import bearer

ME = "/v1/auth/me"


@pytest.mark.requirement("identity:keys-private")
def test_the_first_key_is_made_where_only_the_owner_may_look(keys_directory: Path) -> None:
    key = Keyring(keys_directory).signing_key()

    assert stat.S_IMODE(keys_directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(key.path.stat().st_mode) == 0o600
    assert key.private_key.key_size >= 2048


@pytest.mark.requirement("identity:keys-private")
def test_processes_that_start_at_once_make_one_key(keys_directory: Path) -> None:
    program = (
        "import sys, pathlib; sys.path[:0] = ['.', 'platform'];"
        "from apps.identity.keyring import Keyring;"
        "print(Keyring(pathlib.Path(sys.argv[1])).signing_key().kid)"
    )
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-c", program, str(keys_directory)]

    starting = [subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    kids = {process.communicate(timeout=240)[0] for process in starting}

    assert len(kids) == 1 and kids != {""}
    assert len(list(keys_directory.glob("*.pem"))) == 1


@pytest.mark.requirement("identity:key-rotation")
def test_the_newest_key_signs_and_all_are_published(keys_directory: Path) -> None:
    keyring = Keyring(keys_directory)
    first = keyring.signing_key()

    second = keyring.rotate()

    assert keyring.signing_key().kid == second.kid != first.kid
    assert [key["kid"] for key in keyring.public_jwks()["keys"]] == [second.kid, first.kid]


@pytest.mark.requirement("identity:key-rotation")
def test_another_process_notices_a_rotation(keys_directory: Path) -> None:
    ours, theirs = Keyring(keys_directory), Keyring(keys_directory)
    verifying = LocalJwks(theirs)
    first = ours.signing_key()
    assert verifying.get(first.kid)

    second = ours.rotate()

    assert verifying.get(second.kid)
    assert verifying.get(first.kid)
    assert theirs.signing_key().kid == second.kid


@pytest.mark.requirement("identity:key-rotation")
def test_a_rotation_the_directory_time_does_not_show_is_found_by_its_unknown_kid(keys_directory: Path) -> None:
    ours, theirs = Keyring(keys_directory), Keyring(keys_directory)
    verifying = LocalJwks(theirs)
    verifying.get(ours.signing_key().kid)
    before = keys_directory.stat()

    second = ours.rotate()
    os.utime(keys_directory, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert verifying.get(second.kid)


@pytest.mark.requirement("identity:key-rotation")
def test_pruning_deletes_old_keys_but_never_the_one_that_signs(keys_directory: Path) -> None:
    keyring = Keyring(keys_directory)
    old, young = keyring.signing_key(), keyring.rotate()
    long_ago = old.path.stat().st_mtime - 8 * 86_400
    for key in (old, young):
        os.utime(key.path, (long_ago, long_ago))

    assert keyring.prune(timedelta(days=7)) == [old.kid]
    assert keyring.signing_key().kid == young.kid


@pytest.mark.requirement("identity:keys-private")
@pytest.mark.parametrize("content", [b"not a key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_that_is_no_key_stops_the_issuer_with_a_reason(keys_directory: Path, content: bytes) -> None:
    keys_directory.mkdir()
    (keys_directory / "bad.pem").write_bytes(content)

    with pytest.raises(KeyringError, match=r"bad\.pem"):
        Keyring(keys_directory).signing_key()


@pytest.mark.requirement("identity:key-rotation")
def test_rotating_by_command_refuses_nobody(
    client: Client, token_for: Callable[..., str], settings: Any, keys_directory: Path
) -> None:
    settings.ISSUER_KEYS_DIR = str(keys_directory)
    before = token_for()

    call_command("rotate_issuer_key", stdout=StringIO())
    after = token_for()

    assert jwt.get_unverified_header(before)["kid"] != jwt.get_unverified_header(after)["kid"]
    for token in (before, after):
        assert client.get(ME, headers=bearer(token)).status_code == 200
    published = {key["kid"] for key in client.get("/oidc/.well-known/jwks.json").json()["keys"]}
    assert {jwt.get_unverified_header(token)["kid"] for token in (before, after)} <= published


@pytest.mark.requirement("identity:token-command")
def test_the_token_command_prints_a_token_and_nothing_else(client: Client) -> None:
    call_command("seed_demo", stdout=StringIO())
    out = StringIO()

    call_command("token", "--role", "operator", "--tenant", "other", "--ttl", "60", stdout=out)

    token = out.getvalue().removesuffix("\n")
    me = client.get(ME, headers=bearer(token)).json()
    assert me["roles"] == ["operator"]
    assert me["username"] == "operator@other.example"


@pytest.mark.requirement("identity:token-command")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--role", "king"], "viewer"),
        (["--role", "user", "--tenant", "nowhere"], "demo"),
        (["--role", "user", "--ttl", "0"], "between"),
    ],
)
def test_the_token_command_says_what_there_is_when_asked_for_what_is_not(arguments: list[str], says: str) -> None:
    call_command("seed_demo", stdout=StringIO())

    with pytest.raises(CommandError, match=says):
        call_command("token", *arguments)


@pytest.mark.requirement("identity:demo-seed")
def test_seeding_twice_changes_nothing_and_the_printed_passwords_work(client: Client) -> None:
    out, seed = StringIO(), StringIO()
    call_command("seed_demo", stdout=seed)
    call_command("seed_demo", stdout=seed)

    call_command("demo_credentials", stdout=out)

    accounts = dict(line.split() for line in out.getvalue().splitlines())
    assert len(accounts) == 8
    username = "viewer@demo.example"
    assert client.login(username=username, password=accounts[username])


@pytest.mark.requirement("identity:demo-seed")
def test_demo_accounts_are_refused_in_production(settings: Any) -> None:
    settings.ENVIRONMENT = "prod"

    with pytest.raises(CommandError, match="production"):
        call_command("seed_demo")


@pytest.mark.requirement("identity:keys-private")
def test_no_private_number_is_ever_published(keys_directory: Path) -> None:
    keyring = Keyring(keys_directory)
    secret = keyring.signing_key().private_key.private_numbers()

    published = json.dumps(keyring.public_jwks())

    assert all(str(number) not in published for number in (secret.d, secret.p, secret.q))
