"""The listener of an answer."""

from collections.abc import Callable

from apps.agents.phases.links import LinkGuard
from kernel.pii.stream import StreamScrubber

Say = Callable[[str], None]


class Teller:
    """The answer's listener, who hears no personal data and no address that nobody named, however the text comes:
    whole, or piece by piece to its end."""

    def __init__(self, say: Say, scrubber: StreamScrubber, guard: LinkGuard) -> None:
        self._say, self._scrubber, self._guard = say, scrubber, guard

    def __call__(self, text: str) -> None:
        """A whole text."""
        self.piece(text)
        self.end("")

    def piece(self, text: str) -> None:
        self._tell(self._guard.feed(self._scrubber.feed(text)))

    def end(self, rest: str) -> None:
        """The text's last piece, which may be empty."""
        self._tell(self._guard.feed(self._scrubber.feed(rest) + self._scrubber.flush()) + self._guard.flush())

    def _tell(self, clean: str) -> None:
        if clean:
            self._say(clean)
