"""`python3 install.py base embedded`: the virtual environment with these lock files in it.

Run as a file by the system's Python before anything is installed, so: the standard library only, and a syntax
that an old interpreter can read as far as the complaint about its age.
"""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed.json"  # lock file -> digest of what was installed
OLDEST = (3, 11)


class InstallError(Exception):
    """The text says what to do."""


def main(names: "list[str]") -> None:
    if sys.version_info < OLDEST:
        raise InstallError(
            f"Python 3.11 or newer is needed; {sys.executable} is {sys.version.split()[0]}. "
            "Install one and name it: `make run PYTHON=python3.12`."
        )
    wanted = {name: hashlib.sha256(lock_file(name).read_bytes()).hexdigest() for name in names}
    installed = json.loads(STAMP.read_text()) if STAMP.exists() else {}
    if PYTHON.exists() and all(installed.get(name) == wanted[name] for name in names):
        return
    if not (PYTHON.exists() and (VENV / "bin" / "pip").exists()):
        make_virtual_environment()
    install(names)
    STAMP.write_text(json.dumps({**installed, **wanted}))


def make_virtual_environment() -> None:
    print(f"Creating the virtual environment {VENV}", flush=True)
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        raise InstallError(
            f"{made.stdout}{made.stderr}\n{sys.executable} cannot make a virtual environment. "
            "On Debian and Ubuntu: `apt install python3-venv`, then try again."
        )


def install(names: "list[str]") -> None:
    """Everything in the lock files, checked by hash, with progress."""
    pins = {pin for name in names for pin in re.findall(r"^(\S+)==", lock_file(name).read_text(), re.MULTILINE)}
    print(f"Installing {len(pins)} pinned packages ({', '.join(names)})", flush=True)
    command = [
        str(PYTHON),
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--progress-bar=off",
    ]
    command += ["--require-hashes", "--no-deps"]
    for name in names:
        command += ["--requirement", str(lock_file(name))]
    seen: list[str] = []
    output: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        for line in pip.stdout or ():
            output.append(line)
            found = re.match(r"(?:Collecting|Requirement already satisfied:) (\S+?)==", line)
            if found:
                seen.append(found.group(1))
                if len(seen) % 10 == 0:
                    print(f"  {len(seen)} of {len(pins)}: {seen[-1]}", flush=True)
            elif line.startswith("Installing collected"):
                print("  unpacking", flush=True)
    if pip.returncode:
        tail = "".join(output[-20:])
        raise InstallError(f"{tail}\npip failed. If the package index was out of reach, just try again.")


def lock_file(name: str) -> Path:
    return ROOT / "requirements" / (name + ".lock")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except InstallError as error:
        sys.exit(str(error))
