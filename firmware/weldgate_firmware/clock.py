"""Milliseconds since boot that wrap, and wall time that may be unsure: two floors and a quality.

The `trusted` floor comes from an authenticated welcome and rises by each second of our own running time, whatever
the quality; the `tentative` one comes from the issued-at of verified tokens. The clock shows the higher of the two,
running on. A welcome may lower it, never below `trusted`, and it never touches the count of powered seconds, which
limits run on as well: whoever may tell the time can neither stretch a session nor bring back yesterday. On quality
*floor* nobody has told the time since boot: the clock is only a lower bound. Seconds are counted from 2020 (small
integers on the chip until 2054); the wire carries Unix seconds. Nothing here reads flash: `driver` stores the floors
and hands them back at boot.
"""

from weldgate_protocol._compat import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class TicksSource(Protocol):
        """Whatever counts milliseconds: `time` on the chip, a stand-in in tests and in the simulator."""

        def ticks_ms(self) -> int:
            """Return milliseconds modulo 2^30."""
            ...


TICKS_MASK = const(0x3FFFFFFF)  # MicroPython: ticks_ms wraps at 2^30
_TICKS_HALF = const(0x20000000)

EPOCH_2020_S = const(1577836800)  # Unix seconds of 2020-01-01T00:00:00Z
MAX_S = const(0x3FFFFFFF)  # seconds from 2020 that stay a small integer, January 2054

FLOOR = const(0)  # time quality on the wire (SPEC, header bits 1-0)
HELD = const(1)
SYNCED = const(2)

SYNC_HOLDS_S = const(86400)  # a crystal of 50 ppm drifts 4 s in a day: after it the time is held, no longer synced
KEEP_EVERY_S = const(600)  # DESIGN 3.6: the trusted floor is kept every 10 min
MARGIN_S = const(60)  # kept below a welcome's time: two collectors differ, and links delay
FAST_S = const(4096)  # one powered second in so many (244 ppm) does not count for the floor: no crystal is as fast


def ticks_diff(later: int, earlier: int) -> int:
    """Return `later - earlier` in milliseconds for ticks that wrap, between -2^29 and 2^29 - 1.

    Args:
        later: ticks, 0 to 2^30 - 1.
        earlier: ticks, 0 to 2^30 - 1.

    Returns:
        The signed difference. Every intermediate value is a small integer on 32 bits, so nothing is allocated.
    """
    difference = (later - earlier) & TICKS_MASK
    if difference >= _TICKS_HALF:
        return difference - _TICKS_HALF - _TICKS_HALF
    return difference


def ticks_add(ticks: int, delta_ms: int) -> int:
    """Return ticks moved by `delta_ms`, wrapped at 2^30."""
    return (ticks + delta_ms) & TICKS_MASK


def from_unix(unix_s: int) -> int:
    """Return seconds from 2020, held within 0 and `MAX_S`."""
    return min(max(unix_s - EPOCH_2020_S, 0), MAX_S)


def to_unix(seconds: int) -> int:
    """Return Unix seconds of seconds from 2020."""
    return seconds + EPOCH_2020_S


