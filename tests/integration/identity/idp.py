"""An OpenID provider for tests, on a real port, and the clock by which its keys are fetched again."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.clients import PATIENCE_S


class IdP:
    """An OpenID provider on a loopback port. Its answers can be changed while it runs."""

    def __init__(self) -> None:
        self.keys: list[Any] = []
        self.key_fetches = 0
        self.status = 200
        self.discovery_changes: dict[str, Any] = {}
        self.body: bytes | None = None
        self.hangs = threading.Event()
        self.hangs.set()  # cleared: answers wait
        idp = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                idp.hangs.wait(PATIENCE_S)
                if self.path.endswith("/jwks"):
                    idp.key_fetches += 1
                    document: dict[str, Any] = {"keys": idp.keys}
                else:
                    document = {"issuer": idp.issuer, "jwks_uri": f"{idp.issuer}/jwks", **idp.discovery_changes}
                body = idp.body if idp.body is not None else json.dumps(document).encode()
                try:
                    self.send_response(idp.status)
                    if idp.status == 302:
                        self.send_header("Location", f"{idp.issuer}/elsewhere")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the client lost patience, which is the point

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}/realms/lab"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self.hangs.set()
        self.server.shutdown()
        self.server.server_close()


class FakeClock:
    """Decides when keys are loaded again; stands still until a test turns it on."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return self.ahead_s
