"""The contactor between relay and welding machine: it needs time to move, and its contact can weld.

The coil is fed from the mains through the relay, so it drops out when either goes. A welded contact stays closed
whatever the coil does; the mirror contact is linked to it and says so (IEC 60947-4-1, annex F).
"""

__all__ = ["Contactor"]

PULL_IN_MS = 20
DROP_OUT_MS = 15
MOVES_KEPT = 64  # more than can happen between two looks at the samples


class Contactor:
    """A normally open contact.

    Attributes:
        welded: the contact does not open again once it is closed. Set it back to let it go.
    """

    def __init__(self) -> None:
        self._relay = False
        self._supplied = True
        self._welded = False
        self._moves: list[tuple[int, bool]] = []  # (milliseconds, closed), the first ones forgotten
        self._pending: tuple[int, bool] | None = None

    @property
    def welded(self) -> bool:
        """Return whether the contact is welded."""
        return self._welded

    def weld(self, welded: bool, now_ms: int) -> None:
        """Weld the contact, or break the weld: then it follows its coil again."""
        self._settle(now_ms)
        self._welded = welded
        self._aim(now_ms)

    def command(self, closed: bool, now_ms: int) -> None:
        """Close or open the relay in the coil's circuit."""
        self._settle(now_ms)
        self._relay = closed
        self._aim(now_ms)

    def supply(self, present: bool, now_ms: int) -> None:
        """Bring or take the coil's supply."""
        self._settle(now_ms)
        self._supplied = present
        self._aim(now_ms)

    def closed(self, at_ms: int) -> bool:
        """Return whether the contact is closed at ``at_ms``, a time since the last few dozen moves."""
        self._settle(at_ms)
        for moved_ms, closed in reversed(self._moves):
            if moved_ms <= at_ms:
                return closed
        return False

    def next_move(self, after_ms: int) -> int | None:
        """Return when the contact moves next after ``after_ms``, None when nothing is under way."""
        later = [moved_ms for moved_ms, _ in self._moves if moved_ms > after_ms]
        if later:
            return later[0]
        return self._pending[0] if self._pending and self._pending[0] > after_ms else None

    def _aim(self, now_ms: int) -> None:
        """Start the movement that coil and weld ask for, or call off the one under way."""
        resting = bool(self._moves) and self._moves[-1][1]
        wanted = (self._relay and self._supplied) or (self._welded and resting)
        if wanted == resting:
            self._pending = None
        elif self._pending is None or self._pending[1] != wanted:
            self._pending = (now_ms + (PULL_IN_MS if wanted else DROP_OUT_MS), wanted)

    def _settle(self, now_ms: int) -> None:
        if self._pending and self._pending[0] <= now_ms:
            self._moves.append(self._pending)
            del self._moves[:-MOVES_KEPT]
            self._pending = None
