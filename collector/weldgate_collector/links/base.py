"""The contract of a link: what carries a chip's bytes, and what it promises.

A link is a thin skin: it hands over bytes as they come, in order, and sends what it is given, in order. It knows no
frame and no rule of the protocol. Its promises (``tests/contracts/test_links.py``):

- ``accept`` is called once a connection, before any of its bytes; ``closed`` once, last, whoever closed.
- After ``pause`` at most what was already read comes; ``resume`` goes on without loss.
- ``send`` never blocks; a connection whose peer doesn't read is closed when more than ``SEND_MAX`` bytes wait.
- After ``close`` what was sent before still leaves, as far as the peer takes it; no more bytes are handed over.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

__all__ = ["SEND_MAX", "Accept", "Connection", "Link", "LinkStatus", "Peer"]

SEND_MAX = 256 * 1024  # bytes that wait for one slow reader: far more than a chip's orders and acks


class Connection(Protocol):
    """One chip's pipe, from the collector's side."""

    source: str
    """Where it comes from, as far as throttling is concerned: an address, a port's name."""

    def send(self, data: bytes) -> None:
        """Send bytes; silently nothing once closed."""

    def pause(self) -> None:
        """Stop handing over bytes, so that the peer is held back."""

    def resume(self) -> None:
        """Go on handing over bytes."""

    def close(self) -> None:
        """Close; harmless when it already is."""


class Peer(Protocol):
    """Who takes a connection's bytes."""

    def received(self, data: bytes) -> None:
        """Take bytes as they came."""

    def closed(self) -> None:
        """Note that the connection is over; called once."""


Accept = Callable[[Connection], Peer]


class LinkStatus(NamedTuple):
    """How a link is.

    Attributes:
        name: of the link, in logs, metrics and recordings.
        up: bytes can come: it listens, the port is open, the broker is connected.
        connections: open ones.
        refused: connections and messages that were turned away, since there were too many.
        faults: handshakes that failed, a port or a broker that was lost, messages that were no frame.
        trouble: what is wrong now, empty for nothing.
    """

    name: str
    up: bool
    connections: int = 0
    refused: int = 0
    faults: int = 0
    trouble: str = ""


class Link(Protocol):
    """A way in."""

    @property
    def name(self) -> str:
        """Name in logs, metrics and recordings."""

    async def start(self, accept: Accept) -> None:
        """Begin to take connections, calling ``accept`` for each.

        Raises:
            OSError: the address or port can't be had.
        """

    async def stop(self) -> None:
        """Close every connection and take no more."""

    def status(self) -> LinkStatus:
        """Return the present state."""

    def describe(self) -> str:
        """Say in a few words what it is and where."""
