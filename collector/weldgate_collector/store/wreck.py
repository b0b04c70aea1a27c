"""Reading the rows that are left in a damaged segment: through SQLite as far as it goes, then page by page.

SQLite finds rows through a tree of pages; where a page of the tree is gone, so is all below it, though the rows are in
their pages still. A row of ``records`` is never longer than a page, so each leaf page can be read by itself (SQLite's
file format: leaf of a table is 0x0D, cells of length, rowid, header of types, values).
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..errors import StoreError
from .care import misfiled
from .schema import OWN, READABLE, Connect, open_store
from .segments import remove_database

__all__ = ["reading_copy", "rows_left"]

_CHUNK_ROWS = 1_000
_BARREN_MAX = 50  # chunks without a row, after which nothing more is looked for where the end is not known
_ROWS_MAX = 100_000_000  # of one segment; a higher number is damage as well
_READING = "reading.sqlite3"
_BYTES_MAX = 1 << 40  # a header that names more is damaged itself
_LEAF = 0x0D
_COLUMNS = 8
_INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8)  # of serial types 0 to 6; 8 and 9 are the numbers 0 and 1

_RowOut = tuple[int, int, int, int, int, int, int, bytes]


def rows_left(path: Path, first: int, last: int, open_connection: Connect) -> Iterator[_RowOut]:
    """Yield each row that can be read and whose columns agree with its frame, once.

    Args:
        path: a reading copy; it is the caller's to remove.
        first: the segment's first row.
        last: its last one, 0 where it isn't known.
        open_connection: the ``connect`` seam.
    """
    seen: set[int] = set()
    with suppress(sqlite3.Error, StoreError):
        connection = open_store(path, open_connection, may_migrate=False, oldest=READABLE)
        try:
            for row in _readable(connection, first, last):
                seen.add(row[0])
                yield row
        finally:
            connection.close()  # folds the log in, as far as it is sound
    if last and len(seen) == last - first + 1:
        return
    top = last or first + _ROWS_MAX
    for row in _leaves(path):
        if row[0] not in seen and _sane(row, first, top):
            seen.add(row[0])
            yield row


def reading_copy(aside: Path) -> Path:
    """Copy a damaged file to read from: what is set aside stays as it was found, its log too.

    A file that was cut short gets back the length that its header names (page size at offset 16, pages at 28), with
    zeros: SQLite opens no other, and then reads every page that is left. A page that was cut is left out, since a row
    that ends in zeros looks like any other.
    """
    reading = aside.with_name(_READING)
    remove_database(reading)
    for side in ("", "-wal", "-journal"):
        source = aside.with_name(aside.name + side)
        if source.exists():
            shutil.copyfile(source, reading.with_name(_READING + side))
    with reading.open("r+b") as file:
        head = file.read(32)
        if len(head) == 32:
            page = max(int.from_bytes(head[16:18], "big"), 512)
            size, found = page * int.from_bytes(head[28:32], "big"), reading.stat().st_size
            if found < size <= _BYTES_MAX:
                file.truncate(found // page * page)
                file.truncate(size)
    return reading


def _readable(source: sqlite3.Connection, first: int, last: int) -> Iterator[_RowOut]:
    """Yield the rows that can be read and are filed rightly: a chunk at a time, row by row where a chunk fails."""
    if not last:
        with suppress(sqlite3.Error):
            last = source.execute("SELECT max(idx) FROM records").fetchone()[0] or 0
    barren = 0
    start = first
    last = min(last, first + _ROWS_MAX)
    while start <= last or (not last and barren < _BARREN_MAX):
        rows, whole = _chunk(source, start, start + _CHUNK_ROWS - 1)
        if not whole:
            rows = [row for idx in range(start, start + _CHUNK_ROWS) for row in _chunk(source, idx, idx)[0]]
        barren = 0 if rows else barren + 1
        yield from rows
        start += _CHUNK_ROWS


def _chunk(source: sqlite3.Connection, first: int, last: int) -> tuple[list[_RowOut], bool]:
    try:
        rows = source.execute("SELECT * FROM records WHERE idx BETWEEN ? AND ? ORDER BY idx", (first, last)).fetchall()
    except (sqlite3.Error, OverflowError):
        return [], False
    return [row for row in rows if _sane(row, first, last)], True


def _sane(row: tuple[object, ...], first: int, last: int) -> bool:
    idx, received_ms, kind, device, epoch, seq, type_, raw = row
    numbers = (idx, received_ms, kind, device, epoch, seq, type_)
    if not all(isinstance(number, int) and 0 <= number < 1 << 63 for number in numbers) or not isinstance(raw, bytes):
        return False
    if not (isinstance(idx, int) and first <= idx <= last):
        return False
    if kind == OWN:
        return True
    if not (isinstance(device, int) and isinstance(epoch, int) and isinstance(seq, int) and isinstance(type_, int)):
        return False
    return epoch < 1 << 32 and seq < 1 << 32 and not misfiled(device, epoch, seq, type_, raw)


def _leaves(path: Path) -> Iterator[_RowOut]:
    """Yield what looks like a row of ``records`` in any leaf page."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(18)[16:], "big")
        size = size if size in (512, 1024, 2048, 4096, 8192, 16384, 32768) else 4096
        file.seek(size)  # the first page is the schema's
        while len(page := file.read(size)) == size:
            if page[0] == _LEAF:
                for number in range(int.from_bytes(page[3:5], "big")):
                    place = int.from_bytes(page[8 + 2 * number : 10 + 2 * number], "big")
                    with suppress(IndexError, ValueError):
                        yield _cell(page, place)


def _cell(page: bytes, place: int) -> _RowOut:
    """Decode one cell.

    Raises:
        IndexError, ValueError: it is no row of ``records``.
    """
    length, place = _varint(page, place)
    rowid, place = _varint(page, place)
    if place + length > len(page):
        raise ValueError("longer than its page")
    header, at = _varint(page, place)
    value, end = place + header, place + header
    values: list[int | bytes] = []
    while at < end:
        kind, at = _varint(page, at)
        if kind in (8, 9):
            values.append(kind - 8)
        elif kind < len(_INTEGER_BYTES):
            size = _INTEGER_BYTES[kind]
            values.append(int.from_bytes(page[value : value + size], "big", signed=True))
            value += size
        elif kind >= 12 and not kind & 1:
            size = (kind - 12) // 2
            values.append(page[value : value + size])
            value += size
        else:
            raise ValueError("a type that no column has")
    raw = values.pop() if len(values) == _COLUMNS else None
    numbers = [number for number in values if isinstance(number, int)]
    if not isinstance(raw, bytes) or len(numbers) != _COLUMNS - 1 or value != place + length:
        raise ValueError("not the columns of records")
    _, received_ms, kind, device, epoch, seq, type_ = numbers
    return (rowid, received_ms, kind, device, epoch, seq, type_, raw)


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """Return SQLite's integer of 1 to 9 bytes, and where the next byte is."""
    value = 0
    for _ in range(8):
        byte = data[place]
        place += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place
    return value << 8 | data[place], place + 1
