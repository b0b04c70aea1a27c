"""How fast one chip may go: beyond it the chip is not read from until the next second, and nothing of it is lost.

A credit in bytes for each connection, filled up at a steady rate as far as a burst, which holds a chip's whole backlog.
What costs more than its bytes (a heartbeat is decoded and answered, a repeat is looked up in the store) is charged
more. Without credit the link is paused, so TCP or the bus holds the chip back; ``sweep`` lets it go on. Nobody else
waits. One log line a minute for each chip.
"""

from collections.abc import Callable
from typing import Protocol

import structlog

from .quiet import Quiet

__all__ = ["LOOKUP_BYTES", "VOLATILE_BYTES", "Pace", "Paced"]

_log = structlog.get_logger("weldgate.pace")

VOLATILE_BYTES = 2_048  # a heartbeat costs about twenty times a durable frame of 100 bytes
LOOKUP_BYTES = 8_192  # one look-up of repeats in the store
_DEBT_S = 10  # nobody waits longer for one piece, however much was in it: well below the 90 s of silence


class Paced(Protocol):
    """A connection as this module sees it."""

    device: bytes
    source: str
    credit: float
    credit_s: float
    heard_s: float

    def slow_down(self, wanted: bool) -> None:
        """Stop or go on reading."""


class Pace:
    """The rate and who is above it."""

    def __init__(self, rate_bytes_s: int, burst_bytes: int, clock_s: Callable[[], float]) -> None:
        """Take the bounds.

        Args:
            rate_bytes_s: how much credit a second brings.
            burst_bytes: how much credit there may be, and how much a new connection has.
            clock_s: monotonic seconds.
        """
        self.rate_bytes_s = rate_bytes_s
        self.burst_bytes = burst_bytes
        self.times = 0  # how often somebody was slowed down
        self._clock_s = clock_s
        self._slowed: dict[Paced, None] = {}
        self._quiet = Quiet(clock_s)

    @property
    def slowed(self) -> list[bytes]:
        """The chips that are not read from just now; empty bytes for a connection that has proved nothing."""
        return [one.device for one in self._slowed]

    def spent(self, one: Paced) -> None:
        """Look at a connection whose credit fell below 0: fill it up, and slow it down when that is not enough."""
        if one in self._slowed:
            return
        self._fill(one)
        if one.credit >= 0:
            return
        self._slowed[one] = None
        self.times += 1
        one.slow_down(True)
        times = self._quiet.count(one.device or one.source)
        if times:
            name = str(int.from_bytes(one.device, "big")) if one.device else ""
            _log.warning(
                "chip_flooding", device=name, source=one.source, allowed_bytes_s=self.rate_bytes_s, times=times
            )

    def forget(self, one: Paced) -> None:
        """Forget a connection that is over."""
        self._slowed.pop(one, None)

    def sweep(self) -> None:
        """Let those go on who have credit again; called about once a second."""
        now_s = self._clock_s()
        for one in list(self._slowed):
            one.heard_s = now_s  # what it says waits in the link
            self._fill(one)
            if one.credit >= 0:
                del self._slowed[one]
                one.slow_down(False)

    def _fill(self, one: Paced) -> None:
        now_s = self._clock_s()
        credit = max(one.credit + (now_s - one.credit_s) * self.rate_bytes_s, -float(self.rate_bytes_s * _DEBT_S))
        one.credit = min(credit, float(self.burst_bytes))
        one.credit_s = now_s
