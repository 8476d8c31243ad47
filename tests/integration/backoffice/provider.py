"""An external OpenID provider that exchanges any code for the ID token the test put there."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs


class Provider:
    """``token_answer``: what the token endpoint says next. ``exchanged``: the form of the last exchange."""

    def __init__(self) -> None:
        self.keys: list[Any] = []
        self.token_answer: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.status = 200
        self.exchanged: dict[str, list[str]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.endswith("/jwks"):
                    self._send({"keys": provider.keys})
                elif self.path.endswith("/userinfo"):
                    self._send(provider.userinfo)
                else:
                    self._send(provider.discovery())

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                provider.exchanged = parse_qs(self.rfile.read(length).decode())
                self._send(provider.token_answer)

            def _send(self, document: dict[str, Any]) -> None:
                body = json.dumps(document).encode()
                self.send_response(provider.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}/realms/lab"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/jwks",
            "end_session_endpoint": f"{self.issuer}/logout",
        }

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
