"""The graph from the wheel `arcadedb-embedded`: ArcadeDB in its own Java process, spoken to over Bolt.

Two users: `root` writes; `reader` is refused every write by the server, as ArcadeDB ignores Bolt's
access mode.
"""

import base64
import json
import os
import signal
import urllib.error
import urllib.request
from pathlib import Path

from devkit.datadir import DataDir, DevkitError, write_private
from devkit.environment import server_environment, wheel_directory
from devkit.processes import ProcessSpec

DATABASE = "graph"
WRITER = "root"
READER = "reader"
READ_TIMEOUT_MS = 30_000
COMMAND_TIMEOUT_MS = 60_000  # Bolt's transaction timeout is ignored; this is the only one
RANGE_SIZE_MAX = 10_000  # as the gate's: work inside one expression is ended by nothing, neither timeout nor TERMINATE
UNUSED_JARS = (
    "arcadedb-postgresw",
    "arcadedb-redisw",
    "arcadedb-graphql",
    "arcadedb-mcp",
    "arcadedb-console",
    "arcadedb-python-bridge",
)
JVM_FLAGS = [
    "-Xms32m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # starts twice as fast, writes 1.5 times slower
    "-XX:+UseCompactObjectHeaders",
    "-XX:+ExitOnOutOfMemoryError",
    "--add-modules=jdk.incubator.vector",
    "--enable-native-access=ALL-UNNAMED",
    "--add-exports=java.management/sun.management=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED",
    "--add-opens=java.base/java.nio.channels.spi=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "-Djava.awt.headless=true",
    "-Dfile.encoding=UTF8",
    "-Dpolyglot.engine.WarnInterpreterOnly=false",
]


class GraphServer:
    name = "graph"
    label = "the graph"

    def __init__(self, home: DataDir) -> None:
        self.home = home
        self.data = home.directory("graph")
        if self._users_file.exists() and not home.knows_password("graph"):
            raise home.password_lost(self.data)
        self.bolt_port = home.port("graph")
        self.http_port = home.port("graph-http")  # cannot be switched off: users are made and readiness asked there
        self.password = home.password("graph")
        self.reader_password = home.password("graph-reader")

    def spec(self) -> ProcessSpec:
        for name in ("databases", "config", "log", "backups"):
            (self.data / name).mkdir(mode=0o700, exist_ok=True)
        write_private(self.data / "root-password", self.password)  # read at the very first start only
        write_private(self.data / "logging.properties", LOGGING)
        write_private(self.data / "config" / "server-groups.json", json.dumps(GROUPS))
        wheel = wheel_directory("arcadedb_embedded")
        jars = [jar for jar in sorted((wheel / "jars").glob("*.jar")) if not jar.name.startswith(UNUSED_JARS)]
        java = [str(wheel / "jre" / "bin" / "java"), *JVM_FLAGS, f"-XX:ErrorFile={self.data}/log/hs_err.log"]
        java.append(f"-Djava.util.logging.config.file={self.data}/logging.properties")
        java += [f"-Darcadedb.{name}={value}" for name, value in self._settings().items()]
        return ProcessSpec(
            name=self.name,
            command=[*java, "-cp", os.pathsep.join(map(str, jars)), "com.arcadedb.server.ArcadeDBServer"],
            env=server_environment(),
            cwd=self.data,
            stop_signal=signal.SIGTERM,
            death_signal=signal.SIGTERM,
            inherited_fds=(self.home.lock_fd,),
            shows_warnings=False,
        )

    def is_ready(self, pid: int) -> bool:
        """Its databases are open. The Bolt port answers earlier than that."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/api/v1/ready", timeout=1) as answer:
                return bool(answer.status == 204)
        except OSError:
            return False

    def finish(self) -> None:
        """Create the reader, unless an earlier start did."""
        users = self._users_file.read_text().splitlines()
        if any(json.loads(line)["name"] == READER for line in users if line):
            return
        user = {"name": READER, "password": self.reader_password, "databases": {DATABASE: ["reader"]}}
        self._command("create user " + json.dumps(user))

    def variables(self) -> dict[str, str]:
        return {
            "GRAPH_URL": f"bolt://127.0.0.1:{self.bolt_port}",
            "AGENTIC_GRAPH_USER": WRITER,
            "AGENTIC_GRAPH_PASSWORD": self.password,
            "AGENTIC_GRAPH_READER_USER": READER,
            "AGENTIC_GRAPH_READER_PASSWORD": self.reader_password,
        }

    @property
    def _users_file(self) -> Path:
        return self.data / "config" / "server-users.jsonl"

    def _settings(self) -> dict[str, object]:
        return {
            "server.rootPath": self.data,
            "server.databaseDirectory": self.data / "databases",
            "server.configDirectory": self.data / "config",
            "server.logsDirectory": self.data / "log",
            "server.backupDirectory": self.data / "backups",
            "server.rootPasswordPath": self.data / "root-password",
            "server.name": "embedded",
            # "production" hides the text of every error from Bolt clients. What else it does is set by hand:
            "server.mode": "development",
            "txWalFlush": 1,
            "opencypher.loadCsv.allowFileUrls": "false",
            "opencypher.loadCsv.allowRemoteUrls": "false",
            "studio.enabled": "false",
            "command.timeout": COMMAND_TIMEOUT_MS,
            "queryMaxRangeSize": RANGE_SIZE_MAX,
            "server.httpIncomingHost": "127.0.0.1",
            "server.httpIncomingPort": self.http_port,
            "server.plugins": "Bolt:com.arcadedb.bolt.BoltProtocolPlugin",
            "server.defaultDatabases": f"{DATABASE}[]",
            "bolt.host": "127.0.0.1",
            "bolt.port": self.bolt_port,
            "bolt.defaultDatabase": DATABASE,
        }

    def _command(self, command: str) -> None:
        credentials = base64.b64encode(f"{WRITER}:{self.password}".encode()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}/api/v1/server",
            data=json.dumps({"command": command}).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Basic {credentials}"},
        )
        try:
            urllib.request.urlopen(request, timeout=10).close()
        except urllib.error.URLError as error:
            raise DevkitError(f"The graph refused to create its user {READER}: {error}.") from error


def _group(*, rights: list[str], records: list[str], read_timeout_ms: int = -1) -> dict[str, object]:
    types = {"*": {"access": records}}
    return {"resultSetLimit": -1, "readTimeout": read_timeout_ms, "access": rights, "types": types}


LOGGING = "handlers=java.util.logging.ConsoleHandler\n.level=WARNING\n"
GROUPS = {
    "version": 2,
    "databases": {
        "*": {
            "groups": {
                "admin": _group(
                    rights=["updateSecurity", "updateSchema", "updateDatabaseSettings"],
                    records=["createRecord", "readRecord", "updateRecord", "deleteRecord"],
                ),
                READER: _group(rights=[], records=["readRecord"], read_timeout_ms=READ_TIMEOUT_MS),
                "*": _group(rights=[], records=[]),
            }
        }
    },
}
