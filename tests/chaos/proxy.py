"""A TCP proxy before PostgreSQL that sometimes swallows an answer and hangs up: the statement was committed, and the
client will never know."""

import contextlib
import random
import socket
import threading

CHUNK_BYTES = 65_536


class AnswerEater:
    """Only connections whose first message names ``victim`` (an application_name) lose answers, after their first few
    (log-in, settings), with the given probability each."""

    def __init__(self, target_port: int, *, victim: bytes, share: float) -> None:
        self.target_port, self.victim, self.share = target_port, victim, share
        self.eaten = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open = True
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """No new connections; those open now stay whole."""
        self._open = False
        self.share = 0.0
        self._listener.close()

    def _accept(self) -> None:
        while self._open:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target_port), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            state = {"victim": False, "answers": 0}
            threading.Thread(target=self._forward, args=(client, server, state), daemon=True).start()
            threading.Thread(target=self._answer, args=(server, client, state), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket, state: dict[str, int]) -> None:
        try:
            while data := client.recv(CHUNK_BYTES):
                state["victim"] = state["victim"] or self.victim in data
                server.sendall(data)
        except OSError:
            pass
        finally:
            _hang_up(client, server)

    def _answer(self, server: socket.socket, client: socket.socket, state: dict[str, int]) -> None:
        try:
            while data := server.recv(CHUNK_BYTES):
                state["answers"] += 1
                if state["victim"] and state["answers"] > 4 and random.random() < self.share:
                    self.eaten += 1
                    return
                client.sendall(data)
        except OSError:
            pass
        finally:
            _hang_up(server, client)


def _hang_up(*sockets: socket.socket) -> None:
    for one in sockets:
        with contextlib.suppress(OSError):  # the other direction was first
            one.shutdown(socket.SHUT_RDWR)
        one.close()
