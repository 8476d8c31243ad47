"""Environment variables: what children get, and what `.dev/env` tells scripts. Only here os.environ is read.

docs/reference/settings.md explains each name; config/env.py reads them.
"""

import importlib.util
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from devkit.datadir import DataDir, DevkitError, free_port, is_free, write_private

ROOT = Path(__file__).resolve().parents[2]
DATA_DIR = ROOT / ".dev"
DEFAULT_API_PORT = 8000

# A caller's own settings would lead the servers, or psql, elsewhere.
NOT_FOR_SERVERS = ("PG", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH", "AGENTIC_")
# May be set by the caller; all else in the contract follows from the servers just started.
CALLERS_CHOICE = (
    "AGENTIC_ENV",
    "AGENTIC_SECRET_KEY",
    "AGENTIC_PORT",
    "AGENTIC_PUBLIC_URL",
    "AGENTIC_ISSUER_KEYS_DIR",
    "AGENTIC_FLOWER_PORT",
    "AGENTIC_RATE_LIMIT_FACTOR",
    "AGENTIC_EXPORTS_DIR",
    "AGENTIC_FILES_DIR",
    "AGENTIC_LOG_FORMAT",
    "FLOWER_BASIC_AUTH",
)


def server_environment() -> dict[str, str]:
    """For the embedded servers: the caller's, less what would change how they behave."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_FOR_SERVERS)}
    return {**inherited, "LC_ALL": "C", "TZ": "UTC"}


def platform_variables(home: DataDir, servers: Mapping[str, str], api_port: int) -> dict[str, str]:
    """Every setting of the platform's processes, given those of the embedded servers."""
    flower_port = os.environ.get("AGENTIC_FLOWER_PORT") or str(home.port("flower"))
    own = {
        "AGENTIC_ENV": "dev",
        "AGENTIC_PLATFORM_TENANT": "demo",
        "AGENTIC_RATE_LIMIT_FACTOR": "100",  # one person tries everything out, with one token
        "AGENTIC_EXPORTS_DIR": str(home.directory("exports")),
        "AGENTIC_FILES_DIR": str(home.directory("files")),
        "AGENTIC_SECRET_KEY": home.password("secret-key") + home.password("secret-key-2"),
        "AGENTIC_PORT": str(api_port),
        "AGENTIC_PUBLIC_URL": f"http://127.0.0.1:{api_port}",
        "AGENTIC_ISSUER_KEYS_DIR": str(home.directory("issuer-keys")),
        "AGENTIC_FLOWER_PORT": flower_port,
        "AGENTIC_LOG_FORMAT": "console",
        "FLOWER_BASIC_AUTH": f"admin:{home.password('flower')}",
    }
    chosen = {name: os.environ[name] for name in CALLERS_CHOICE if os.environ.get(name)}
    return {**own, **chosen, **servers, "FLOWER_URL": f"http://127.0.0.1:{flower_port}"}


def child_environment(variables: Mapping[str, str], **more: str) -> dict[str, str]:
    """For the platform's processes: the caller's environment, then ours, without the superuser's URL."""
    ours = {name: value for name, value in variables.items() if name != "AGENTIC_DATABASE_ADMIN_URL"}
    theirs = {name: value for name, value in os.environ.items() if name != "AGENTIC_DATABASE_ADMIN_URL"}
    python = {"PYTHONPATH": str(ROOT / "platform"), "PYTHONUNBUFFERED": "1"}
    return {**theirs, **python, **ours, **more}


def write_env_file(home: DataDir, variables: Mapping[str, str]) -> None:
    """`.dev/env`: KEY=value lines that both a shell (`. .dev/env`) and manage.py read."""
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in sorted(variables.items())]
    write_private(home.path / "env", "".join(lines))


def remove_env_file(home: DataDir) -> None:
    """Nothing is running (any more)."""
    (home.path / "env").unlink(missing_ok=True)


def read_env_file(data_dir: Path) -> dict[str, str]:
    """What the running platform wrote. Raises DevkitError when there is none."""
    try:
        lines = (data_dir / "env").read_text().splitlines()
    except FileNotFoundError as error:
        raise DevkitError(f"Nothing is running: {data_dir}/env does not exist. Start with `make run`.") from error
    pairs = (line.partition("=") for line in lines)
    return {name: "".join(shlex.split(value)) for name, _, value in pairs}


def wheel_directory(module: str) -> Path:
    """Where a wheel lies. Found, not imported: its Python code is not used."""
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise DevkitError(f"The package of `{module}` is not installed for {sys.executable}: run `make run`.")
    return Path(found.origin).parent


def choose_api_port() -> int:
    """AGENTIC_PORT when set, and then it must be free; else 8000, or any free port."""
    chosen = os.environ.get("AGENTIC_PORT")
    if not chosen:
        return DEFAULT_API_PORT if is_free(DEFAULT_API_PORT) else free_port()
    if not chosen.isdecimal() or not 0 < int(chosen) < 65536:
        raise DevkitError(f"AGENTIC_PORT={chosen} is not a port number.")
    if not is_free(int(chosen)):
        raise DevkitError(f"Port {chosen} (AGENTIC_PORT) is taken: choose another one, or leave it unset.")
    return int(chosen)
