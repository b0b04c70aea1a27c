"""The store's housekeeping, on a thread of its own: seal what is full, delete what is past its time, watch the disk.

Retention takes whole segments, the oldest first, never the newest: those past ``keep_days`` or, oldest first, whatever
is over ``keep_mb``, and only when every required upstream has receipted all of their rows. An optional upstream loses
what is deleted before it had it, and a record of ours says so before the file goes.

Age is judged with care, since a clock may jump: nothing is deleted for its age until the clock has run steadily for an
hour, and a segment stamped by a clock that was never set is as old as the next one.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple

import structlog

from weldgate_protocol.reasons import TOOL_STORE

from ..errors import StoreError
from .newest import mark
from .reader import Reader
from .schema import Connect, connect
from .segments import Segment, list_segments, remove_database, seal, segment_folder, sync_folder
from .writer import Row, Writer

__all__ = ["Keeper", "KeeperStatus", "Retention", "expired"]

_log = structlog.get_logger("weldgate.store")

_PASS_S = 1.0
_POLL_S = 0.01
_STEADY_S = 3_600.0
_JUMP_S = 5.0
_CLOCK_SURE_MS = 1_767_225_600_000  # 2026-01-01, before this program was written
_PATIENCE_PASSES = 30  # a reader that sits on a full segment for so long does not keep it from its index
_DAY_MS = 86_400_000


class Retention(NamedTuple):
    """How long rows are kept, and for whom.

    Attributes:
        keep_days, keep_bytes: limits, 0 for none.
        required: name of each upstream → whether rows wait for it.
        min_free_bytes: the alarm's threshold.
    """

    keep_days: int = 0
    keep_bytes: int = 0
    required: dict[str, bool] = {}  # noqa: RUF012 - never written to
    min_free_bytes: int = 0


class KeeperStatus(NamedTuple):
    """What the last pass found."""

    segments: int = 0
    low_space: bool = False


class Held(NamedTuple):
    """A sealed segment, as retention sees it."""

    segment: Segment
    last: int
    newest_ms: int
    size_bytes: int


def expired(held: list[Held], open_bytes: int, retention: Retention, now_ms: int | None) -> list[Held]:
    """Return the sealed segments that are past age or size, oldest first, whatever upstreams say.

    Args:
        held: every sealed segment, oldest first.
        open_bytes: size of what is not sealed.
        retention: the limits.
        now_ms: Unix milliseconds; None while the clock is not to be trusted.
    """
    gone: list[Held] = []
    total = open_bytes + sum(one.size_bytes for one in held)
    for position, one in enumerate(held):
        sure = [later.newest_ms for later in held[position:] if later.newest_ms >= _CLOCK_SURE_MS]
        aged = bool(
            retention.keep_days and now_ms is not None and sure and now_ms - sure[0] > retention.keep_days * _DAY_MS
        )
        large = bool(retention.keep_bytes and total > retention.keep_bytes)
        if not (aged or large):
            break
        gone.append(one)
        total -= one.size_bytes
    return gone


class Keeper:
    """The housekeeping of one store. Attributes ``status``, ``deleted`` and ``lost`` (rows) may be read anywhere."""

    def __init__(
        self,
        writer: Writer,
        retention: Retention,
        declare: Callable[[str, int], Row],
        open_connection: Connect = connect,
        clock_s: Callable[[], float] = time.time,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the neighbours; ``start`` starts the thread.

        Args:
            writer: the store's; what it hands over is ours from now on.
            retention: limits.
            declare: (text, Unix ms) → the row that tells what an optional upstream lost.
            open_connection: the ``connect`` seam.
            clock_s: Unix seconds.
            monotonic_s: monotonic seconds.
        """
        self.status = KeeperStatus()
        self.deleted = 0
        self.lost = 0
        self._writer = writer
        self._folder: Path = writer.folder
        self._retention = retention
        self._declare = declare
        self._connect = open_connection
        self._clock_s = clock_s
        self._monotonic_s = monotonic_s
        self._offset_s = clock_s() - monotonic_s()
        self._steady_since_s = monotonic_s()
        self._handed: list[sqlite3.Connection] = []
        self._held: dict[int, Held] = {}
        self._waited: dict[int, int] = {}
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="store-keeper", daemon=True)
        writer.hand_over(self._rolled)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what it has not done is done after the next start."""
        self._stopping = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._close_handed()

    def one_pass(self) -> None:
        """Do what is to be done now; an error is told, and tried again with the next pass."""
        try:
            self._close_handed()
            segments = list_segments(self._folder)
            for segment in segments[:-1]:
                if segment.first not in self._held:
                    self._seal(segment)
            if len(segments) > 1:
                self._retain(segments)
            self._measure()
        except (sqlite3.Error, StoreError, OSError) as error:
            _log.error("store_housekeeping_failed", reason=str(error))

    def _run(self) -> None:
        while not self._stopping:
            self.one_pass()
            self._wake.wait(_PASS_S)
            self._wake.clear()

    def _rolled(self, connection: sqlite3.Connection) -> None:
        """Take over the full segment's connection; closing it folds its log in, which takes a while."""
        self._handed.append(connection)
        self._wake.set()

    def _close_handed(self) -> None:
        while self._handed:
            self._handed.pop().close()

    def _seal(self, segment: Segment) -> None:
        waited = self._waited[segment.first] = self._waited.get(segment.first, 0) + 1
        bounds = seal(segment.path, self._connect, patient=waited < _PATIENCE_PASSES)
        if bounds is None:
            return
        last, oldest_ms, newest_ms = bounds
        self._waited.pop(segment.first)
        self._held[segment.first] = Held(segment, last, newest_ms, segment.path.stat().st_size)
        self._writer.submit(
            lambda connection: connection.execute(
                "UPDATE segments SET oldest_ms = ?, newest_ms = ? WHERE first = ? AND oldest_ms IS NULL",
                (oldest_ms, newest_ms, segment.first),
            )
        )

    def _retain(self, segments: list[Segment]) -> None:
        held = []
        for segment in segments[:-1]:
            if segment.first not in self._held:
                break  # not sealed yet, and what follows is newer
            held.append(self._held[segment.first])
        retention = self._retention
        now_ms = int(self._clock_s() * 1000) if self._clock_is_steady() else None
        unsealed = sum(_size(segment.path) for segment in segments[len(held) :])
        gone = expired(held, unsealed, retention, now_ms)
        if not gone:
            return
        with Reader(self._folder, self._connect) as reader:
            reached = {name: last for name, _, last in reader.cursors()}
        for one in gone:
            behind = [name for name in retention.required if reached.get(name, 0) < one.last]
            if any(retention.required[name] for name in behind):
                return
            self._delete(one, {name: reached.get(name, 0) for name in behind})

    def _delete(self, one: Held, losers: dict[str, int]) -> None:
        now_ms = int(self._clock_s() * 1000)
        first, last = one.segment.first, one.last
        rows = []
        for name, reached in losers.items():
            lost = last - max(reached, first - 1)
            self.lost += lost
            rows.append(
                self._declare(f"retention: upstream {name} loses rows {max(reached + 1, first)} to {last}", now_ms)
            )
            _log.error("upstream_loses_rows", upstream=name, first=max(reached + 1, first), last=last)
        if rows:
            self._told(self._writer.put(rows))

        def forget(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM segments WHERE first = ?", (first,))
            connection.execute("DELETE FROM marks WHERE kind = 'deleted'")  # only how far it got matters
            mark(connection, "deleted", 1, last, "retention")

        # Written down before the file goes: a file that is gone otherwise was removed by somebody, and is a loss.
        self._noted(self._writer.submit(forget))
        remove_database(one.segment.path)
        sync_folder(one.segment.path.parent)
        del self._held[first]
        self.deleted += 1
        _log.info("store_segment_deleted", first=first, last=last)

    def _told(self, index: int) -> None:
        """Wait till it is told, before the file goes."""
        self._wait(lambda: self._writer.committed >= index)

    def _noted(self, work: "Future[None]") -> None:
        """Wait till it is written down, before the file goes."""
        self._wait(work.done)

    def _wait(self, done: Callable[[], bool]) -> None:
        """Wait for a commit; not on a full disk, where the file that goes is the room which a commit waits for.

        Cut off there before the commit, a check takes the file for lost.
        """
        while not done() and not self._writer.full:
            if self._stopping or not self._writer.alive:
                raise StoreError(TOOL_STORE, "store is stopping")
            time.sleep(_POLL_S)

    def _clock_is_steady(self) -> bool:
        now_s, offset_s = self._monotonic_s(), self._clock_s() - self._monotonic_s()
        if abs(offset_s - self._offset_s) > _JUMP_S:
            self._steady_since_s = now_s
            _log.warning("clock_jumped", seconds=round(offset_s - self._offset_s))
        self._offset_s = offset_s
        return now_s - self._steady_since_s >= _STEADY_S and self._clock_s() * 1000 >= _CLOCK_SURE_MS

    def _measure(self) -> None:
        folder = segment_folder(self._folder)
        disk = os.statvfs(folder)
        free = disk.f_bavail * disk.f_frsize
        low = free < self._retention.min_free_bytes
        if low != self.status.low_space:
            _log.log(40 if low else 20, "store_low_space" if low else "store_space_again", free_bytes=free)
        self.status = KeeperStatus(len(list_segments(self._folder)), low)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
