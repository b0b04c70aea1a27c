"""One medium, many chips: gives each chip on a serial line or behind a broker a connection of its own.

Such a medium has no connections, so the chip's hello makes one: a hello on top of an open connection means that the
chip has given the old one up (SPEC section 9). A close by us is told by a goodbye (SPEC section 17), and so is a chip
that goes on without a connection, for instance after our restart: it says hello again soon.

Bounded: connections, hellos a second, hellos of one chip, goodbyes, bytes that wait for a paused connection. What is
beyond a bound is dropped and counted, and comes again, since it was not acknowledged. No rule of the protocol beyond
"a hello begins" stands here.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from weldgate_protocol.bus import encode_goodbye
from weldgate_protocol.reasons import WIRE_UNEXPECTED

from ..chips import device_bytes
from .base import Accept, Peer

__all__ = ["SharedConnection", "SharedMedium"]

_CHIP_HELLOS = 5.0  # of one chip in a row; after that one every so often: its own back-off begins at 0.25 s
_CHIP_HELLOS_A_S = 5.0
_HELLOS = 16_000.0  # of all chips in a row: a province's share that comes back behind one broker within a second
_HELLOS_A_S = 1_000.0  # and after that
_UNHEARD_S = 20.0  # three such waits fit into the minute within which a slip in the broker's rights is to be named
_GOODBYE_S = 1.0  # one chip is told so at most so often: what it had sent before it knew must not end its next try
_HELD_MAX = 64 * 1024  # bytes for one paused connection: 60 frames of the largest
_CHIPS_MAX = 10_000  # whose hellos and goodbyes are remembered; the one seen longest ago is forgotten


class SharedMedium:
    """The connections on one medium.

    Attributes:
        refused: hellos and frames without a connection that were dropped.
        overfull: connections closed since too much waited for them.
        held_bytes: what waits for paused connections now.
        relieved: called when some of that was handed over or dropped.
    """

    def __init__(
        self,
        name: str,
        max_connections: int,
        send: Callable[[str, bytes], None],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the medium.

        Args:
            name: of the link; a chip's source is ``name/chip``.
            max_connections: of more, the new one is not opened.
            send: (chip, bytes) sends to a chip; never blocks.
            clock_s: monotonic seconds.
        """
        self.name = name
        self.refused = 0
        self.overfull = 0
        self.held_bytes = 0
        self.relieved: Callable[[], None] = lambda: None
        self._max = max_connections
        self._send = send
        self.clock_s = clock_s
        self._accept: Accept | None = None
        self._open: dict[str, SharedConnection] = {}
        self._went_on_s = float("-inf")
        self._allowed = _Allowances(clock_s)

    def __len__(self) -> int:
        return len(self._open)

    def start(self, accept: Accept) -> None:
        """Begin to open connections."""
        self._accept = accept

    def take(self, chip: str, hello: bool, data: bytes) -> None:
        """Hand a chip's bytes to its connection.

        Args:
            chip: who, by its number as decimal text.
            hello: they begin with a hello.
            data: whole frames, as on the wire.
        """
        connection = self._open.get(chip)
        if hello and (connection is None or connection.used):
            connection = self._begin(chip)
        elif connection is None:
            self.refused += 1
            self._goodbye(chip, data)
        if connection is not None:
            connection.take(data)

    def held_back(self, chip: str) -> bool:
        """Tell whether a chip's connection is paused, so that it need not be asked for more."""
        connection = self._open.get(chip)
        return connection is not None and connection.held_back

    def unheard(self) -> bool:
        """Tell whether answers seem to reach nobody: an answered hello is long past, and no chip went on since.

        A broker's ACL may drop what we publish without a word; a chip that is welcomed answers within a second.
        """
        late_s = self.clock_s() - _UNHEARD_S
        return any(
            self._went_on_s < one.answered_s < late_s
            for one in self._open.values()
            if one.answered_s and not one.went_on
        )

    def heard_on(self) -> None:
        """Note that a chip went on after its hello: answers do reach somebody."""
        self._went_on_s = self.clock_s()

    def drop(self) -> None:
        """End every connection: the medium is gone."""
        for connection in list(self._open.values()):
            connection.give_up()

    def stop(self) -> None:
        """Say goodbye on every connection, end it, and open no more."""
        self._accept = None
        for connection in list(self._open.values()):
            connection.close()

    def leave(self, connection: "SharedConnection") -> None:
        """Forget a connection."""
        if self._open.get(connection.chip) is connection:
            del self._open[connection.chip]

    def write(self, connection: "SharedConnection", data: bytes) -> None:
        """Send, unless a newer connection has the chip."""
        if self._open.get(connection.chip) is connection:
            self._send(connection.chip, data)

    def goodbye(self, connection: "SharedConnection", last: bytes) -> None:
        """Tell a chip that its conversation is over, unless a newer one has begun; ``last`` as in ``_goodbye``."""
        if self._open.get(connection.chip) is connection:
            self._goodbye(connection.chip, last)

    def _goodbye(self, chip: str, last: bytes) -> None:
        """Tell a chip to begin anew; ``last`` is a frame of it on the wire, whose parity is the one it looks for."""
        device = device_bytes(chip)
        if device is not None and len(last) > 1 and self._allowed.goodbye(chip):
            self._send(chip, encode_goodbye(device, last[1], WIRE_UNEXPECTED))

    def _begin(self, chip: str) -> "SharedConnection | None":
        """Open a connection in place of an older one, or count that there are too many."""
        older = self._open.get(chip)
        full = older is None and len(self._open) >= self._max
        if self._accept is None or full or not self._allowed.hello(chip):
            self.refused += 1
            return None
        if older is not None:
            older.give_up()
        connection = SharedConnection(self, chip)
        if older is not None and not older.went_on:
            connection.answered_s = older.answered_s  # the same silence goes on
        self._open[chip] = connection
        connection.peer = self._accept(connection)
        return connection if self._open.get(chip) is connection else None


