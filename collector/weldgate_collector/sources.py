"""Where connections come from: bad tags counted by address, and which addresses are kept out for a while.

Three bad tags throttle their source (DESIGN §2.11): no new connection from there for some seconds after the last of
them. Who is online already stays. Bounded: 10,000 addresses are remembered, the longest unheard goes first.
"""

from collections.abc import Callable

import structlog

from .quiet import Quiet

__all__ = ["STRIKES_MAX", "Sources"]

_log = structlog.get_logger("weldgate.sources")

_SOURCES_MAX = 10_000
STRIKES_MAX = 3  # DESIGN §2.11


class _Source:
    __slots__ = ("bad_tags", "last_s", "strikes")

    def __init__(self) -> None:
        self.bad_tags = 0
        self.strikes = 0
        self.last_s = float("-inf")


class Sources:
    """The addresses from which bad tags came."""

    def __init__(self, throttle_s: float, clock_s: Callable[[], float]) -> None:
        """Begin with nobody.

        Args:
            throttle_s: how long after its last bad tag a source is kept out.
            clock_s: monotonic seconds.
        """
        self.throttle_s = throttle_s
        self._clock_s = clock_s
        self._known: dict[str, _Source] = {}
        self._quiet = Quiet(clock_s)

    def bad_tags(self, source: str, count: int) -> None:
        """Count bad tags that did not close their connection."""
        self._entry(source).bad_tags += count

    def strike(self, source: str, strikes: int) -> None:
        """Count a connection that was closed for its bad tags.

        Args:
            source: its address.
            strikes: what it weighs; `STRIKES_MAX` throttles at once.
        """
        entry, now_s = self._entry(source), self._clock_s()
        if now_s - entry.last_s >= self.throttle_s:
            entry.strikes = 0
        entry.strikes = min(entry.strikes + strikes, STRIKES_MAX)
        entry.last_s = now_s
        if entry.strikes >= STRIKES_MAX:
            times = self._quiet.count(source)
            if times:
                _log.warning(
                    "source_throttled", source=source, seconds=self.throttle_s, bad_tags=entry.bad_tags, times=times
                )

    def throttled(self, source: str) -> bool:
        """Tell whether a source is kept out now."""
        entry = self._known.get(source)
        return entry is not None and entry.strikes >= STRIKES_MAX and self._clock_s() - entry.last_s < self.throttle_s

    def worst(self, most: int) -> list[tuple[str, int, bool]]:
        """Return (source, bad tags, whether it is kept out) of those with most bad tags, at most so many."""
        found = sorted(self._known.items(), key=lambda item: -item[1].bad_tags)[:most]
        return [(source, entry.bad_tags, self.throttled(source)) for source, entry in found]

    def _entry(self, source: str) -> _Source:
        entry = self._known.pop(source, None) or _Source()
        self._known[source] = entry
        if len(self._known) > _SOURCES_MAX:
            del self._known[next(iter(self._known))]
        return entry
