"""The lock, the ports and the file that scripts read."""

import socket
import subprocess
from pathlib import Path

import pytest

from devkit import environment
from devkit.datadir import DataDir, DevkitError, free_port, is_free
from devkit.environment import choose_api_port, read_env_file, write_env_file


@pytest.fixture
def home(tmp_path: Path):
    home = DataDir(tmp_path / "dev data")
    home.open()
    yield home
    home.close()


def test_a_second_run_on_the_same_directory_is_refused(home: DataDir) -> None:
    second = DataDir(home.path)

    with pytest.raises(DevkitError, match="is in use by process"):
        second.open()


def test_a_port_is_kept_while_it_is_free(home: DataDir) -> None:
    first = home.port("redis")
    with socket.socket() as other:
        other.bind(("127.0.0.1", first))
        other.listen()
        second = home.port("redis")

    assert home.port("redis") == second != first


def test_ports_lie_below_the_ephemeral_range() -> None:
    lowest_ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])

    assert all(free_port() < lowest_ephemeral for _ in range(20))


def test_an_api_port_that_was_asked_for_and_is_taken_is_an_error(monkeypatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setenv("AGENTIC_PORT", str(other.getsockname()[1]))

        with pytest.raises(DevkitError, match="is taken"):
            choose_api_port()


def test_the_default_api_port_gives_way_to_a_free_one(monkeypatch) -> None:
    monkeypatch.delenv("AGENTIC_PORT", raising=False)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setattr(environment, "DEFAULT_API_PORT", other.getsockname()[1])
        port = choose_api_port()

    assert port != environment.DEFAULT_API_PORT
    assert is_free(port)


def test_a_shell_and_we_read_the_same_from_the_env_file(home: DataDir) -> None:
    variables = {"AGENTIC_ISSUER_KEYS_DIR": "/a path/keys", "REDIS_URL": "redis://:p-_w@127.0.0.1:1/0"}
    write_env_file(home, variables)

    script = 'set -a; . "$0"; printf "%s\\n" "$AGENTIC_ISSUER_KEYS_DIR" "$REDIS_URL"'
    by_shell = subprocess.run(["sh", "-c", script, f"{home.path}/env"], capture_output=True, text=True, check=True)

    assert by_shell.stdout.splitlines() == list(variables.values())
    assert read_env_file(home.path) == variables
    assert (home.path / "env").stat().st_mode & 0o777 == 0o600
