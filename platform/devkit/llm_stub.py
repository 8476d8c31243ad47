"""A server that speaks the wires of OpenAI, Azure OpenAI and Ollama over real HTTP, without a model behind it.

For tests, benchmarks and trying things out: `python -m devkit.llm_stub --port 8099`. The model's name that is asked
for says what it answers (llm_stub_model.py lists them), so any process can ask for any fault; a test in its process may
lay an answer of its own into ``Stub.scripted``.
"""

import argparse
import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from devkit import llm_stub_wires as wires
from devkit.llm_stub_model import Ask, Reply, reply_to

LOOK_S = 0.01  # how often a server that waits looks whether its client is still there
KEY_REFUSED = "wrong-key"
MAX_TOKENS_REFUSED = (
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
)


@dataclass
class Seen:
    """What the server has seen: requests in all and by model, how many at once, and how they ended."""

    connections: int = 0
    requests: int = 0
    by_model: Counter[str] = field(default_factory=Counter)
    under_way: int = 0
    most_under_way: int = 0
    closed_early: int = 0
    last_headers: dict[str, str] = field(default_factory=dict)
    last_path: str = ""
    last_body: dict[str, Any] = field(default_factory=dict)


class ClientGone(Exception):
    """The client closed the connection before its answer was whole."""


class Stub:
    """The server; ``url`` once it listens."""

    def __init__(self) -> None:
        self.seen = Seen()
        self.url = ""
        self.scripted: dict[str, Reply | Callable[[Ask], Reply]] = {}  # by model, before what its name says
        self.pull_steps = wires.pull_steps()
        self.refuses_max_tokens: set[str] = set()  # models, as those that reason do
        self.pulled: set[str] = set()
        self.loaded: set[str] = set()

    async def listen(self, port: int = 0) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen.connections += 1
        try:
            while (request := await _read_request(reader)) is not None:
                method, path, headers, body = request
                self._count(path, headers, body)
                try:
                    if not await self._answer(Exchange(reader, writer), method, path, headers, body):
                        break
                finally:
                    self.seen.under_way -= 1
        except (ClientGone, ConnectionError):
            self.seen.closed_early += 1
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ValueError):  # or the server stops
            pass
        finally:
            writer.close()

    def _count(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> None:
        seen = self.seen
        seen.requests += 1
        seen.under_way += 1
        seen.most_under_way = max(seen.most_under_way, seen.under_way)
        seen.last_path, seen.last_headers, seen.last_body = path, headers, body

    async def _answer(
        self, exchange: "Exchange", method: str, path: str, headers: dict[str, str], body: dict[str, Any]
    ) -> bool:
        """Answer one request; False when the connection is to be cut."""
        wire = wires.of_path(path)
        key = headers.get("api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        if key == KEY_REFUSED:
            return await exchange.whole(401, wire.error("Incorrect API key provided", "invalid_api_key"))
        if method == "GET" or wire.is_upkeep(path):
            return await self._upkeep(exchange, wire, path, body)
        model = wire.model_of(path, body)
        self.seen.by_model[model] += 1
        if model in self.refuses_max_tokens and "max_tokens" in body:
            return await exchange.whole(400, wire.error(MAX_TOKENS_REFUSED, "unsupported_parameter"))
        answer, ask = self.scripted.get(model) or reply_to, Ask(model, body, self.seen.by_model[model])
        reply = answer if isinstance(answer, Reply) else answer(ask)
        return await self._model(exchange, wire, model, reply, streaming=wire.wants_stream(body))

    async def _upkeep(self, exchange: "Exchange", wire: wires.Wire, path: str, body: dict[str, Any]) -> bool:
        if path.startswith("/api/pull"):
            model = str(body.get("model", ""))
            if model.startswith("missing"):
                return await exchange.pieces(
                    wire.stream_type, [b'{"error":"pull model manifest: file does not exist"}\n']
                )
            self.pulled.add(model)
            return await exchange.pieces(wire.stream_type, wires.ndjson(self.pull_steps))
        if path.startswith("/api/generate"):
            (self.loaded.discard if body.get("keep_alive") == 0 else self.loaded.add)(str(body.get("model", "")))
            return await exchange.whole(200, {"model": body.get("model"), "response": "", "done": True})
        return await exchange.whole(200, wires.listing(path, sorted(self.pulled), sorted(self.loaded)))

    async def _model(
        self, exchange: "Exchange", wire: wires.Wire, model: str, reply: Reply, *, streaming: bool
    ) -> bool:
        await exchange.pause(reply.first_byte_s)
        if reply.status != 200:
            return await exchange.whole(
                reply.status, wire.error(reply.error, reply.error_code), {"Retry-After": reply.retry_after}
            )
        if reply.raw is not None:
            return await exchange.raw(reply.raw, reply.raw_type)
        if reply.cut_after == 0:
            return False
        if streaming:
            lines = wire.stream(model, reply)
            return await exchange.pieces(
                wire.stream_type, lines, every_s=reply.piece_s, cut_after=reply.cut_after, endless=reply.endless
            )
        if reply.endless:
            return await exchange.pieces("application/json", [b" "], endless=True)
        await exchange.pause(reply.piece_s * len(reply.pieces))
        return await exchange.whole(200, wire.whole(model, reply), cut=reply.cut_after is not None)


class Exchange:
    """One request's connection. The methods that answer return whether the connection may be used again."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def pause(self, seconds: float) -> None:
        while seconds > 0:
            self.still_there()
            await asyncio.sleep(min(seconds, LOOK_S))
            seconds -= LOOK_S

    def still_there(self) -> None:
        if self.reader.at_eof() or self.writer.is_closing():
            raise ClientGone

    async def whole(
        self, status: int, document: dict[str, Any], headers: dict[str, str] | None = None, *, cut: bool = False
    ) -> bool:
        body = json.dumps(document).encode()
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items() if value)
        reason = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Other"
        head = (
            f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\n{more}Content-Length: {len(body)}\r\n\r\n"
        )
        self.writer.write(head.encode() + (body[: len(body) // 2] if cut else body))
        await self.writer.drain()
        return not cut

    async def raw(self, body: bytes, content_type: str) -> bool:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)
        await self.writer.drain()
        return True

    async def pieces(
        self,
        content_type: str,
        lines: list[bytes],
        *,
        every_s: float = 0.0,
        cut_after: int | None = None,
        endless: bool = False,
    ) -> bool:
        self.writer.write(
            f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        for number, line in enumerate(lines):
            if cut_after is not None and number > cut_after:
                await self.writer.drain()
                return False
            await self.pause(every_s)
            self.writer.write(b"%x\r\n%s\r\n" % (len(line), line))
            if every_s:
                await self.writer.drain()
            while endless and number == min(1, len(lines) - 1):
                self.still_there()
                self.writer.write(b"%x\r\n%s\r\n" % (len(line), line))
                await self.writer.drain()
                await asyncio.sleep(0)
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()
        return True


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str], dict[str, Any]] | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *rest = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    length = int(headers.get("content-length", "0"))
    body = json.loads(await reader.readexactly(length)) if length else {}
    return method, path, headers, body


@contextmanager
def running_stub() -> Iterator[Stub]:
    """A stub in a thread of this process."""
    stub, loop = Stub(), asyncio.new_event_loop()
    server = loop.run_until_complete(stub.listen())
    thread = threading.Thread(target=loop.run_forever, name="llm-stub", daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


async def _stop(server: asyncio.Server) -> None:
    server.close()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _forever(port: int) -> None:
    server = await Stub().listen(port)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8099)
    asyncio.run(_forever(parser.parse_args().port))
