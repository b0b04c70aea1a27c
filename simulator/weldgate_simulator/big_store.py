"""A collector's store with tens of millions of rows, laid down by SQL in a minute or two, for `bench`.

The rows are what some ten thousand machines send, one telemetry record a minute each, in the order of their minutes:
so a chip's day lies in as many segments as the day has, a dozen rows in each. The layout is the collector's own: an
empty store that a real collector made is copied for each segment and filled, and the collector's own `seal` indexes it.
Only the frames' tags are made up, since nobody asks for them again once a frame is stored.
"""

import os
import secrets
import shutil
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from weldgate_collector import connect, list_segments, seal
from weldgate_protocol import messages
from weldgate_protocol.errors import LocalError
from weldgate_protocol.frame import FLAG_DURABLE, FLAG_PARITY, QUALITY_SYNCED, encode_body
from weldgate_protocol.reasons import TOOL_DISK_FULL
from weldgate_simulator.load import telemetry
from weldgate_simulator.storm import running_collector

__all__ = ["EPOCH", "MINUTE_MS", "UPSTREAM", "Laid", "Plan", "lay", "room_for"]

EPOCH = 0xA0000001  # of every line
MINUTE_MS = 60_000
UPSTREAM = "consumer"  # has receipted every row
_ROW_BYTES = 190  # of a row of 100 bytes in a sealed segment, index included; measured 178
_SPARE_BYTES = 1 << 30
_PAYLOAD_BYTES = 66  # with header and tag 100 bytes
_PACK = 1  # the number of the one pack that all rows are said to have gone in
_RUN_ROWS_MOST = 20_000  # more rows than one of the open segment's runs has
_WORKERS = 2


class Plan(NamedTuple):
    """What to lay down.

    Attributes:
        chips: machines, numbered from 1.
        sealed: full segments.
        segment_rows: rows in each of them.
        open_rows: rows in the open one.
        first_ms: when the first row came, Unix milliseconds.
    """

    chips: int
    sealed: int
    segment_rows: int
    open_rows: int
    first_ms: int

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.sealed * self.segment_rows + self.open_rows

    @property
    def last_ms(self) -> int:
        """When the last row came, Unix milliseconds."""
        return self.received_ms(self.rows)

    def received_ms(self, idx: int) -> int:
        """Return when a row came: all chips' rows of a minute are spread evenly over it."""
        minute, place = divmod(idx - 1, self.chips)
        return self.first_ms + minute * MINUTE_MS + place * MINUTE_MS // self.chips


class Laid(NamedTuple):
    """What was laid down.

    Attributes:
        plan: what was asked for.
        store_id: 16 bytes.
        digest: of the pack that all rows are said to have gone in, with number 1.
        size_bytes: on the disk.
        seconds: that it took.
    """

    plan: Plan
    store_id: bytes
    digest: bytes
    size_bytes: int
    seconds: float


def room_for(folder: Path, rows: int) -> None:
    """Make sure that the disk has room for so many rows.

    Raises:
        LocalError: TOOL_DISK_FULL, it has not.
    """
    free, wanted = shutil.disk_usage(folder).free, rows * _ROW_BYTES + _SPARE_BYTES
    if free < wanted:
        raise LocalError(
            TOOL_DISK_FULL,
            f"{rows:,} rows need {wanted / 1e9:.1f} GB of disk, {free / 1e9:.1f} GB are free at {folder}",
        )


def lay(folder: Path, plan: Plan) -> Laid:
    """Lay rows down in a collector's data folder.

    Args:
        folder: has a `chips.jsonl`; the data folder `data` comes beside it.
        plan: how many.

    Raises:
        LocalError: TOOL_DISK_FULL, there is no room; TOOL_CONNECTION, no collector starts here.
    """
    started_s = time.monotonic()
    room_for(folder, plan.rows)
    with running_collector(folder):
        pass  # it leaves an empty store
    (template,) = list_segments(folder / "data")
    empty = folder / "empty.sqlite3"
    template.path.rename(empty)
    paths = [
        template.path.with_name(f"{number * plan.segment_rows + 1:019d}.sqlite3") for number in range(plan.sealed + 1)
    ]
    work = partial(_fill, plan, empty, paths)
    with ProcessPoolExecutor(_WORKERS, get_context("spawn")) as pool:
        for _ in pool.map(work, range(plan.sealed + 1)):
            pass
    store_id, digest = _open_end(paths[-1], plan)
    empty.unlink()
    while not _sorted(paths[-1]):
        with running_collector(folder):
            pass  # it sorts rows of the open segment with each batch, as it would have done all along
    size_bytes = sum(path.stat().st_blocks * 512 for path in paths)
    return Laid(plan, store_id, digest, size_bytes, time.monotonic() - started_s)


