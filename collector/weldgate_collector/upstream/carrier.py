"""The contract of a carrier: what the engine (``records.py``) asks of a way out for single records.

A carrier is driven by one thread. It keeps no cursor and remembers nothing over a ``close``: whatever it did not
report as done is offered again after the next ``open``.
"""

from typing import NamedTuple, Protocol

from .document import Row

__all__ = ["Carrier", "Refused", "Settled", "UndeliveredError"]


class Refused(NamedTuple):
    """A row that can't be carried as it is, and why."""

    idx: int
    reason: str


class Settled(NamedTuple):
    """What became of rows that were offered."""

    done: list[int]
    refused: list[Refused]


class UndeliveredError(OSError):
    """The far end takes records, and nothing shows that anybody gets them."""


class Carrier(Protocol):
    """A way out for single records."""

    def begin(self, store_id: bytes) -> None:
        """Learn the store's id, 16 bytes; before the first ``open`` and when another one was drawn."""

    def open(self) -> None:
        """Reach the far end, in a few seconds.

        Raises:
            OSError: it can't be reached now.
        """

    def room(self) -> int:
        """Return how many rows may be offered now."""

    def offer(self, rows: list[Row], more: bool) -> list[Refused]:
        """Take rows on their way, in this order, at most ``room`` of them.

        Args:
            rows: to be carried.
            more: more rows are there already.

        Returns:
            Those of them that can't be carried.

        Raises:
            OSError: the far end is gone.
        """

    def turn(self) -> Settled:
        """Move bytes without waiting, and return what is durable at the far end and what it refused.

        Raises:
            OSError: the far end is gone; UndeliveredError when nothing shows that it passes records on.
        """

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when the far end speaks, -1 for none."""

    def wants_write(self) -> bool:
        """Tell whether bytes wait for the descriptor to take them."""

    def wait_s(self) -> float:
        """Return how long ``turn`` may wait when the descriptor is silent, at most."""

    def close(self) -> None:
        """Let go of the far end; never raises."""
