"""The contract of an upstream: what carries committed rows away, and what the service asks of it.

An upstream runs on a thread of its own, reads the store through a reader of its own, keeps a durable cursor, and
never holds back the links: when it is dead its rows wait in the store.
"""

from typing import NamedTuple, Protocol

from ..orders import Order

__all__ = ["Upstream", "UpstreamStatus"]


class UpstreamStatus(NamedTuple):
    """What an upstream says of itself.

    Attributes:
        connected: the far end is reached.
        through: highest pack receipted.
        waiting_rows: committed rows that are not yet receipted.
        trouble: what keeps it from going on, or an empty string.
    """

    connected: bool
    through: int
    waiting_rows: int
    trouble: str


class Upstream(Protocol):
    """One way out."""

    name: str

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""

    def start(self) -> None:
        """Start; whatever the far end's state, it is tried for ever."""

    def committed(self, index: int) -> None:
        """Learn that rows are durable through ``index``; called on the writer's thread, returns at once."""

    def report(self, order: Order) -> None:
        """Tell the far end an order's result; from any thread."""

    def status(self) -> UpstreamStatus:
        """Return the present state; from any thread."""

    def stop(self) -> None:
        """Stop; what is not receipted is sent again after the next start."""
