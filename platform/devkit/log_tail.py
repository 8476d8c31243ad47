"""Copies what deserves attention from a process's log to the terminal; the log itself keeps everything."""

import os
import re
import time
from collections.abc import Callable
from typing import IO

from devkit.processes import ManagedProcess

SHOWN_LINES_PER_S = 5
WORTH_SHOWING = re.compile(r"(?<!%)\b(WARNING|ERROR|CRITICAL|FATAL)\b|\[(warning|error|critical)\s*\]|^\w*Error: ")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class LogTail:
    """Follows one process's log. At most SHOWN_LINES_PER_S on average are shown, the rest is counted."""

    def __init__(self, process: ManagedProcess, say: Callable[[str], None]) -> None:
        self._process = process
        self._say = say
        self._file: IO[str] | None = None
        self._in_traceback = False
        self._budget = float(SHOWN_LINES_PER_S)
        self._hidden = 0
        self._last_look_s = time.monotonic()
        self._open(at_end=True)

    def show_new_lines(self) -> None:
        now_s = time.monotonic()
        self._budget = min(self._budget + (now_s - self._last_look_s) * SHOWN_LINES_PER_S, 4 * SHOWN_LINES_PER_S)
        self._last_look_s = now_s
        if self._file is None or self._was_replaced(self._file):
            self._open(at_end=False)
        for line in self._file or ():
            if self._is_worth_showing(COLOURS.sub("", line.rstrip())):
                self._show(line.rstrip())
        if self._hidden and self._budget >= SHOWN_LINES_PER_S:
            self._say(f"{self._process.name} | ... {self._hidden} more such lines in {self._process.log_path}")
            self._hidden = 0

    def close(self) -> None:
        if self._file:
            self._file.close()

    def _open(self, *, at_end: bool) -> None:
        path = self._process.log_path
        if path.exists():
            self.close()
            self._file = path.open(errors="replace")
            self._file.seek(0, 2 if at_end else 0)

    def _was_replaced(self, file: IO[str]) -> bool:
        """A log that grew too large was set aside when its process was restarted."""
        try:
            return self._process.log_path.stat().st_ino != os.fstat(file.fileno()).st_ino
        except FileNotFoundError:
            return False

    def _is_worth_showing(self, line: str) -> bool:
        """Of a traceback, only the last line: what went wrong. Where it did is in the log."""
        if self._in_traceback and (line.startswith((" ", "\t")) or not line):
            return False
        ends_traceback, self._in_traceback = self._in_traceback, line.startswith("Traceback")
        return ends_traceback or bool(WORTH_SHOWING.search(line))

    def _show(self, line: str) -> None:
        if self._budget < 1:
            self._hidden += 1
            return
        self._budget -= 1
        self._say(f"{self._process.name} | {line}")