class Clock:
    """Running time, wall time with its quality, and the two floors."""

    def __init__(self, source: "TicksSource") -> None:
        self._source = source
        self._last = source.ticks_ms()
        self.uptime_s = 0
        self._up_ms = 0  # of the running powered second, which no welcome moves
        self._rest_ms = 0  # of the running second of wall time
        self._now_s = 0
        self.trusted_s = 0  # floors, seconds from 2020
        self.tentative_s = 0
        self.ceiling_s = MAX_S  # the key set's end: a welcome beyond it raises no floor, for nothing undoes that
        self._since_sync_s = -1  # powered seconds since a time was taken; -1: never since boot
        self._kept_s = 0  # the floors as they were when last handed out to be stored
        self._kept_tentative_s = 0
        self._fast_s = 0  # powered seconds since one was left out of the floor

    def ticks_ms(self) -> int:
        """Return milliseconds modulo 2^30."""
        return self._source.ticks_ms()

    def load(self, trusted_s: int, tentative_s: int) -> None:
        """Begin at the floors that flash kept (seconds from 2020)."""
        self.trusted_s = trusted_s
        self.tentative_s = max(tentative_s, trusted_s)
        self._now_s = self.tentative_s
        self._kept_s = self.trusted_s
        self._kept_tentative_s = self.tentative_s

    def advance(self) -> int:
        """Take in the ticks that have passed and return them in milliseconds, 0 or more.

        Must be called more often than every six days; the driver calls it every 10 ms.
        """
        ticks = self._source.ticks_ms()
        passed_ms = ticks_diff(ticks, self._last)
        if passed_ms <= 0:
            return 0
        self._last = ticks
        self._rest_ms += passed_ms
        if self._rest_ms >= 1000:
            seconds = self._rest_ms // 1000
            self._rest_ms -= seconds * 1000
            self._now_s = min(self._now_s + seconds, MAX_S)
        self._up_ms += passed_ms
        if self._up_ms >= 1000:
            seconds = self._up_ms // 1000
            self._up_ms -= seconds * 1000
            self._powered(seconds)
        return passed_ms

    def _powered(self, seconds: int) -> None:
        """Count powered seconds: the trusted floor rises by them, less what a fast crystal may have made up."""
        self.uptime_s += seconds
        if self._since_sync_s >= 0:
            self._since_sync_s += seconds
        self._fast_s += seconds
        left_out = self._fast_s // FAST_S
        self._fast_s -= left_out * FAST_S
        self.trusted_s = min(self.trusted_s + seconds - left_out, MAX_S)

    @property
    def now_s(self) -> int:
        """The wall time in seconds from 2020: right, or a lower bound, as `quality` says."""
        return self._now_s

    @property
    def now_ms(self) -> int:
        """The milliseconds of the running second, 0 to 999."""
        return self._rest_ms

    @property
    def quality(self) -> int:
        """FLOOR, HELD or SYNCED."""
        if self._since_sync_s < 0:
            return FLOOR
        return SYNCED if self._since_sync_s <= SYNC_HOLDS_S else HELD

    def offer(self, unix_s: int, ms: int, quality: int) -> bool:
        """Take the time of an authenticated welcome; it may lower the clock, never below the trusted floor.

        Args:
            unix_s: Unix seconds.
            ms: 0 to 999.
            quality: the sender's own; FLOOR is not taken, it is unsure itself.

        Returns:
            Whether it was taken. A time below the trusted floor lowers the clock to that floor, but is not believed.
        """
        if quality == FLOOR:
            return False
        offered_s = from_unix(unix_s)
        if offered_s < self.trusted_s:
            self._now_s = self.trusted_s
            self.tentative_s = self.trusted_s
            return False
        self._now_s = offered_s
        self._rest_ms = ms
        self._since_sync_s = 0
        self.tentative_s = offered_s
        if offered_s <= self.ceiling_s:
            self.trusted_s = max(self.trusted_s, offered_s - MARGIN_S)
        return True

    def restart(self, seconds: int) -> None:
        """Begin anew at a time (seconds from 2020) that was signed for this: both floors and the clock, unsynced."""
        self.trusted_s = self.tentative_s = self._now_s = seconds
        self._since_sync_s = -1

    def keep(self) -> bool:
        """Return True when a floor has moved by 10 min since both were stored, so that they should be again.

        No sooner, since a collector that tells the time every second must not wear out the flash.
        """
        moved_s = abs(self.trusted_s - self._kept_s)
        if moved_s < KEEP_EVERY_S and abs(self.tentative_s - self._kept_tentative_s) < KEEP_EVERY_S:
            return False
        self._kept_s = self.trusted_s
        self._kept_tentative_s = self.tentative_s
        return True

    def learn(self, seconds: int) -> bool:
        """Raise the tentative floor to what a verified token proves to be past; only an unsynced clock moves.

        How far one token may move it is judged with the token (`weldgate_protocol.token`).

        Args:
            seconds: from 2020.

        Returns:
            Whether the clock moved, so that the floor should be stored.
        """
        if self._since_sync_s >= 0 or seconds <= self._now_s:
            return False
        self._now_s = seconds
        self.tentative_s = seconds
        return True

    def stamp(self, ago_ms: int = 0) -> "tuple[int, int, int]":
        """Return the time of a record: Unix seconds, milliseconds, quality.

        Args:
            ago_ms: how long ago it happened.
        """
        ms = self._rest_ms - ago_ms
        seconds = ms // 1000
        return max(to_unix(self._now_s) + seconds, 0), ms - seconds * 1000, self.quality
