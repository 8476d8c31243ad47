"""What scrubbing an answer costs, beside parsing and writing the same JSON with the standard library.

.venv/bin/python benchmarks/pii.py
"""

import json
import statistics
import sys
import time
from pathlib import Path
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "platform"))
from kernel.pii.document import scrub_json_bytes
from kernel.pii.stream import StreamScrubber

KEY = b"key of this benchmark"
PROSE = "Variants of the gene BRCA1 are read against the reference genome before the pipeline reports them. "


def job(message: str) -> dict[str, object]:
    """A job as GET /v1/jobs/{id} shows it."""
    name, moment = str(uuid4()), "2026-03-01T10:11:12.123456Z"
    return {
        "id": name, "job_id": name, "type": "demo", "job_type": "demo", "status": "finished", "owner": "user-1a2b3c4d",
        "owner_sub": "user-1a2b3c4d", "tenant_id": str(uuid4()), "priority": 0,
        "payload": {"duration_ms": 3000, "note": message}, "result": {"steps": 3, "ok": True}, "error": None,
        "progress": 100.0, "created_at": moment, "updated_at": moment, "started_at": moment, "completed_at": moment,
        "queue_latency_ms": 12, "exec_latency_ms": 3001, "attempt": 1, "max_attempts": 3, "last_event_id": 9,
        "cancel_requested_at": None, "dead_lettered_at": None, "retry_of": None, "etag": uuid4().hex,
    }  # fmt: skip


def page(count: int, message: str) -> bytes:
    """A page of jobs."""
    body = {"items": [job(message) for _ in range(count)], "total": count, "next_page_token": None}
    return json.dumps(body, separators=(",", ":")).encode()


BODIES = {
    "one job, nothing personal": json.dumps(job("as planned"), separators=(",", ":")).encode(),
    "4 jobs, nothing personal": page(4, "as planned"),
    "4 kB of prose, nothing personal": json.dumps({"text": PROSE * 40}).encode(),
    "4 jobs, an address in each": page(4, "ask mario.rossi@example.com or +39 055 123 4567"),
    "4 kB of prose, a secret": json.dumps({"text": PROSE * 40 + "The token is a1B2c3D4e5F6g7H8i9."}).encode(),
    "4 kB of personal data": json.dumps(
        {"text": "m.rossi@example.com, 4111 1111 1111 1111, 123-45-6789, 10.1.2.3, +39 055 123 4567; " * 48}
    ).encode(),
}


def microseconds(call: object, times: int = 400) -> float:
    """The median of what one call takes of the processor."""
    taken = []
    for _ in range(times):
        began = time.thread_time()
        call()  # type: ignore[operator]
        taken.append(time.thread_time() - began)
    return statistics.median(taken) * 1e6


def main() -> None:
    print(f"{'answer':34} {'bytes':>6} {'µs':>7} {'µs/4 kB':>8} {'loads+dumps':>12} {'ratio':>6}  found")
    for name, body in BODIES.items():
        spent = microseconds(lambda body=body: scrub_json_bytes(body, "mask", KEY))
        peer = microseconds(lambda body=body: json.dumps(json.loads(body)))
        found = sum(scrub_json_bytes(body, "mask", KEY)[1].values())
        scaled = spent * 4096 / len(body)
        print(f"{name:34} {len(body):6} {spent:7.0f} {scaled:8.0f} {peer:12.0f} {spent / peer:6.2f}  {found}")

    def stream() -> None:
        scrubber = StreamScrubber("mask", KEY)
        for start in range(0, len(text), 6):
            scrubber.feed(text[start : start + 6])
        scrubber.flush()

    text = PROSE * 40
    pieces = len(text) / 6
    print(f"a stream of {pieces:.0f} pieces of 6 characters: {microseconds(stream, 20) / pieces:.1f} µs a piece")


if __name__ == "__main__":
    main()
