"""The listener of an answer."""

from collections.abc import Callable

from kernel.pii.stream import StreamScrubber

Say = Callable[[str], None]


class Teller:
    """The answer's listener, who hears no personal data however the text comes: whole, or piece by piece to its end."""

    def __init__(self, say: Say, scrubber: StreamScrubber) -> None:
        self._say, self._scrubber = say, scrubber

    def __call__(self, text: str) -> None:
        """A whole text."""
        self.piece(text)
        self.end("")

    def piece(self, text: str) -> None:
        if clean := self._scrubber.feed(text):
            self._say(clean)

    def end(self, rest: str) -> None:
        """The text's last piece, which may be empty."""
        if clean := self._scrubber.feed(rest) + self._scrubber.flush():
            self._say(clean)
