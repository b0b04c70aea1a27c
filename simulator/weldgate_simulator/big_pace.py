"""Acks at a steady rate, each timed, while a large store changes segments, seals one and deletes another.

The senders are the load generator's, but each sends only what its pacer allows; a frame's time runs from the moment its
turn came, so a generator that is late does not hide what it waited for.
"""

import asyncio
import sqlite3
import time
from typing import NamedTuple

from weldgate_collector import Chip, list_segments
from weldgate_protocol.reasons import TOOL_TIMEOUT
from weldgate_simulator.big_line import BigLine
from weldgate_simulator.line import LineError
from weldgate_simulator.load import Sender, percentile

__all__ = ["Paced", "PacedSender", "pace"]

_BEAT_S = 0.005
_WARM_S = 3
_PAYLOAD_BYTES = 66


class PacedSender(Sender):
    """A chip that sends a frame when its turn comes.

    Attributes:
        waits_ms: of each acknowledged frame, from its turn to its ack.
        welcomed: whether the collector knows it.
    """

    def __init__(self, chip: Chip, frames: int) -> None:
        """Sign all frames beforehand."""
        super().__init__(chip, frames, frames, _PAYLOAD_BYTES)
        self.waits_ms: list[float] = []
        self.welcomed = False
        self._turns_s: list[float] = []  # 0 for one that is not timed

    def turn(self, timed: bool) -> None:
        """Send the next frame, or as soon as the collector takes it."""
        self._turns_s.append(time.perf_counter() if timed else 0.0)
        if self.welcomed:
            self._send()

    def _allowed(self) -> int:
        return len(self._turns_s)

    def _note(self, through: int) -> None:
        self.welcomed = True
        now_s = time.perf_counter()
        turns_s = self._turns_s[self.acknowledged : through]
        self.waits_ms += [(now_s - turn_s) * 1000 for turn_s in turns_s if turn_s]
        super()._note(through)


class Paced(NamedTuple):
    """What was measured.

    Attributes:
        frames: acknowledged.
        p50_ms, p99_ms, worst_ms: from a frame's turn to its ack.
        sealed, deleted: segments that were meanwhile.
    """

    frames: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    sealed: int
    deleted: int


def pace(big: BigLine, per_s: int, seconds: int) -> Paced:
    """Run a line at a steady rate; the first seconds, when a thousand chips have just said hello, are not timed.

    Args:
        big: a line that does not run; its configuration says what is deleted.
        per_s: frames a second, by all callers in turn.
        seconds: how long.

    Raises:
        LineError: not everything was acknowledged.
    """
    before = list_segments(big.line.store)
    frames = -(-per_s * (_WARM_S + seconds) // len(big.callers))
    senders = [PacedSender(chip, frames) for chip in big.callers]
    with big.line as line:
        asyncio.run(_drive(senders, line.port, per_s, frames))
    after = list_segments(big.line.store)
    waits = sorted(wait for sender in senders for wait in sender.waits_ms)
    if any(sender.acknowledged < frames for sender in senders) or len(waits) < per_s * seconds // 2:
        raise LineError(TOOL_TIMEOUT, "not every frame was acknowledged")
    sealed = sum(_is_sealed(segment.path) for segment in after if segment.first >= before[-1].first)
    deleted = len(set(before) - set(after))
    p50_ms, p99_ms = percentile(waits, 50), percentile(waits, 99)
    return Paced(len(waits), p50_ms, p99_ms, waits[-1], sealed, deleted)


async def _drive(senders: list[PacedSender], port: int, per_s: int, frames: int) -> None:
    running = asyncio.gather(*(sender.run("127.0.0.1", port) for sender in senders))
    while not all(sender.welcomed for sender in senders):
        await asyncio.sleep(_BEAT_S)
    started_s, given, total = time.perf_counter(), 0, frames * len(senders)
    while given < total:
        due = min(total, int((time.perf_counter() - started_s) * per_s))
        for number in range(given, due):
            senders[number % len(senders)].turn(timed=number >= per_s * _WARM_S)
        given = due
        await asyncio.sleep(_BEAT_S)
    await asyncio.wait_for(running, 60)


def _is_sealed(path: object) -> bool:
    connection = sqlite3.connect(str(path))
    try:
        return bool(connection.execute("SELECT sealed FROM segment").fetchone()[0])
    finally:
        connection.close()
