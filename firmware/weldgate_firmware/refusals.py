"""Refusals to be recorded: the first of a kind at once, its repeats as a count a minute later.

A scanner held before a wrong code refuses ten times a second; flash and welder need to be told once.
"""

from weldgate_protocol._compat import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Fields = dict[str, Any]

WINDOW_S = const(60)  # repeats are summed up for so long
KINDS_MAX = const(8)  # different (reason, via) at a time


class Refusals:
    """Which refusals are being counted: (reason, via) -> [fields, repeats, seconds left]."""

    def __init__(self) -> None:
        self._open: "dict[int, list[Any]]" = {}
        self._overflow = 0  # refusals that found no place to be counted apart

    def note(self, reason: int, via: int, who: "Fields") -> "Fields | None":
        """Count a refusal and return the record to be written now, None when it is a repeat.

        Args:
            reason: why, a number of the register.
            via: 1 scanner, 2 console, 3 downlink.
            who: token, kid and holder, as far as they are known from a verified token.
        """
        kind = reason << 2 | (via & 3)
        known = self._open.get(kind)
        if known is not None:
            known[1] += 1
            return None
        if len(self._open) >= KINDS_MAX:
            self._overflow += 1
            return None
        fields = {"reason": reason, "via": via}
        fields.update(who)
        self._open[kind] = [fields, 0, WINDOW_S]
        first = {"count": 1}
        first.update(fields)
        return first

    def take_overflow(self) -> int:
        """Return how many refusals found no place since the last call."""
        overflow = self._overflow
        self._overflow = 0
        return overflow

    def passed(self, seconds: int) -> "list[Fields]":
        """Let seconds pass and return the records of what was repeated."""
        if not self._open:
            return []
        due = []
        still = {}
        for kind, item in self._open.items():
            item[2] -= seconds
            if item[2] > 0:
                still[kind] = item
            elif item[1]:
                fields = {"count": item[1]}
                fields.update(item[0])
                due.append(fields)
        self._open = still
        return due
