"""Finding a chip's rows in the open segment, which has no index: sorted runs, two bytes for each row.

Whenever some thousand rows more are durable, the writer stores their order by chip: for a stretch of rows the table
``runs`` has each row's place in it (idx − first), u16, little-endian, ordered by (device, idx). Keys are not repeated
there: a search asks the rows themselves. So a question about one chip reads a few dozen rows of each run, and only what
came after the last run from end to end. Sealing drops the table, since a sealed segment has an index.
"""

import sqlite3
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["RUN_ROWS", "chip_rows", "sort_rows"]

RUN_ROWS = 16_384  # a search costs some 16 look-ups a run; sorting holds the writer up for 8 ms
_AT_ONCE = 8  # a segment of an older weldgate has no runs yet, and acks wait meanwhile
_FEW = 500  # rows of one chip in one run that are asked for by number; SQLite takes 32,766 in one statement


def sort_rows(connection: sqlite3.Connection, first: int, last: int) -> None:
    """Store the order of what no run has yet, in the caller's transaction, as far as it fills runs; a few at once.

    Args:
        connection: the open segment's.
        first: its first row.
        last: its last row that is durable.
    """
    start = _end(connection, first - 1) + 1
    for _ in range(_AT_ONCE):
        if last - start < RUN_ROWS - 1:
            return
        end = start + RUN_ROWS - 1
        rows = connection.execute(
            "SELECT idx - ? FROM records WHERE idx BETWEEN ? AND ? ORDER BY device, idx", (start, start, end)
        )
        places = _swapped(array("H", [place for (place,) in rows]))
        connection.execute("INSERT INTO runs VALUES (?, ?, ?)", (start, end, places.tobytes()))
        start = end + 1


def chip_rows(
    connection: sqlite3.Connection, device: int, conditions: str, values: Sequence[int]
) -> Iterator[tuple[Any, ...]]:
    """Yield one chip's rows of a segment that is not sealed, in order of arrival.

    Args:
        connection: the segment's.
        device: the chip.
        conditions: what else a row must meet, SQL with ``?``.
        values: for these.
    """
    has_runs = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchone()
    runs = connection.execute("SELECT first, last, places FROM runs ORDER BY first").fetchall() if has_runs else ()
    last = 0
    for first, last, data in runs:
        order = array("H")
        order.frombytes(data)
        _swapped(order)

        def device_at(place: int, first: int = first) -> int:
            found = connection.execute("SELECT device FROM records WHERE idx = ?", (first + place,)).fetchone()
            if found is None:
                raise sqlite3.DatabaseError(f"run {first} names row {first + place}, which is not there")
            return int(found[0])

        start = bisect_left(order, device, key=device_at)
        end, step = start, 1
        while end < len(order) and device_at(order[end]) == device:
            end, step = min(end + step, len(order)), step * 2
        end = bisect_right(order, device, start, end, key=device_at)  # most chips have a row or two
        if end - start > _FEW:
            where, chosen = "idx BETWEEN ? AND ?", [first, last]
        else:
            chosen = [first + place for place in order[start:end]]
            where = f"idx IN ({', '.join('?' * len(chosen))})"
        if start < end:
            yield from connection.execute(
                f"SELECT * FROM records WHERE {where} AND device = ? AND {conditions} ORDER BY idx",  # noqa: S608 - ours
                (*chosen, device, *values),
            )
    yield from connection.execute(
        f"SELECT * FROM records WHERE idx > ? AND device = ? AND {conditions} ORDER BY idx",  # noqa: S608
        (last, device, *values),
    )


def _end(connection: sqlite3.Connection, before: int) -> int:
    found = connection.execute("SELECT last FROM runs ORDER BY first DESC LIMIT 1").fetchone()
    return before if found is None else int(found[0])


def _swapped(order: "array[int]") -> "array[int]":
    """Bring an array from this machine's byte order to little-endian, or back."""
    if sys.byteorder == "big":
        order.byteswap()
    return order
