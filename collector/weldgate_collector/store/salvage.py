"""Mending a store whose files are damaged, cut short or gone: nothing is wiped, what can be read is copied out.

A damaged segment goes to ``damaged`` beside ``segments``, with its log. In its place comes a new file with every row
that can still be read and whose columns agree with its frame, under the numbers it had. What is lost is told twice:
rows in the newest segment's ``marks``, so that ``check`` knows; and chips' numbers as gap records of ours, exactly, so
that stored and declared are whole again: of each line, what it moved between this segment's opening and the next one's,
less what could be read. In the newest segment nobody knows how far lines had come; chips refill from what is left.
"""

import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from weldgate_protocol.collector_record import RECORD_GAP, encode_record
from weldgate_protocol.collector_record import Record as OwnRecord
from weldgate_protocol.errors import WeldgateError
from weldgate_protocol.reasons import TOOL_STORE_DAMAGED

from ..errors import StoreError
from .care import SegmentReport, TagCheck, check_store
from .completeness import MISSING, find_gaps, subtract
from .lock import take_folder
from .newest import OpenSegment, draw_store_id, mark, open_newest
from .reader import Reader
from .schema import FRAME, OWN, READABLE, Connect, connect, open_store
from .segments import (
    LEGACY_NAME,
    Highs,
    list_segments,
    remove_database,
    seal,
    segment_folder,
    segment_path,
    store_folder,
    sync_folder,
)
from .wreck import reading_copy, rows_left

__all__ = ["Salvaged", "salvage_store"]

_SIDES = ("", "-wal", "-shm", "-journal")
_TABLES = ("cursors", "orders", "aside", "marks", "segments", "packs")


class Salvaged(NamedTuple):
    """What became of one segment.

    Attributes:
        first, last: rows it had, as far as can be told.
        kept: rows copied out.
        lost_rows: how many are not there any more; 0 where it can't be told.
        declared: numbers of chips that were declared lost.
        aside: where the damaged file is now, None where there was none.
        ranges: the rows that are not there any more, first and last; a later loss must not pass for this one.
    """

    first: int
    last: int
    kept: int
    lost_rows: int
    declared: int
    aside: Path | None
    ranges: tuple[tuple[int, int], ...] = ()


def salvage_store(
    place: Path, open_connection: Connect = connect, tag_matches: TagCheck | None = None
) -> list[Salvaged]:
    """Mend every segment that ``check_store`` finds fault with, and holes between files; the collector must not run.

    Args:
        place: the store.
        open_connection: the ``connect`` seam.
        tag_matches: as for ``check_store``; a frame whose tag does not verify counts as one that can't be read.

    Returns:
        What was done, a line each; nothing when the store is sound.

    Raises:
        StoreError: a collector runs on it.
    """
    folder = store_folder(place)
    handle = take_folder(folder)
    try:
        _take_in(folder, open_connection)
        reports = list(check_store(folder, tag_matches, open_connection))
        bad = [n for n, report in enumerate(reports) if report.findings]
        if not bad:
            return []
        done: list[Salvaged] = []
        gone: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
        for number in bad:
            done += _mend(folder, reports, number, gone, open_connection, tag_matches)
        _write_down(folder, done, gone, reports[-1].findings != [], open_connection)
        _declare_rest(folder, open_connection)
        return done
    finally:
        os.close(handle)


def _take_in(folder: Path, open_connection: Connect) -> None:
    """Make a store of one file the first segment, as it is when it can't be opened."""
    legacy = folder / LEGACY_NAME
    if not legacy.exists() or list_segments(folder):
        return
    try:
        open_newest(folder, open_connection).connection.close()
    except (sqlite3.Error, StoreError):
        path = segment_path(folder, 1)
        for side in _SIDES[1:] + _SIDES[:1]:
            source = legacy.with_name(legacy.name + side)
            if source.exists():
                source.rename(path.with_name(path.name + side))
        sync_folder(path.parent)
        sync_folder(folder)


