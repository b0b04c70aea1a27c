"""The open segment: found, made, adopted from a store of one file, or begun after somebody removed the newest.

A segment that another one followed says so (``segment.last``). If such a one is the newest file, what followed is gone:
its rows' numbers must not be given to other rows under the same store id, so a new id is drawn.
"""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import structlog

from weldgate_protocol.reasons import TOOL_STORE

from ..errors import StoreError
from .highs import HighTable, line_key
from .schema import Connect, open_store, rewrite_log, settle
from .segments import (
    LEGACY_NAME,
    RESTORING,
    Opening,
    Segment,
    list_segments,
    remove_database,
    segment_folder,
    segment_path,
    sync_folder,
)

__all__ = ["OpenSegment", "draw_store_id", "mark", "merged_highs", "open_newest", "open_segment"]

_log = structlog.get_logger("weldgate.store")


class OpenSegment(NamedTuple):
    """The newest segment, open for its one writer."""

    path: Path
    first: int
    connection: sqlite3.Connection
    inode: int = 0

    def last_index(self) -> int:
        """Return the idx of the newest row, one before ``first`` when there is none."""
        last: int | None = self.connection.execute("SELECT max(idx) FROM records").fetchone()[0]
        return self.first - 1 if last is None else last

    def moved(self) -> Iterator[tuple[int, int, int]]:
        """Yield (device, epoch, highest seq) of the lines that this segment has rows of; one pass over it."""
        yield from self.connection.execute(
            "SELECT device, epoch, max(seq) FROM records WHERE seq > 0 GROUP BY device, epoch"
        )


def merged_highs(connection: sqlite3.Connection, moved: HighTable) -> Iterator[tuple[int, int, int]]:
    """Yield (device, epoch, highest seq stored or declared) from a segment's opening and what moved since.

    Args:
        connection: the segment's.
        moved: ours from now on; lines of the opening are taken out of it.
    """
    for device, epoch, high in connection.execute("SELECT device, epoch, high FROM highs"):
        yield device, epoch, max(high, moved.pop(line_key(device, epoch)))
    yield from moved.rows()


def open_segment(path: Path, open_connection: Connect) -> OpenSegment:
    """Open the newest segment in WAL mode; whatever is in it then is durable."""
    rewrite_log(path)
    connection = open_store(path, open_connection)
    try:
        _write_ahead(connection, path)
        first: int = connection.execute("SELECT first FROM segment").fetchone()[0]
    except BaseException:
        connection.close()
        raise
    return OpenSegment(path, first, connection, path.stat().st_ino)


def _write_ahead(connection: sqlite3.Connection, path: Path) -> None:
    """Switch to write-ahead logging, and make durable what is there."""
    # SQLite swallows the error of a switch that failed, and goes on in the old mode.
    if connection.execute("PRAGMA journal_mode=WAL").fetchone()[0] != "wal":
        raise StoreError(TOOL_STORE, f"{path}: can't be switched to write-ahead logging now")
    if not settle(connection):
        # An old view of the file lived through whatever ended the last writer, and the log's index with it; that
        # shows nothing which was not synced.
        _log.warning("store_read_meanwhile", path=str(path))


def open_newest(folder: Path, open_connection: Connect) -> OpenSegment:
    """Open a store for its one writer; make it when there is none.

    Args:
        folder: the data folder; segments go into ``segments`` in it.
        open_connection: the ``connect`` seam.

    Raises:
        StoreError: it is damaged, or of a newer version, or two stores are there.
        OSError: the folder can't be made or written.
    """
    if not segment_folder(folder).exists() and (folder / RESTORING).exists():
        raise StoreError(TOOL_STORE, f"{folder / RESTORING}: a restore was cut off; run it again")
    segment_folder(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    found = list_segments(folder)
    legacy = folder / LEGACY_NAME
    if legacy.exists():
        if found:
            raise StoreError(TOOL_STORE, f"{legacy}: a second store beside `segments`; move one of them away")
        found = [_adopt(folder, legacy, open_connection)]
    if not found:
        path = segment_path(folder, 1)
        opened = open_segment(path, open_connection)
        sync_folder(path.parent)
        sync_folder(folder)
        return opened
    if len(found) > 1 and _superseded(found, open_connection):
        remove_database(found.pop().path)
    opened = OpenSegment(found[-1].path, found[-1].first, open_store(found[-1].path, open_connection))
    if opened.connection.execute("SELECT last FROM segment").fetchone()[0] is not None:
        return _follow(folder, opened, open_connection)
    opened.connection.close()
    return open_segment(found[-1].path, open_connection)


def draw_store_id(connection: sqlite3.Connection) -> None:
    """Draw a new store id and forget packs and cursors, so that upstreams get everything again."""
    connection.execute("UPDATE meta SET value = randomblob(16) WHERE key = 'store_id'")
    connection.execute("DELETE FROM packs")
    connection.execute("DELETE FROM cursors")


def mark(connection: sqlite3.Connection, kind: str, first: int, last: int, text: str) -> None:
    """Write down what befell the store, for ``gaps`` and ``check``."""
    connection.execute(
        "INSERT INTO marks VALUES (?, ?, ?, ?, ?)", (kind, time.time_ns() // 1_000_000, first, last, text)
    )


def _adopt(folder: Path, legacy: Path, open_connection: Connect) -> Segment:
    """Make the store of one file the first segment; a cut leaves it in the old place or in the new one, whole."""
    connection = open_store(legacy, open_connection)
    try:
        if connection.execute("PRAGMA journal_mode=DELETE").fetchone()[0] != "delete":
            raise StoreError(TOOL_STORE, f"{legacy}: another program has it open; close that first")
    except sqlite3.OperationalError as error:
        raise StoreError(TOOL_STORE, f"{legacy}: {error}; another program has it open, close that first") from error
    finally:
        connection.close()
    path = segment_path(folder, 1)
    legacy.rename(path)
    sync_folder(path.parent)
    sync_folder(folder)
    _log.info("store_adopted", path=str(path))
    return Segment(1, path)


def _superseded(found: list[Segment], open_connection: Connect) -> bool:
    """Tell whether the newest segment is what an unfinished change of segments left: empty, its numbers taken."""
    newest = open_segment(found[-1].path, open_connection)
    try:
        if newest.last_index() >= newest.first:
            return False
    finally:
        newest.connection.close()
    before = OpenSegment(found[-2].path, found[-2].first, open_store(found[-2].path, open_connection))
    try:
        return before.last_index() >= found[-1].first
    finally:
        before.connection.close()


def _follow(folder: Path, opened: OpenSegment, open_connection: Connect) -> OpenSegment:
    """Begin a segment after one that was followed by another, which is gone."""
    last = opened.last_index()
    opening = Opening(folder, opened.connection, HighTable(opened.moved()), open_connection)
    while not opening.step():
        pass
    path = opening.finish(last, HighTable())
    opened.connection.close()
    fresh = open_segment(path, open_connection)
    fresh.connection.execute("BEGIN IMMEDIATE")
    draw_store_id(fresh.connection)
    mark(fresh.connection, "restored", last + 1, last, "the segments after this row are gone")
    fresh.connection.execute("COMMIT")
    _log.error("store_newest_segment_gone", rows=last, reason="a new store id is drawn, all is sent again")
    return fresh
