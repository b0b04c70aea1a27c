"""Lines on large stores, for `bench`: the rate with many rows stored against few, and the first ack after a start.

Both run the real processes of ``line``. The consumer is told beforehand that it has every row that was laid down, so
only what the load generator sends goes through it.
"""

import asyncio
import os
import secrets
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from weldgate_collector import Chip, add_chips, list_segments
from weldgate_protocol.reasons import TOOL_TIMEOUT
from weldgate_simulator.big_store import UPSTREAM, Laid, Plan, lay
from weldgate_simulator.line import Line, LineError
from weldgate_simulator.load import Sender, make_chips
from weldgate_simulator.upstream import Journal

__all__ = ["BigLine", "Growth", "compare_rates", "drop_cache", "first_ack_s"]

_FIRST_ACK_S = 60.0
_DIAL_S = 0.005


class BigLine(NamedTuple):
    """A line whose store was laid down.

    Attributes:
        line: not started.
        laid: what is in its store.
        callers: chips that no row is of, for the load.
        callers_file: their file.
    """

    line: Line
    laid: Laid
    callers: list[Chip]
    callers_file: Path

    @classmethod
    def make(cls, folder: Path, plan: Plan, callers: int) -> "BigLine":
        """Lay a store down and put a line around it.

        Args:
            folder: empty.
            plan: of the store.
            callers: how many chips the load has.

        Raises:
            LocalError: as `lay`.
        """
        folder.mkdir(parents=True, exist_ok=True)
        chips = make_chips(plan.chips + callers, secrets.token_bytes(32))
        add_chips(folder / "chips.jsonl", chips)
        laid = lay(folder, plan)
        callers_file = folder / "callers.jsonl"
        add_chips(callers_file, chips[plan.chips :])
        line = Line(folder, [], tethered=True)
        _tell_consumer(line.journal, laid)
        return cls(line, laid, chips[plan.chips :], callers_file)

    def rate(self, frames: int) -> tuple[float, dict[str, float]]:
        """Send frames through the whole line; return how many a second the consumer committed, and CPU seconds.

        Args:
            frames: by each caller.

        Raises:
            LocalError: it did not get through.
        """
        _forget_frames(self.line.journal)
        with self.line as line:
            sent = line.send(self.callers_file, len(self.callers), frames)
        return sent.per_s, sent.cpu_s


class Growth(NamedTuple):
    """Rates of interleaved pairs.

    Attributes:
        ratio: the median of large against small.
        small, large: frames/s of each run.
        cpu_s: CPU seconds of the collector in all runs, small and large.
    """

    ratio: float
    small: list[float]
    large: list[float]
    cpu_s: tuple[float, float]


def compare_rates(small: BigLine, large: BigLine, frames: int, pairs: int, say: Callable[[str], None]) -> Growth:
    """Measure both lines in turn, the one first and then the other, and the other way round.

    Args:
        small, large: neither runs.
        frames: by each caller in each run.
        pairs: how often.
        say: told each pair.
    """
    rates: tuple[list[float], list[float]] = ([], [])
    cpu_s = [0.0, 0.0]
    for pair in range(pairs):
        for which in (0, 1) if pair % 2 == 0 else (1, 0):
            rate, used = (small, large)[which].rate(frames)
            rates[which].append(rate)
            cpu_s[which] += used["collector"]
        say(f"  {rates[0][-1]:,.0f} and {rates[1][-1]:,.0f} frames/s")
    ratio = statistics.median(large / small for small, large in zip(*rates, strict=True))
    return Growth(ratio, rates[0], rates[1], (round(cpu_s[0], 2), round(cpu_s[1], 2)))


def first_ack_s(big: BigLine) -> float:
    """Start the collector alone and return the seconds until a chip that calls all the while has its first ack.

    The store's files are dropped from the page cache before; the collector is killed with -9 after.

    Raises:
        LineError: it had none.
    """
    sender = Sender(big.callers[0], 1, 1, 66)
    drop_cache(path for _, path in list_segments(big.line.store))
    started_s = time.monotonic()
    with _collector(big.line):
        try:
            asyncio.run(_call(sender, big.line.port))
        except TimeoutError:
            raise LineError(TOOL_TIMEOUT, f"no ack in {_FIRST_ACK_S:.0f} s") from None
        return time.monotonic() - started_s


def drop_cache(paths: Iterable[Path]) -> None:
    """Ask the kernel to forget the contents of files, so that whoever reads them next reads the disk."""
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)  # only clean pages are forgotten
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)


async def _call(sender: Sender, port: int) -> None:
    """Send all that a sender has; until somebody listens, try two hundred times a second."""
    loop = asyncio.get_running_loop()

    async def dial() -> object:
        while True:
            try:
                return await loop.create_connection(lambda: sender, "127.0.0.1", port)
            except OSError:
                await asyncio.sleep(_DIAL_S)

    async with asyncio.timeout(_FIRST_ACK_S):
        await sender.run_by(dial)


@contextmanager
def _collector(line: Line) -> Iterator[None]:
    line.launch_collector()
    try:
        yield
    finally:
        line.kill_collector()


def _forget_frames(path: Path) -> None:
    """Empty the consumer's table, since counting rows takes its time; what was receipted stays so."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("DELETE FROM frames")
    finally:
        connection.close()


def _tell_consumer(path: Path, laid: Laid) -> None:
    """Give the consumer's journal what it would know had it received all that was laid down."""
    Journal(path, bytes(32)).close()
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("INSERT INTO stores VALUES (?, ?, 1, ?)", (laid.store_id, UPSTREAM, laid.digest))
    finally:
        connection.close()
