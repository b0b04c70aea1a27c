"""Time for simulated boards: virtual time that only moves when told to, and the host's own for a chip in real time.

Both count milliseconds that never go back (`now_ms`), the chip's wrapping ticks (`ticks_ms`) and a wall clock that can
be set wrong by `jump`. Virtual time also keeps a calendar: what is due happens in its order while time advances, and
a step that costs time is charged with `charge_us`.
"""

import heapq
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["TICKS_PERIOD_MS", "HostClock", "TimeSource", "VirtualClock"]

TICKS_PERIOD_MS = 1 << 30  # MicroPython on 32 bits; about 12.4 days
START_S = 1_790_000_000  # Unix seconds at which virtual time starts unless told otherwise (2026-09-21)


class TimeSource(Protocol):
    """What a board needs of a clock."""

    def now_ms(self) -> int:
        """Return milliseconds since the clock was made; never goes back, never wraps."""
        ...

    def ticks_ms(self) -> int:
        """Return the chip's ticks, 0..2^30 - 1, which wrap."""
        ...

    def wall_ms(self) -> int:
        """Return what a wall clock shows, in Unix milliseconds; `jump` makes it go wrong."""
        ...


class VirtualClock:
    """A clock that moves when told to.

    Args:
        start_s: wall time at the start, Unix seconds.
        ticks: the chip's ticks at the start; near 2^30 to see them wrap.
    """

    def __init__(self, start_s: int = START_S, ticks: int = 0) -> None:
        self._now_us = 0
        self._wall_ms = start_s * 1000
        self._ticks = ticks
        self._calendar: list[tuple[int, int, Callable[[], None]]] = []
        self._entered = 0

    def now_ms(self) -> int:
        """Return milliseconds since the start."""
        return self._now_us // 1000

    def ticks_ms(self) -> int:
        """Return ticks that wrap at 2^30."""
        return (self._ticks + self._now_us // 1000) % TICKS_PERIOD_MS

    def wall_ms(self) -> int:
        """Return the wall clock, Unix milliseconds."""
        return self._wall_ms + self._now_us // 1000

    def jump(self, seconds: int) -> None:
        """Set the wall clock forward, or back where negative; running time does not notice."""
        self._wall_ms += seconds * 1000

    def charge_us(self, us: int) -> None:
        """Let the time pass that a step has cost; what falls due meanwhile waits for the next `advance`.

        Raises:
            ValueError: ``us`` is negative.
        """
        if us < 0:
            raise ValueError(f"time can't go back by {-us} us")
        self._now_us += us

    def at(self, when_ms: int, call: Callable[[], None]) -> None:
        """Enter a call in the calendar; a time that has passed is due at the next `advance`. Ties keep their order."""
        self._entered += 1
        heapq.heappush(self._calendar, (when_ms, self._entered, call))

    def advance(self, ms: int) -> None:
        """Move on by ``ms``; each call of the calendar finds the clock at its own time.

        Raises:
            ValueError: ``ms`` is negative.
        """
        if ms < 0:
            raise ValueError(f"time can't go back by {-ms} ms")
        end_us = self._now_us + ms * 1000
        while self._calendar and self._calendar[0][0] * 1000 <= end_us:
            when_ms, _, call = heapq.heappop(self._calendar)
            self._now_us = max(self._now_us, when_ms * 1000)
            call()
        self._now_us = max(self._now_us, end_us)


class HostClock:
    """The host's time, for a chip that runs in real time beside real sockets."""

    def __init__(self, ticks: int = 0) -> None:
        self._start_ns = time.monotonic_ns()
        self._ticks = ticks
        self._jumped_ms = 0

    def now_ms(self) -> int:
        """Return milliseconds since the clock was made."""
        return (time.monotonic_ns() - self._start_ns) // 1_000_000

    def ticks_ms(self) -> int:
        """Return ticks that wrap at 2^30."""
        return (self._ticks + self.now_ms()) % TICKS_PERIOD_MS

    def wall_ms(self) -> int:
        """Return the host's wall clock, moved by the jumps, Unix milliseconds."""
        return time.time_ns() // 1_000_000 + self._jumped_ms

    def jump(self, seconds: int) -> None:
        """Show a wall time that is wrong by so much more."""
        self._jumped_ms += seconds * 1000
