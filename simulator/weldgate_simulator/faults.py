"""What goes wrong and when, drawn from a seed: a schedule of faults in time, and a line that spoils what it carries.

The schedule only says what is due; the scenario does it (cut the link, the power, the flash) since only the scenario
holds those parts. Every number is repeatable by the seed and printed with a failure.
"""

import random
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

__all__ = ["Fault", "FaultKind", "LossyLine", "Schedule", "draw_schedule"]


class FaultKind(StrEnum):
    """What goes wrong."""

    LINK_CUT = "link_cut"  # the connection drops and stays down
    POWER_CUT = "power_cut"  # mains and stored energy, at once
    SUPPLY_FAIL = "supply_fail"  # mains alone: the chip says farewell on stored energy
    FLASH_FAIL = "flash_fail"  # program and erase fail
    UPSTREAM_DEAD = "upstream_dead"  # broker or consumer gone
    COLLECTOR_KILL = "collector_kill"
    CLOCK_JUMP = "clock_jump"  # a wall clock goes wrong by `amount` seconds
    LINE_NOISE = "line_noise"  # the line loses, tears, repeats, reorders: see LossyLine


DURATIONS_MS = {
    FaultKind.LINK_CUT: (500, 20_000),
    FaultKind.POWER_CUT: (200, 10_000),
    FaultKind.SUPPLY_FAIL: (50, 10_000),
    FaultKind.FLASH_FAIL: (100, 5_000),
    FaultKind.UPSTREAM_DEAD: (1_000, 30_000),
    FaultKind.COLLECTOR_KILL: (200, 5_000),
    FaultKind.CLOCK_JUMP: (0, 0),
    FaultKind.LINE_NOISE: (500, 20_000),
}
JUMP_S = 400 * 86_400  # a jump is at most so long, either way


class Fault(NamedTuple):
    """One fault: from ``at_ms`` for ``duration_ms`` on chip number ``target``; ``amount`` is a jump's seconds."""

    at_ms: int
    kind: FaultKind
    duration_ms: int
    target: int
    amount: int = 0

    @property
    def until_ms(self) -> int:
        """Return when it is over."""
        return self.at_ms + self.duration_ms


class Schedule:
    """Faults in the order of their time, handed out once each.

    Args:
        faults: in any order.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults: Sequence[Fault] = tuple(sorted(faults))
        self._next = 0

    def take_due(self, now_ms: int) -> list[Fault]:
        """Return the faults that have begun since the last call."""
        first = self._next
        while self._next < len(self.faults) and self.faults[self._next].at_ms <= now_ms:
            self._next += 1
        return list(self.faults[first : self._next])

    def active(self, kind: FaultKind, target: int, now_ms: int) -> bool:
        """Return whether a fault of this kind holds the target now."""
        return any(f.kind == kind and f.target == target and f.at_ms <= now_ms < f.until_ms for f in self.faults)


def draw_schedule(
    seed: int, horizon_ms: int, count: int, targets: int = 1, kinds: Sequence[FaultKind] = tuple(FaultKind)
) -> Schedule:
    """Draw ``count`` faults that begin within ``horizon_ms``.

    Args:
        seed: the same seed draws the same faults.
        horizon_ms: they begin in [0, horizon_ms).
        count: how many.
        targets: chips to choose from, numbered from 0.
        kinds: kinds to choose from.

    Raises:
        ValueError: nothing to choose from.
    """
    if horizon_ms < 1 or targets < 1 or not kinds or count < 0:
        raise ValueError(f"no faults to draw: horizon {horizon_ms} ms, {targets} targets, {len(kinds)} kinds, {count}")
    draw = random.Random(seed)  # noqa: S311 - repeatable by its seed
    faults = []
    for _ in range(count):
        kind = draw.choice(kinds)
        at_ms = draw.randrange(horizon_ms)
        duration_ms = draw.randint(*DURATIONS_MS[kind])
        target = draw.randrange(targets)
        amount = draw.randint(-JUMP_S, JUMP_S) if kind == FaultKind.CLOCK_JUMP else 0
        faults.append(Fault(at_ms, kind, duration_ms, target, amount))
    return Schedule(faults)


class LossyLine:
    """A line that loses, tears, flips, repeats, reorders and delays the pieces it carries, each with its permille.

    Args:
        seed: the same seed and the same pieces give the same damage.
        lost: pieces that vanish.
        torn: pieces cut short.
        flipped: pieces with one bit turned.
        repeated: pieces that come twice.
        reordered: pieces that come after the one behind them; the last waits until another comes, or `flush`.

    Attributes:
        counts: how often each damage was done, by its name.
    """

    def __init__(
        self, seed: int, *, lost: int = 0, torn: int = 0, flipped: int = 0, repeated: int = 0, reordered: int = 0
    ) -> None:
        self._draw = random.Random(seed)  # noqa: S311 - repeatable by its seed
        self._permille = {
            "lost": lost,
            "torn": torn,
            "flipped": flipped,
            "repeated": repeated,
            "reordered": reordered,
        }
        for name, value in self._permille.items():
            if not 0 <= value <= 1000:
                raise ValueError(f"{name} is {value} permille, allowed 0 to 1000")
        self.counts = dict.fromkeys(self._permille, 0)
        self._held: list[bytes] = []

    def carry(self, piece: bytes) -> list[bytes]:
        """Put one piece in; return the pieces that come out now, in their order."""
        if self._strikes("lost"):
            return []
        if piece and self._strikes("torn"):
            piece = piece[: self._draw.randrange(len(piece))]
        if piece and self._strikes("flipped"):
            bit = self._draw.randrange(8 * len(piece))
            place = bit // 8
            piece = piece[:place] + bytes([piece[place] ^ 1 << bit % 8]) + piece[place + 1 :]
        pieces = [piece, piece] if self._strikes("repeated") else [piece]
        if not self._held and self._strikes("reordered"):
            self._held = pieces
            return []
        return pieces + self.flush()

    def flush(self) -> list[bytes]:
        """Return the pieces that were held back."""
        held, self._held = self._held, []
        return held

    def _strikes(self, name: str) -> bool:
        if not self._permille[name] or self._draw.randrange(1000) >= self._permille[name]:
            return False
        self.counts[name] += 1
        return True
