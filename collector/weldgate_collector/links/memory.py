"""A link without a network: two ends joined in memory, for tests and for simulated fleets in one process.

Bytes pass on the event loop's next turn, as they would through a socket, never inside the caller's own call.
"""

import asyncio
from collections.abc import Callable

from .base import SEND_MAX, Accept, Connection, LinkStatus, Peer

__all__ = ["MemoryEnd", "MemoryLink"]


class MemoryLink:
    """The link; ``connect`` is the chips' side of it."""

    name = "memory"

    def __init__(self) -> None:
        self._accept: Accept | None = None
        self._open: set[_Side] = set()

    async def start(self, accept: Accept) -> None:
        """Begin to take connections."""
        self._accept = accept

    async def stop(self) -> None:
        """Close every connection and take no more."""
        self._accept = None
        for side in list(self._open):
            side.close()
        await asyncio.sleep(0)

    def status(self) -> LinkStatus:
        """Return the present state."""
        return LinkStatus(self.name, self._accept is not None, len(self._open))

    def describe(self) -> str:
        """Say what it is."""
        return "memory"

    def connect(self, peer: Peer, source: str = "memory") -> Connection:
        """Connect as a chip would.

        Args:
            peer: takes what the collector sends.
            source: where the connection seems to come from.

        Returns:
            The chip's end.

        Raises:
            ConnectionRefusedError: the link is not started.
        """
        if self._accept is None:
            raise ConnectionRefusedError("memory link is not started")
        far, near = _Side(source), _Side(source)
        far.other, near.other = near, far
        self._open.add(near)
        near.gone = lambda: self._open.discard(near)
        far.peer = peer
        near.peer = self._accept(near)
        return far


class MemoryEnd:
    """A chip's side that keeps what it is sent."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.is_closed = False
        self.changed = asyncio.Event()

    def received(self, data: bytes) -> None:
        """Keep the bytes."""
        self.data += data
        self.changed.set()

    def closed(self) -> None:
        """Note the end."""
        self.is_closed = True
        self.changed.set()


class _Side:
    """One end; what is sent into it comes out at ``other``."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.other: _Side | None = None
        self.peer: Peer | None = None
        self.gone: Callable[[], None] = lambda: None
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._paused = False
        self._scheduled = False
        self._ending = False
        self._over = False

    def send(self, data: bytes) -> None:
        other = self.other
        if self._over or self._ending or other is None or other._over or not data:
            return
        other._waiting.append(data)
        other._waiting_bytes += len(data)
        if other._waiting_bytes > SEND_MAX and other._paused:
            self.close()
        else:
            other._schedule()

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._schedule()

    def close(self) -> None:
        if self._over or self._ending:
            return
        self._ending = True
        self._waiting.clear()
        if self.other is not None:
            self.other._end_after_data()
        self._schedule()

    def _end_after_data(self) -> None:
        self._ending = True
        self._paused = False
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled and not self._over:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False
        while self._waiting and not self._paused and self.peer is not None:
            data, self._waiting, self._waiting_bytes = b"".join(self._waiting), [], 0
            self.peer.received(data)
        if self._ending and not self._over:
            self._over = True
            self.gone()
            if self.peer is not None:
                self.peer.closed()