class SharedConnection:
    """One chip's pipe on a shared medium."""

    def __init__(self, medium: SharedMedium, chip: str) -> None:
        self.chip = chip
        self.source = f"{medium.name}/{chip}"
        self.peer: Peer | None = None
        self.used = False  # bytes have come; a hello now would be another connection's
        self.went_on = False  # more than a hello has come
        self.answered_s = 0.0  # when the hello was answered, 0 for not yet
        self.held_back = False
        self._medium = medium
        self._last = b""
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._over = False

    def take(self, data: bytes) -> None:
        """Hand bytes over, or keep them while paused; what is too much closes, and comes again on the next one."""
        if self.used and not self.went_on:
            self.went_on = True
            self._medium.heard_on()
        self.used = True
        self._last = data
        if self._over or self.peer is None:
            return
        if not self.held_back and not self._held:
            self.peer.received(data)
        elif self._held_bytes + len(data) > _HELD_MAX:
            self._medium.overfull += 1
            self.close()
        else:
            self._held.append(data)
            self._hold(len(data))

    def send(self, data: bytes) -> None:
        """Send bytes."""
        if not self._over:
            self.answered_s = self.answered_s or self._medium.clock_s()
            self._medium.write(self, data)

    def pause(self) -> None:
        """Keep what comes."""
        self.held_back = True

    def resume(self) -> None:
        """Hand over what was kept, on the loop's next turn: whoever resumes may not be ready for it within the call."""
        self.held_back = False
        if self._held:
            asyncio.get_running_loop().call_soon(self._release)

    def close(self) -> None:
        """Say goodbye and close; the peer is told on the loop's next turn."""
        if not self._over:
            self._medium.goodbye(self, self._last)
        self.give_up()

    def give_up(self) -> None:
        """Close without a word: the chip has begun anew, or the medium is gone."""
        if self._over:
            return
        self._over = True
        self._held.clear()
        self._hold(-self._held_bytes)
        self._medium.leave(self)
        asyncio.get_running_loop().call_soon(self._tell)

    def _release(self) -> None:
        while self._held and not self.held_back and not self._over and self.peer is not None:
            data = self._held.pop(0)
            self._hold(-len(data))
            self.peer.received(data)

    def _hold(self, more: int) -> None:
        self._held_bytes += more
        self._medium.held_bytes += more
        if more < 0:
            self._medium.relieved()

    def _tell(self) -> None:
        peer, self.peer = self.peer, None
        if peer is not None:
            peer.closed()


class _Allowances:
    """How often a chip may begin anew and is told so, and how often all together."""

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._all = _HELLOS
        self._all_s = clock_s()
        self._chips: dict[str, tuple[float, float]] = {}  # chip: hellos it may still say, when it said the last one
        self._told_s: dict[str, float] = {}

    def hello(self, chip: str) -> bool:
        now_s = self._clock_s()
        self._all = min(_HELLOS, self._all + (now_s - self._all_s) * _HELLOS_A_S)
        self._all_s = now_s
        left, last_s = self._chips.pop(chip, (_CHIP_HELLOS, now_s))
        left = min(_CHIP_HELLOS, left + (now_s - last_s) * _CHIP_HELLOS_A_S)
        allowed = left >= 1 and self._all >= 1
        self._chips[chip] = (left - allowed, now_s)
        self._all -= allowed
        _forget(self._chips)
        return allowed

    def goodbye(self, chip: str) -> bool:
        now_s = self._clock_s()
        if now_s - self._told_s.get(chip, now_s - _GOODBYE_S) < _GOODBYE_S:
            return False
        self._told_s.pop(chip, None)
        self._told_s[chip] = now_s
        _forget(self._told_s)
        return True


def _forget(known: dict[str, Any]) -> None:
    """Bound what is remembered of chips."""
    if len(known) > _CHIPS_MAX:
        del known[next(iter(known))]
