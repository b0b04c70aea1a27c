"""One log line a minute for each cause: what somebody else can repeat at will must not fill our disk.

The first occurrence is told at once; later ones are counted, and told with their number when the minute is over.
"""

from collections.abc import Callable, Hashable

__all__ = ["Quiet"]

_EVERY_S = 60.0
_KEYS_MAX = 10_000  # causes remembered; the oldest goes first, and is told again when it comes back


class Quiet:
    """Counts occurrences by cause, and says when a line is due."""

    def __init__(self, clock_s: Callable[[], float], every_s: float = _EVERY_S) -> None:
        """Take the clock, monotonic seconds, and the time between two lines of one cause."""
        self._clock_s = clock_s
        self._every_s = every_s
        self._told: dict[Hashable, tuple[float, int]] = {}  # when the last line was due, how many came since

    def count(self, cause: Hashable) -> int:
        """Count one occurrence.

        Returns:
            How many there were since the last line, this one included, when a line is due now; else 0.
        """
        now_s = self._clock_s()
        last_s, since = self._told.pop(cause, (float("-inf"), 0))
        due = now_s - last_s >= self._every_s
        self._told[cause] = (now_s, 0) if due else (last_s, since + 1)
        if len(self._told) > _KEYS_MAX:
            del self._told[next(iter(self._told))]
        return since + 1 if due else 0
