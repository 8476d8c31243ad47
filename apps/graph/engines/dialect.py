"""What the door asks of a dialect. One subclass a server; nothing here talks to one."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Failure(StrEnum):
    """What a server's error means to us, whatever its code."""

    INVALID = "invalid"  # syntax, names, parameters
    FAILED = "failed"  # understood, but not to be worked out on these data
    TOO_LARGE = "too_large"
    TIMEOUT = "timeout"
    TERMINATED = "terminated"  # somebody, most likely we, ended it
    CONSTRAINT = "constraint"
    CONTENTION = "contention"  # two changes met; a second try may succeed
    FORBIDDEN = "forbidden"
    UNAVAILABLE = "unavailable"
    BROKEN = "broken"  # the server's own fault


@dataclass(frozen=True, slots=True)
class Laid:
    """An index, or (``unique``) a constraint that makes these properties unique together. ``name`` is the server's."""

    label: str
    properties: tuple[str, ...]
    unique: bool
    name: str = ""


class Dialect(ABC):
    """The texts and mappings of one kind of server.

    ``ends_transactions_in_time``: whether Bolt's transaction timeout is obeyed. ``keeps_readers_from_writing``: whether
    Bolt's access mode READ is.
    """

    name: str
    ends_transactions_in_time: bool
    keeps_readers_from_writing: bool
    list_running: str
    list_laid: tuple[str, ...]
    endpoints: str
    """Columns element_id, uid, tenant_id of the nodes whose element ids are ``$ids``; ids as the driver gives them."""

    @abstractmethod
    def unique(self, label: str, *keys: str) -> tuple[str, ...]:
        """Statements that make ``keys`` unique together among nodes of ``label``, and quick to find."""

    @abstractmethod
    def laid(self, rows: Sequence[Sequence[Mapping[str, Any]]]) -> list[Laid]:
        """What the answers to ``list_laid`` say."""

    @abstractmethod
    def drop(self, laid: Laid) -> tuple[str, ...]:
        """Statements that take it away."""

    @abstractmethod
    def index(self, label: str, keys: Sequence[str]) -> tuple[str, ...]:
        """Statements that make nodes of ``label`` quick to find by ``keys``."""

    @abstractmethod
    def is_there_already(self, code: str, message: str) -> bool:
        """Whether this error of such a statement only says that it was run before."""

    @abstractmethod
    def running_id(self, row: Mapping[str, Any], mark: str) -> str | None:
        """The transaction's id when this row of ``list_running`` is of the query that carries ``mark``."""

    @abstractmethod
    def terminate(self, transaction_id: str) -> str:
        """The statement that ends a transaction. ``transaction_id`` comes from the server."""

    @abstractmethod
    def plan(self, rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any] | None) -> str:
        """The text of a plan, from the rows and the summary's plan that EXPLAIN gave."""

    @abstractmethod
    def failure(self, code: str, message: str) -> Failure:
        """What an error of the server means."""


def quoted(text: str) -> str:
    """A text of the server's own as a literal of Cypher."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
