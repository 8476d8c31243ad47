"""One life of the three servers: first start, stop, second start on the same data."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import neo4j
import psycopg
import pytest
import redis

from devkit.servers import EmbeddedServers


@dataclass
class Restarted:
    data_dir: Path
    first: dict[str, str]
    second: dict[str, str]
    command_lines: str


@pytest.fixture(scope="module")
def restarted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restarted]:
    """Servers in a directory with a space in its name, restarted after something was written to each."""
    data_dir = tmp_path_factory.mktemp("devkit") / "dev data"
    servers = EmbeddedServers(data_dir)
    first = servers.start()
    command_lines = "\n".join(_command_line(process.pid) for process in servers.processes.values())
    with psycopg.connect(first["AGENTIC_DATABASE_OWNER_URL"]) as connection:
        connection.execute("CREATE TABLE note AS SELECT 'kept' AS text")
    with redis.Redis.from_url(first["REDIS_URL"]) as client:
        client.set("note", "kept")
    with _graph(first, "AGENTIC_GRAPH") as driver:
        driver.execute_query("CREATE (:Note {text: 'kept'})")
    servers.stop()
    servers = EmbeddedServers(data_dir)
    try:
        yield Restarted(data_dir, first, servers.start(), command_lines)
    finally:
        servers.stop()


def test_addresses_and_passwords_stay_the_same(restarted: Restarted) -> None:
    assert restarted.second == restarted.first


def test_a_row_survives(restarted: Restarted) -> None:
    with psycopg.connect(restarted.second["AGENTIC_DATABASE_OWNER_URL"]) as connection:
        assert connection.execute("SELECT text FROM note").fetchall() == [("kept",)]


def test_a_redis_key_survives(restarted: Restarted) -> None:
    with redis.Redis.from_url(restarted.second["REDIS_URL"]) as client:
        assert client.get("note") == b"kept"


def test_a_graph_node_survives_and_the_reader_sees_it(restarted: Restarted) -> None:
    with _graph(restarted.second, "AGENTIC_GRAPH_READER") as driver:
        records = driver.execute_query("MATCH (n:Note) RETURN n.text AS text").records

    assert [record["text"] for record in records] == ["kept"]


def test_the_graph_reader_cannot_write(restarted: Restarted) -> None:
    with (
        _graph(restarted.second, "AGENTIC_GRAPH_READER") as driver,
        pytest.raises(neo4j.exceptions.Forbidden),
    ):
        driver.execute_query("CREATE (:Note {text: 'forged'})")


def test_no_platform_role_has_a_privilege_that_would_bypass_row_level_security(restarted: Restarted) -> None:
    with psycopg.connect(restarted.second["AGENTIC_DATABASE_ADMIN_URL"]) as connection:
        privileged = connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'cineca\\_%' AND rolname <> 'cineca_user'"
            " AND (rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole OR NOT rolcanlogin)"
        ).fetchall()

    assert privileged == []


@pytest.mark.parametrize("role", ["DATABASE_URL", "AGENTIC_DATABASE_ENGINE_URL", "AGENTIC_DATABASE_ISSUER_URL"])
def test_a_narrow_role_has_time_limits_and_creates_nothing(restarted: Restarted, role: str) -> None:
    with psycopg.connect(restarted.second[role]) as connection:
        names = ("idle_in_transaction_session_timeout", "statement_timeout", "lock_timeout")
        limits = [connection.execute(f"SHOW {name}").fetchone() for name in names]

        assert limits == [("5s",), ("10s",), ("2s",)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE forged (id int)")


def test_passwords_show_in_no_command_line(restarted: Restarted) -> None:
    assert "valkey-server" in restarted.command_lines
    for name, value in restarted.first.items():
        password = value if name.endswith("PASSWORD") else value.rpartition("@")[0].rpartition(":")[2]
        assert not password or password not in restarted.command_lines


def test_only_the_owner_may_read_the_state(restarted: Restarted) -> None:
    assert (restarted.data_dir / "state.json").stat().st_mode & 0o777 == 0o600
    assert restarted.data_dir.stat().st_mode & 0o777 == 0o700


def _graph(variables: dict[str, str], user: str) -> neo4j.Driver:
    credentials = (variables[f"{user}_USER"], variables[f"{user}_PASSWORD"])
    return neo4j.GraphDatabase.driver(variables["GRAPH_URL"], auth=credentials)


def _command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
