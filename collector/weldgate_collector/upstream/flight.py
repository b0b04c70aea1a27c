"""Which rows are on their way, what became of them, and how far the cursor may go. Pure.

Theory of operation. Rows are offered in order; they settle in any order. ``through`` is the row up to which all are
settled, and the only thing that is stored. A refused row is tried again after a pause while others go on; after
``tries`` it is to be set aside. A row that ends the connection is found out so: when two connections in a row brought
nothing forward, rows go one at a time, then two, four and so on as they get through; an end leads back to one. A row
that was alone on its way when the connection ended is suspect: from now on another one goes first, and if that gets
through and the suspect ends the same connection, ``tries`` times, it is to be set aside. Where nothing gets through it
is the far end's fault, and nothing is.
"""

from collections import deque
from collections.abc import Iterable

from .carrier import Refused
from .document import Row

__all__ = ["Flight"]

_PAUSE_FIRST_S = 0.25
_PAUSE_MAX_S = 30.0
_FRUITLESS_MAX = 2
_LIMIT_MAX = 1_024
_SPAN_MAX = 100_000  # so far may rows settle ahead of one that is refused


class Flight:
    """The rows of one upstream.

    Attributes:
        through: all rows up to it are settled.
        next: the row to be read next.
        limit: rows on their way at most, 0 for what the window allows.
    """

    def __init__(self, through: int, tries: int) -> None:
        self.through = through
        self.next = through + 1
        self.limit = 0
        self._tries = tries
        self._order: deque[int] = deque()  # read and not settled, or settled behind one that is not
        self._settled: set[int] = set()
        self._away: dict[int, Row] = {}  # offered, nothing heard
        self._refused: dict[int, tuple[Row, int, float, str]] = {}  # row, tries, when to try again, why
        self._leaving: set[int] = set()  # on their way to being set aside
        self._ends: dict[int, int] = {}  # suspects: connections they ended
        self._guilt: dict[int, int] = {}  # and how many of those after others had got through
        self._fruitless = 0
        self._was_fruitful = False

    @property
    def is_stuck(self) -> bool:
        """Whether connection after connection ends with rows on their way and none getting through."""
        return self._fruitless >= _FRUITLESS_MAX

    @property
    def away(self) -> int:
        """How many rows are with the carrier."""
        return len(self._away)

    def may_read(self, window: int) -> int:
        """Return how many rows may be read from the store now."""
        if self._ends:
            return 1 if not self._away and len(self._ends) < 2 else 0
        if self.limit:
            return 0 if self._away else self.limit
        if self.next - self.through > _SPAN_MAX:
            return 0
        return max(0, window - len(self._away) - len(self._refused))

    def read(self, rows: Iterable[Row], through: int) -> list[Row]:
        """Take rows that were read; return those to be offered.

        Args:
            rows: in order.
            through: the row up to which they were asked for.
        """
        fresh: list[Row] = []
        for row in rows:
            index = row.idx
            if index not in self._settled and index not in self._refused and index not in self._leaving:
                fresh.append(row)
                self._away[index] = row
            self._order.append(index)
            self.next = index + 1
        self.next = max(self.next, through + 1)
        self._advance()
        return fresh

    def due(self, now_s: float, room: int, more: bool) -> list[Row]:
        """Return refused rows whose pause is over; they count as offered now.

        Args:
            now_s: monotonic seconds.
            room: at most so many.
            more: rows can be read; then they go before a suspect until one got through on this connection.
        """
        if self.limit and more and not self._was_fruitful and self.may_read(1):
            return []
        held = [index for index, due in self._refused.items() if due[2] <= now_s and self._may_go(index)]
        if self.limit:
            held = sorted(held, key=lambda index: (self._ends.get(index, 0), index))
            room = 0 if self._away else min(room, 1)
        rows = [self._refused[index][0] for index in held[:room]]
        for row in rows:
            self._away[row.idx] = row
        return rows

    def first_due_s(self) -> float | None:
        """Return when the first refused row is to be tried again, None when none is."""
        return min((held[2] for index, held in self._refused.items() if self._may_go(index)), default=None)

    def done(self, indices: Iterable[int]) -> None:
        """Take rows as delivered."""
        for index in indices:
            if self._away.pop(index, None) is None:
                continue
            self._settle(index)
            self._fruitless, self._was_fruitful = 0, True
        self._advance()

    def refused(self, refusals: Iterable[Refused], now_s: float) -> list[tuple[Row, int, str]]:
        """Take rows as refused; return (row, tries, reason) of those to be set aside."""
        found: list[tuple[Row, int, str]] = []
        for index, reason in refusals:
            row = self._away.pop(index, None)
            if row is None:
                continue
            tries = self._refused[index][1] + 1 if index in self._refused else 1
            pause_s = min(_PAUSE_FIRST_S * 2 ** min(tries - 1, 10), _PAUSE_MAX_S)
            self._refused[index] = (row, tries, now_s + pause_s, reason)
            if tries >= self._tries:
                self._leaving.add(index)
                found.append((row, tries, reason))
        return found

    def set_aside(self, index: int) -> None:
        """Settle a row that is set aside durably."""
        self._leaving.discard(index)
        self._settle(index)
        self._advance()

    def keep(self, index: int, now_s: float) -> None:
        """Go on trying a row that can't be set aside now."""
        self._leaving.discard(index)
        if index in self._refused:
            row, tries, _, reason = self._refused[index]
            self._refused[index] = (row, tries, now_s + _PAUSE_MAX_S, reason)

    def ended(self, now_s: float, reason: str) -> list[tuple[Row, int, str]]:
        """Take the end of a connection: what is on its way is to be offered again.

        Returns:
            (row, tries, reason) of a row that is to be set aside, since it ends connections.
        """
        found: list[tuple[Row, int, str]] = []
        self._fruitless = 0 if self._was_fruitful or not self._away else self._fruitless + 1
        if self.limit and len(self._away) == 1:
            ((index, row),) = self._away.items()
            self._ends[index] = self._ends.get(index, 0) + 1
            guilt = self._guilt[index] = self._guilt.get(index, 0) + self._was_fruitful
            words = f"it ends the connection, and others get through: {reason}"
            self._refused[index] = (row, self._ends[index], now_s + _PAUSE_FIRST_S, words)
            if guilt >= self._tries:
                self._leaving.add(index)
                found.append((row, self._ends[index], words))
        if self._away and (self.limit or self._fruitless >= _FRUITLESS_MAX):
            self.limit = 1
        self._was_fruitful = False
        self._away.clear()
        self._order.clear()
        self.next = self.through + 1
        return found

    def _settle(self, index: int) -> None:
        self._settled.add(index)
        for held in (self._refused, self._ends, self._guilt):
            held.pop(index, None)
        if self.limit and not self._away and not self._ends:
            self.limit = self.limit * 2 if self.limit < _LIMIT_MAX else 0

    def _may_go(self, index: int) -> bool:
        return index not in self._away and index not in self._leaving

    def _advance(self) -> None:
        order, settled = self._order, self._settled
        while order and order[0] in settled:
            index = order.popleft()
            settled.discard(index)
            self.through = index
        if not order:
            self.through = self.next - 1
