"""Durable facts on their way to the log: put off until after the relay has moved, written in order.

Opening never waits for flash, so what an opening leaves behind (a latch, a lock, the end of a session) is queued here
and written by `flush`, one at a time. A newer value of the same fact replaces the one that waits.

Latches and locks have places of their own in the queue, so that however long flash fails, none stays in memory alone.
Eight of each hold at most, and no order is carried out whose id finds no place, so the places are always enough.
"""

from weldgate_firmware.log import LATCH, LOCK
from weldgate_protocol._compat import const
from weldgate_protocol.errors import StorageError
from weldgate_protocol.reasons import STORAGE_FULL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from weldgate_firmware.log import Log

PENDING_MAX = const(40)  # some latches and locks, some used ids and one of each other kind
HOLDS_ROOM = const(24)  # further places for latches and locks: 8 of each, and what one order takes away


class Pending:
    """The queue before the log.

    Attributes:
        log: where the facts go; reading goes straight to it.
        failing: the last write did not succeed; cleared by one that does.
    """

    def __init__(self, log: "Log") -> None:
        self.log = log
        self.failing = False
        self._queue: "list[tuple[int, bytes, bytes | None]]" = []

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, kind: int, value: bytes, key: bytes = b"") -> None:
        """Queue a fact.

        Raises:
            StorageError: STORAGE_FULL, too many wait.
        """
        self._add(kind, key, value)

    def remove(self, kind: int, key: bytes = b"") -> None:
        """Queue the removal of a fact; raises as `put`."""
        self._add(kind, key, None)

    def _add(self, kind: int, key: bytes, value: "bytes | None") -> None:
        kept = [item for item in self._queue if item[0] != kind or item[1] != key]
        room = PENDING_MAX + HOLDS_ROOM if kind in (LATCH, LOCK) else PENDING_MAX
        if len(kept) >= room:
            raise StorageError(STORAGE_FULL, "%d facts wait for flash, no more fit" % len(kept))
        kept.append((kind, key, value))
        self._queue = kept

    def flush(self, may_erase: bool) -> bool:
        """Write the fact that has waited longest; True when one was written.

        Raises:
            StorageError: flash did not take it; it stays queued.
        """
        if not self._queue:
            return False
        kind, key, value = self._queue[0]
        self.failing = True
        if value is None:
            self.log.remove(kind, key, may_erase)
        else:
            self.log.put(kind, value, key, may_erase)
        self.failing = False
        self._queue = self._queue[1:]
        return True
