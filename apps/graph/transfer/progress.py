"""How far a transfer has come, beside its file: ``NAME.progress``, replaced whole, so that kill -9 leaves the old or
the new one. The lock on it keeps a second process away."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apps.graph.errors import TransferRefusedError


def path_beside(target: Path) -> Path:
    """Where the progress of a transfer with ``target`` is kept."""
    return target.with_name(target.name + ".progress")


def read(path: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """What was saved for the same transfer (``identity``); None for none, another one, or what cannot be read."""
    try:
        said = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(said, dict) or said.get("identity") != identity:
        return None
    state = said.get("state")
    return state if isinstance(state, dict) else None


def save(path: Path, identity: dict[str, Any], state: dict[str, Any]) -> None:
    """Replace what was saved. Not forced to the disk: that costs more than a batch, and only a power cut loses it."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps({"identity": identity, "state": state}))
    part.replace(path)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Nobody else does this transfer meanwhile; TransferRefusedError when somebody does. Ends with the process."""
    lock = path.with_name(path.name + ".lock")
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TransferRefusedError(f"Another process is at {path.name} just now.") from None
        yield
        lock.unlink(missing_ok=True)
