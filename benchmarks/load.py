"""A light load generator: keep-alive connections, one request at a time on each, hardly any parsing.

Run as a process of its own: ``python benchmarks/load.py PLAN.json`` prints one line of JSON with what came back.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import uvloop

HEAD_END = b"\r\n\r\n"


@dataclass
class Plan:
    """What to send. Each connection walks through ``requests`` from a place of its own."""

    host: str
    port: int
    requests: list[str]
    clients: int
    seconds: float
    expect: int
    lead_s: float = 0.5  # not counted


def request(method: str, path: str, *, port: int, token: str, body: bytes = b"") -> str:
    """The text of one HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Authorization: Bearer {token}"]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines) + "\r\n\r\n" + body.decode()


class Client(asyncio.Protocol):
    """One connection: sends, waits for the whole answer, sends again."""

    def __init__(self, plan: Plan, texts: list[bytes], first: int) -> None:
        self.plan, self.texts, self.next = plan, texts, first
        self.buffer = b""
        self.sent_at = 0.0
        self.counting = False
        self.stopped = False
        self.latencies_s: list[float] = []
        self.failures: dict[str, int] = {}
        self.expected = f"HTTP/1.1 {plan.expect} ".encode()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.send()

    def send(self) -> None:
        self.sent_at = time.perf_counter()
        self.transport.write(self.texts[self.next % len(self.texts)])
        self.next += 1

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        head_end = self.buffer.find(HEAD_END)
        if head_end < 0:
            return
        head = self.buffer[:head_end].lower()
        at = head.find(b"content-length: ")
        if at < 0 and b"transfer-encoding: chunked" in head:
            if not self.buffer.endswith(b"\r\n0\r\n\r\n"):
                return
        elif len(self.buffer) < head_end + 4 + (int(head[at + 16 :].split(b"\r\n", 1)[0]) if at >= 0 else 0):
            return
        if self.counting:
            if self.buffer.startswith(self.expected):
                self.latencies_s.append(time.perf_counter() - self.sent_at)
            else:
                what = self.buffer[:12].decode(errors="replace")
                self.failures[what] = self.failures.get(what, 0) + 1
        self.buffer = b""
        if not self.stopped:
            self.send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.stopped:
            self.failures["closed"] = self.failures.get("closed", 0) + 1


async def run(plan: Plan) -> dict[str, object]:
    """Load for ``plan.seconds`` after the lead; answers a second, latencies, failures."""
    loop = asyncio.get_running_loop()
    texts = [text.encode() for text in plan.requests]
    clients = [Client(plan, texts, number * 7919) for number in range(plan.clients)]
    for client in clients:
        await loop.create_connection(lambda client=client: client, plan.host, plan.port)
    await asyncio.sleep(plan.lead_s)
    for client in clients:
        client.counting = True
    began = time.perf_counter()
    await asyncio.sleep(plan.seconds)
    elapsed_s = time.perf_counter() - began
    for client in clients:
        client.counting, client.stopped = False, True
    latencies_s = sorted(latency for client in clients for latency in client.latencies_s)
    failures: dict[str, int] = {}
    for client in clients:
        client.transport.close()
        for what, count in client.failures.items():
            failures[what] = failures.get(what, 0) + count

    def at_ms(share: float) -> float:
        return 1000 * latencies_s[min(len(latencies_s) - 1, int(share * len(latencies_s)))] if latencies_s else 0.0

    return {
        "per_s": len(latencies_s) / elapsed_s,
        "answers": len(latencies_s),
        "p50_ms": at_ms(0.5),
        "p99_ms": at_ms(0.99),
        "failures": failures,
    }


def write_plan(path: Path, plan: Plan) -> Path:
    path.write_text(json.dumps(asdict(plan)))
    return path


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(Plan(**json.loads(Path(sys.argv[1]).read_text()))))))