def _mend(
    folder: Path,
    reports: list[SegmentReport],
    number: int,
    gone: dict[tuple[int, int], list[tuple[int, int]]],
    open_connection: Connect,
    tag_matches: TagCheck | None,
) -> Iterator[Salvaged]:
    report = reports[number]
    kinds = {finding.kind for finding in report.findings}
    if "missing-segment" in kinds:
        # Where the oldest file is gone nobody knows what retention had taken before it: all is declared up to here.
        reached = _closing(reports[number - 1].path, open_connection) if number else {}
        opening = _opening(report.path, open_connection)
        declared = _moved_over(reached, opening, {}, gone)
        first = report.missing_from
        gap = (first, report.first - 1)
        yield Salvaged(*gap, 0, report.first - first, declared, None, (gap,))
    if kinds <= {"missing-segment"}:
        return
    last = reports[number + 1].first - 1 if number + 1 < len(reports) else 0
    opening = _opening(report.path, open_connection)
    if not opening and number:
        opening = _closing(reports[number - 1].path, open_connection)
    aside = _set_aside(folder, report.path)
    kept, islands = _copy_out(aside, report, opening, last, open_connection, tag_matches)
    top = last or max((end for _, end in kept), default=report.first - 1)
    closing = (
        _opening(reports[number + 1].path, open_connection)
        if last
        else {line: seqs[-1] for line, seqs in islands.items()}
    )
    declared = _moved_over(opening, closing, islands, gone)
    rows = sum(end - start + 1 for start, end in kept)
    ranges = tuple(subtract(report.first, top, kept))
    yield Salvaged(report.first, top, rows, top - report.first + 1 - rows, declared, aside, ranges)


def _moved_over(
    opening: Highs, closing: Highs, islands: dict[tuple[int, int], list[int]],
    gone: dict[tuple[int, int], list[tuple[int, int]]],
) -> int:  # fmt: skip
    """Note, for each line, the numbers between two high-waters that are not there; return how many."""
    count = 0
    for line, high in closing.items():
        there = [(seq, seq) for seq in islands.get(line, [])]
        for first, last in subtract(opening.get(line, 0) + 1, high, there):
            gone[line].append((first, last))
            count += last - first + 1
    return count


def _opening(path: Path, open_connection: Connect) -> Highs:
    """Return a segment's opening high-waters, as far as they can be read."""
    highs: Highs = {}
    with suppress(sqlite3.Error, StoreError):
        connection = open_store(path, open_connection, may_migrate=False, oldest=READABLE)
        try:
            for device, epoch, high in connection.execute("SELECT device, epoch, high FROM highs"):
                highs[device, epoch] = high
        finally:
            connection.close()
    return highs


def _closing(path: Path, open_connection: Connect) -> Highs:
    """Return what lines had reached at a segment's end."""
    highs = _opening(path, open_connection)
    with suppress(sqlite3.Error, StoreError):
        connection = open_store(path, open_connection, may_migrate=False, oldest=READABLE)
        try:
            for device, epoch, high in OpenSegment(path, 0, connection).moved():
                highs[device, epoch] = max(high, highs.get((device, epoch), 0))
        finally:
            connection.close()
    return highs


def _set_aside(folder: Path, path: Path) -> Path:
    """Move a damaged file away with its logs, and return where it is."""
    damaged = folder / "damaged"
    damaged.mkdir(exist_ok=True)
    target, number = damaged / path.name, 1
    while target.exists():
        number += 1
        target = damaged / f"{path.stem}-{number}{path.suffix}"
    for side in _SIDES:
        source = path.with_name(path.name + side)
        if source.exists():
            source.rename(target.with_name(target.name + side))
    sync_folder(damaged)
    sync_folder(segment_folder(folder))
    return target


