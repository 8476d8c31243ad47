"""What the callers did and saw, in order: invoke, then ok, fail (certainly not done) or info (nobody knows)."""

import json
import threading
import time
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class History:
    """Append-only, from any thread; kept in memory for the checker and as JSON lines for people."""

    def __init__(self, path: Path | None = None) -> None:
        self.records: list[Record] = []
        self._lock = threading.Lock()
        self._began_s = time.monotonic()
        self._file = path.open("a") if path else None

    def add(self, kind: str, phase: str, **facts: Any) -> None:
        """``kind``: submit, cancel, read, stream or fault. ``phase``: invoke, ok, fail or info."""
        record = {"at_s": round(time.monotonic() - self._began_s, 4), "kind": kind, "phase": phase, **facts}
        with self._lock:
            self.records.append(record)
            if self._file:
                self._file.write(json.dumps(record) + "\n")

    def of(self, kind: str, phase: str | None = None) -> list[Record]:
        with self._lock:
            return [r for r in self.records if r["kind"] == kind and phase in (None, r["phase"])]

    def accepted(self) -> list[str]:
        """Ids of the jobs that were certainly accepted."""
        return [record["job_id"] for record in self.of("submit", "ok")]

    def close(self) -> None:
        if self._file:
            self._file.close()
            self._file = None