def _quick(path: str) -> sqlite3.Connection:
    """Open a database that nobody relies on before all of it is synced."""
    connection = connect(path)
    connection.execute("PRAGMA synchronous=OFF")
    return connection


def _fill(plan: Plan, empty: Path, paths: list[Path], number: int) -> None:
    """Make one segment; in a process of its own."""
    path = paths[number]
    first = number * plan.segment_rows + 1
    last = min(first + plan.segment_rows - 1, plan.rows)
    shutil.copyfile(empty, path)
    path.chmod(0o600)
    connection = _quick(str(path))
    connection.execute("PRAGMA journal_mode=OFF")
    connection.execute("BEGIN")
    connection.execute("UPDATE segment SET first = ?, last = ?", (first, last if number < plan.sealed else None))
    connection.executemany("INSERT INTO records VALUES (?, ?, 1, ?, ?, ?, ?, ?)", _rows(plan, first, last))
    minute, place = divmod(first - 1, plan.chips)
    highs = ((chip, EPOCH, minute + (chip <= place)) for chip in range(1, plan.chips + 1))
    connection.executemany("INSERT INTO highs VALUES (?, ?, ?)", (high for high in highs if high[2]))
    connection.execute("COMMIT")
    connection.close()
    if number < plan.sealed:
        seal(path, _quick)
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def _rows(plan: Plan, first: int, last: int) -> Iterator[tuple[int, int, int, int, int, int, bytes]]:
    """Yield rows of `records` but for their kind, minute by minute."""
    flags = FLAG_DURABLE | FLAG_PARITY | QUALITY_SYNCED
    payload = telemetry(_PAYLOAD_BYTES, mean_ma=120_000)
    epoch = EPOCH.to_bytes(4, "big")
    heads = [bytes([flags, messages.TELEMETRY]) + chip.to_bytes(8, "big") + epoch for chip in range(1, plan.chips + 1)]
    idx = first
    while idx <= last:
        minute, place = divmod(idx - 1, plan.chips)
        seq = minute + 1
        at_ms = plan.first_ms + minute * MINUTE_MS
        body = encode_body(flags, messages.TELEMETRY, bytes(8), epoch, seq, at_ms // 1000, 0, payload)
        tail = body[14:] + secrets.token_bytes(8)  # from the number on; the tag is made up
        for chip in range(place + 1, min(plan.chips, place + last - idx + 1) + 1):
            came_ms = at_ms + (chip - 1) * MINUTE_MS // plan.chips
            yield idx, came_ms, chip, EPOCH, seq, messages.TELEMETRY, heads[chip - 1] + tail
            idx += 1


def _sorted(path: Path) -> bool:
    """Tell whether the open segment's runs are all there, but for what a run takes."""
    connection = connect(str(path))
    try:
        query = "SELECT (SELECT max(idx) FROM records) - coalesce(max(last), 0) FROM runs"
        left: int = connection.execute(query).fetchone()[0]
        return left < _RUN_ROWS_MOST
    finally:
        connection.close()


def _open_end(path: Path, plan: Plan) -> tuple[bytes, bytes]:
    """Give the open segment what it knows of the others; return the store's id and the pack's digest."""
    connection = connect(str(path))
    try:
        digest = secrets.token_bytes(32)
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO segments VALUES (?, ?, ?, ?)",
            [
                (first, last, plan.received_ms(first), plan.received_ms(last))
                for first in range(1, plan.sealed * plan.segment_rows, plan.segment_rows)
                for last in [first + plan.segment_rows - 1]
            ],
        )
        connection.execute("INSERT INTO packs VALUES (?, ?, 1, ?, ?)", (UPSTREAM, _PACK, plan.rows, digest))
        connection.execute("INSERT INTO cursors VALUES (?, ?, ?)", (UPSTREAM, _PACK, secrets.token_bytes(8)))
        connection.execute("COMMIT")
        store_id: bytes = connection.execute("SELECT value FROM meta WHERE key = 'store_id'").fetchone()[0]
        return store_id, digest
    finally:
        connection.close()
