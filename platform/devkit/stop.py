"""Being asked to end: Ctrl-C, SIGTERM, a closed terminal."""

import signal


class StopRequested(Exception):
    """The person at the terminal, or the system, wants us to end."""


class Stop:
    """Ctrl-C and friends, as something to ask about: the first means an orderly stop, the second a quick."""

    def __init__(self) -> None:
        self.requests = 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
                signal.signal(number, self._note)

    def check(self) -> None:
        """Raises StopRequested once somebody asked."""
        if self.requests:
            raise StopRequested

    def in_a_hurry(self) -> bool:
        return self.requests > 1

    def _note(self, number: int, frame: object) -> None:
        self.requests += 1