def _copy_out(
    aside: Path,
    report: SegmentReport,
    opening: Highs,
    last: int,
    open_connection: Connect,
    tag_matches: TagCheck | None,
) -> tuple[list[tuple[int, int]], dict[tuple[int, int], list[int]]]:
    """Build the segment anew from what can be read; return ranges of idx kept, and each line's frame numbers."""
    building = report.path.with_name("salvage.building")
    reading = aside
    remove_database(building)
    target = open_store(building, open_connection)
    kept: list[tuple[int, int]] = []
    islands: dict[tuple[int, int], list[int]] = defaultdict(list)
    try:
        target.execute("BEGIN IMMEDIATE")
        target.executemany("INSERT INTO highs VALUES (?, ?, ?)", [(*line, high) for line, high in opening.items()])
        target.execute("UPDATE segment SET first = ?, last = ?", (report.first, last or None))
        reading = reading_copy(aside)
        with suppress(sqlite3.Error, StoreError):
            source = open_store(reading, open_connection, may_migrate=False, oldest=READABLE)
            try:
                _copy_tables(source, target)
            finally:
                source.close()
        for row in rows_left(reading, report.first, last, open_connection):
            if row[2] == FRAME and tag_matches is not None and tag_matches(row[7]) is False:
                continue  # it stays in the file that is set aside
            target.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            if row[2] == FRAME:
                islands[row[3], row[4]].append(row[5])
        # Numbers that follow one another differ from their rank by the same amount.
        kept = target.execute(
            "SELECT min(idx), max(idx) FROM (SELECT idx, idx - row_number() OVER (ORDER BY idx) AS island FROM records)"
            " GROUP BY island ORDER BY 1"
        ).fetchall()
        target.execute("COMMIT")
    finally:
        target.close()
        remove_database(reading)
    building.rename(report.path)
    sync_folder(report.path.parent)
    if last:
        seal(report.path, open_connection)
    for seqs in islands.values():
        seqs.sort()
    return kept, islands


def _copy_tables(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    for table in _TABLES:
        with suppress(sqlite3.Error):
            for row in source.execute(f"SELECT * FROM {table}"):  # noqa: S608 - names are ours
                target.execute(f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608
    with suppress(sqlite3.Error):
        for row in source.execute("SELECT value FROM meta WHERE key = 'store_id'"):
            target.execute("UPDATE meta SET value = ? WHERE key = 'store_id'", row)


def _declare_rest(folder: Path, open_connection: Connect) -> None:
    """Declare what is a hole still: a gap record that was lost had spoken of numbers before its own place."""
    rest: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    with Reader(folder, open_connection) as reader:
        for gap in find_gaps(reader):
            if gap.state == MISSING:
                rest[gap.device, gap.epoch].append((gap.first, gap.last))
    if rest:
        _write_down(folder, [], rest, False, open_connection)


def _write_down(
    folder: Path,
    done: list[Salvaged],
    gone: dict[tuple[int, int], list[tuple[int, int]]],
    newest_was_bad: bool,
    open_connection: Connect,
) -> None:
    """Tell in the newest segment which rows are lost, and declare the chips' numbers."""
    newest = open_newest(folder, open_connection)
    connection = newest.connection
    try:
        connection.execute("BEGIN IMMEDIATE")
        for one in done:
            for first, last in one.ranges:
                mark(connection, "lost", first, last, f"{last - first + 1} rows could not be read")
        if newest_was_bad:
            # What was sent and not receipted may be among what is lost, and its numbers are given again.
            draw_store_id(connection)
            mark(connection, "restored", newest.last_index() + 1, newest.last_index(), "salvaged")
        idx = newest.last_index() + 1
        now_ms = time.time_ns() // 1_000_000
        for (device, epoch), ranges in sorted(gone.items()):
            for first, last in ranges:
                raw = _gap(device, epoch, first, last)
                row = (idx, now_ms, OWN, device, epoch, last, RECORD_GAP, raw)
                connection.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
                idx += 1
        connection.execute("COMMIT")
    finally:
        connection.close()


def _gap(device: int, epoch: int, first: int, last: int) -> bytes:
    try:
        line = device.to_bytes(8, "big"), epoch.to_bytes(4, "big")
        return encode_record(OwnRecord(RECORD_GAP, *line, first, last, reason=TOOL_STORE_DAMAGED))
    except (WeldgateError, OverflowError) as error:
        raise StoreError(TOOL_STORE_DAMAGED, f"chip {device}: {first} to {last} can't be declared: {error}") from error
