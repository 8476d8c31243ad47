"""A server that lists, downloads and loads models as Ollama does, and fails as it is told to."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ModelServer:
    """``status`` answers everything when it is not 200; ``delay_s`` comes before each answer; ``failing`` is how many
    calls are refused with 503 before they succeed; ``pull_steps`` how many lines a download has; nobody is answered
    before as many have asked as ``together`` waits for."""

    def __init__(self) -> None:
        self.status = 200
        self.delay_s = 0.0
        self.failing = 0
        self.pull_steps = 5
        self.step_s = 0.0
        self.together = threading.Barrier(1)
        self.paths: list[str] = []
        self.hung_up = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                self._answer({"models": [{"name": "phi3:mini", "model": "phi3:mini", "size": 7}], "data": []})

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.path == "/api/pull":
                    self._pull()
                else:
                    self._answer({"model": "phi3:mini", "done": True, "response": ""})

            def _answer(self, body: Any) -> None:
                owner.paths.append(self.path)
                owner.together.wait()
                time.sleep(owner.delay_s)
                status = owner.status
                if owner.failing > 0:
                    owner.failing -= 1
                    status = 503
                raw = json.dumps(body if status == 200 else {"error": "no"}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                with suppress(OSError):  # whoever asked is gone
                    self.wfile.write(raw)

            def _pull(self) -> None:
                owner.paths.append(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "application/x-ndjson")
                self.end_headers()
                try:
                    for step in range(1, owner.pull_steps + 1):
                        line = {"status": "pulling a1b2", "total": owner.pull_steps * 100, "completed": step * 100}
                        self.wfile.write(json.dumps(line).encode() + b"\n")
                        self.wfile.flush()
                        time.sleep(owner.step_s)
                    self.wfile.write(b'{"status": "success"}\n')
                except OSError:
                    owner.hung_up.set()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def model_server() -> Iterator[ModelServer]:
    """Running."""
    server = ModelServer()
    try:
        yield server
    finally:
        server.close()
