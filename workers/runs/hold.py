"""A task's hold on one run: the proof that it may write, what it has to tell, and a place to notice that it must stop.

What happens in a phase is numbered here and kept until it is known to be stored: the scribe writes it ten times a
second, for all runs of the process together, and the move that ends the phase takes the rest along.
"""

import threading
import time
from typing import Any
from uuid import UUID

from django.conf import settings

from apps.agents.runs.event_types import DELTA, PROGRESS
from apps.agents.runs.records import NewEvent, Row
from workers.execution import Stopped, spare_thread, stop_thread, storable_text

PROGRESS_PERCENT = {"classify": 5.0, "plan": 15.0, "finalize": 90.0}


class Hold:
    """Phases use ``report``, ``say`` and ``checkpoint``; the engine uses the rest.

    ``stop_reason`` is None, or why the phase must end: cancelled, deadline, shutdown, lease_lost (the run is somebody
    else's now) or self_fenced (it may soon be: no renewal came through).
    """

    def __init__(self, row: Row, claimed_at: float) -> None:
        """``claimed_at``: by time.monotonic(), before the claim was sent."""
        self.row = row
        self.run_id: UUID = row["id"]
        self.tenant_id: UUID = row["tenant_id"]
        self.token: int = row["token"]
        self.phase: str = row["phase"]
        self.index: int = row["next_index"]
        self.attempt: int = row["attempt"]
        self.deadline = claimed_at + row["left_s"]
        self.stop_reason: str | None = None
        self.stopped_at: float | None = None
        self.interrupted = False
        self._thread_id: int | None = None
        self._thread_lock = threading.Lock()
        self.kept(claimed_at)
        self.kept_by: int | None = None  # the thread that goes on with it, until it does
        self.writing = threading.Lock()  # of whoever is sending what this hold has to tell
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._seq: int = row["last_seq"]
        self._unsent: list[NewEvent] = []  # numbered, and not known to be stored
        self._open: tuple[str, str, Any] | None = None  # kind, stage, what has gathered
        self._said = False

    @property
    def place(self) -> str:
        """classify, plan, step 3, finalize."""
        return f"step {self.index}" if self.phase == "step" else self.phase

    def is_at(self, phase: str, index: int) -> bool:
        """Whether a task for this phase, or this step, is about it."""
        return self.phase == phase and (phase != "step" or self.index == index)

    @property
    def seen_seq(self) -> int:
        """Number of the last event that was numbered."""
        return self._seq

    # -- for phases
    def report(self, stage: str, message: str, percent: float | None = None) -> None:
        """A progress event {stage, message, percent}; the latest of a stage in each tenth of a second. A checkpoint."""
        self.checkpoint()
        percent = self._percent() if percent is None else min(100.0, max(0.0, float(percent)))
        data = {"stage": storable_text(stage), "message": storable_text(message), "percent": percent}
        with self._lock:
            if self._open is not None and self._open[:2] != ("progress", stage):
                self._seal()
            self._open = ("progress", stage, data)

    def say(self, text: str) -> None:
        """A piece of the answer, as it comes. A checkpoint."""
        self.checkpoint()
        with self._lock:
            if self._open is not None and self._open[0] != "delta":
                self._seal()
            gathered = self._open[2] if self._open is not None else []
            gathered.append(text)
            self._open = ("delta", "", gathered)

    def checkpoint(self) -> None:
        """Raise Stopped if the phase must end."""
        if self._stop.is_set():
            raise Stopped
        if self.lease_is_old():  # a process that was frozen knows it here, before it asks anybody for anything
            self.stop("self_fenced")
            raise Stopped
        if time.monotonic() > self.deadline:
            self.stop("deadline")
            raise Stopped

    # -- for the engine
    def tell(self, event_type: str, data: dict[str, Any]) -> None:
        """An event that is not coalesced with others."""
        with self._lock:
            self._seal()
            self._number(event_type, data)

    def unsent(self) -> tuple[NewEvent, ...]:
        """Everything told so far that is not known to be stored, in order. The caller holds ``writing``."""
        with self._lock:
            self._seal()
            return tuple(self._unsent)

    def stored(self, up_to: int) -> None:
        """Events up to this number are stored."""
        with self._lock:
            self._unsent = [event for event in self._unsent if event.seq > up_to]

    def has_news(self) -> bool:
        """Whether there is anything to store."""
        return self._open is not None or bool(self._unsent)

    def kept(self, asked_at: float) -> None:
        """The lease was taken, or renewed, by a statement that was sent then."""
        self._safe_until = asked_at + settings.SELF_FENCE_SHARE * settings.LEASE_S

    def lease_is_old(self) -> bool:
        """Whether no renewal has come through for so long that the run may soon be somebody else's."""
        return time.monotonic() > self._safe_until

    def left_s(self) -> float:
        """Seconds until the run's deadline; may be negative."""
        return self.deadline - time.monotonic()

    def stop(self, reason: str) -> None:
        """Ask the phase to end. The first reason stays."""
        if self.stop_reason is None:
            self.stop_reason = reason
            self.stopped_at = time.monotonic()
            self._stop.set()

    def interrupt(self) -> None:
        """Raise Stopped inside a phase that never comes to a checkpoint: at its next bytecode, if it reaches one."""
        with self._thread_lock:
            if self._thread_id is not None:
                self.interrupted = True
                stop_thread(self._thread_id)

    def enter_thread(self) -> None:
        """The phase is carried out in this thread from now on, and may be interrupted."""
        self._thread_id = threading.get_ident()

    def leave_thread(self) -> None:
        """Nothing is raised in the thread any more, once this has returned. It may itself be what is interrupted, once:
        then leave again."""
        with self._thread_lock:
            self._thread_id = None
            if self.interrupted:
                spare_thread(threading.get_ident())

    def _percent(self) -> float | None:
        if self.phase != "step":
            return PROGRESS_PERCENT.get(self.phase)
        return round(20.0 + 70.0 * self.index / max(1, len(self.row["todos_json"])), 1)

    def _seal(self) -> None:
        """Under the lock: what has gathered becomes an event."""
        if self._open is None:
            return
        kind, _, gathered = self._open
        self._open = None
        if kind == "progress":
            self._number("progress", PROGRESS.data(**gathered))
        elif text := storable_text("".join(gathered), shorten=False):
            # It was queued again: an earlier try may have said something already, and the reader begins anew.
            again = not self._said and (self.row["was"] == "queued" or self.attempt > 1)
            self._number("delta", DELTA.data(text=text, **({"restart": True} if again else {})))
            self._said = True

    def _number(self, event_type: str, data: dict[str, Any]) -> None:
        self._seq += 1
        self._unsent.append(NewEvent(self.run_id, self.token, self._seq, event_type, data))
