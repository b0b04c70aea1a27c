"""Questions to a store, each on the caller's own connections; WAL lets them run beside the writer.

For the collector: a repeat's stored bytes, rows for packs, their boundaries. For people and tools: counts, frames by
chip and time. Nothing here writes. A segment that retention removes meanwhile is as if it had never been.
"""

import sqlite3
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from weldgate_protocol.reasons import TOOL_NOT_FOUND

from ..errors import StoreError
from .highs import HighTable
from .newest import OpenSegment, merged_highs
from .runs import chip_rows
from .schema import CONFLICT, FRAME, OWN, Connect, connect, open_store, read_store_id
from .segments import LEGACY_NAME, Segment, list_segments, store_folder
from .shelf import Shelf

__all__ = ["Aside", "Reader", "Record"]


class Record(NamedTuple):
    """One row of ``records``."""

    idx: int
    received_ms: int
    kind: int
    device: int
    epoch: int
    seq: int
    type: int
    raw: bytes


class Aside(NamedTuple):
    """A record that an upstream could not deliver: whose, which, since when, why; kind and bytes as in ``records``."""

    upstream: str
    idx: int
    at_ms: int
    tries: int
    reason: str
    kind: int
    received_ms: int
    raw: bytes


class Reader:
    """A read-only view of a store, all its segments together. Not for two threads at once. Use it in ``with``."""

    def __init__(self, place: Path, open_connection: Connect = connect) -> None:
        """Open an existing store.

        Args:
            place: the data folder, its ``segments``, or a file in either.
            open_connection: the ``connect`` seam.

        Raises:
            StoreError: there is none, or an older or newer weldgate made it, or its newest segment is damaged.
        """
        folder = store_folder(place)
        if not list_segments(folder):
            legacy = folder / LEGACY_NAME
            if not legacy.exists():
                raise StoreError(TOOL_NOT_FOUND, f"{place}: no store is there")
            open_store(legacy, open_connection, may_migrate=False).close()  # says why it can't be read
        self._shelf = Shelf(folder, open_connection)
        self._shelf.newest()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection; the next question opens what it needs."""
        self._shelf.close()

    def rest(self) -> None:
        """Let go of all but the newest segment: an older one is sealed, and its disk returns, only then."""
        self._shelf.rest()

    def store_id(self) -> bytes:
        """Return the 16 bytes that name this store in packs."""
        return read_store_id(self.connection)

    def first_index(self) -> int:
        """Return the idx from which rows are held; one after the last when there is none."""
        return self._shelf.segments()[0].first

    def last_index(self) -> int:
        """Return the newest row's idx, 0 when there never was one."""
        connection = self.connection
        last: int | None = connection.execute("SELECT max(idx) FROM records").fetchone()[0]
        return int(connection.execute("SELECT first FROM segment").fetchone()[0]) - 1 if last is None else last

    def highs(self) -> Iterator[tuple[int, int, int]]:
        """Yield (device, epoch, highest seq stored or declared); only the newest segment is read."""
        connection = self.connection
        yield from merged_highs(connection, HighTable(OpenSegment(Path(), 0, connection).moved()))

    def find(self, device: int, epoch: int, first: int, last: int) -> list[Record]:
        """Return the frames and conflict records of one chip and epoch with ``first`` ≤ seq ≤ ``last``.

        From the newest segment back, until one opens with a high-water below ``first``: nothing older can have them.
        """
        found: list[Record] = []
        bounds = self._bounds()
        conditions = "epoch = ? AND seq BETWEEN ? AND ? AND (kind = ? OR (kind = ? AND type = ?))"
        values = (epoch, first, last, FRAME, OWN, CONFLICT)
        for segment in reversed(self._shelf.segments()):
            connection = self._shelf.open(segment)
            if connection is None:
                continue
            sealed = bounds.get(segment.first, (None, None))[0] is not None
            found[:0] = [Record(*row) for row in _of_chip(connection, sealed, device, conditions, values)]
            before = connection.execute("SELECT high FROM highs WHERE device = ? AND epoch = ?", (device, epoch))
            if (before.fetchone() or (0,))[0] < first:
                break
        return found

    def rows(self, first: int, last: int) -> Generator[tuple[int, int, int, bytes], None, None]:
        """Yield (kind, received_ms, idx, raw) of rows ``first`` to ``last``, as packs carry them."""
        segments = self._shelf.segments()
        for segment, following in zip(segments, [*segments[1:], None], strict=True):
            if segment.first > last or (following is not None and following.first <= first):
                continue
            connection = self._shelf.open(segment)
            if connection is None:
                continue
            cursor = connection.execute(
                "SELECT kind, received_ms, idx, raw FROM records WHERE idx BETWEEN ? AND ? ORDER BY idx", (first, last)
            )
            try:
                yield from cursor
            finally:
                cursor.close()  # ends the read transaction even when the caller took only some

    def records(
        self,
        device: int | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        types: tuple[int, ...] = (),
        kind: int | None = None,
    ) -> Iterator[Record]:
        """Yield rows in order of arrival.

        Args:
            device: one chip only.
            since_ms: received at or after, Unix milliseconds.
            until_ms: received before, Unix milliseconds.
            types: these types only.
            kind: 1 frames, 2 the collector's own.
        """
        where = ["1"]
        values: list[int] = []
        for condition, value in (
            ("received_ms >= ?", since_ms),
            ("received_ms < ?", until_ms),
            ("kind = ?", kind),
        ):
            if value is not None:
                where.append(condition)
                values.append(value)
        if types:
            where.append(f"type IN ({', '.join('?' * len(types))})")
            values += types
        conditions = " AND ".join(where)
        bounds = self._bounds()
        for segment in self._shelf.segments():
            oldest_ms, newest_ms = bounds.get(segment.first, (None, None))
            if since_ms is not None and newest_ms is not None and newest_ms < since_ms:
                continue
            if until_ms is not None and oldest_ms is not None and oldest_ms >= until_ms:
                continue
            connection = self._shelf.open(segment)
            if connection is None:
                continue
            if device is not None:
                rows = _of_chip(connection, oldest_ms is not None, device, conditions, values)
            else:
                rows = connection.execute(f"SELECT * FROM records WHERE {conditions} ORDER BY idx", values)  # noqa: S608
            for row in rows:
                yield Record(*row)

    def newest(self, types: tuple[int, ...], since_ms: int, go_on: Callable[[], bool] = lambda: True) -> list[Record]:
        """Return each chip's newest frame and newest own record of these types, in order of arrival.

        Args:
            types: message types, and kinds of own records.
            since_ms: received at or after, Unix milliseconds.
            go_on: asked before each segment; on False the answer is what was found by then.
        """
        found: dict[tuple[int, int], Record] = {}
        bounds = self._bounds()
        wanted = f"type IN ({', '.join('?' * len(types))})"
        for segment in reversed(self._shelf.segments()):
            if not go_on():
                break
            newest_ms = bounds.get(segment.first, (None, None))[1]
            connection = None if newest_ms is not None and newest_ms < since_ms else self._shelf.open(segment)
            if connection is None:
                continue
            # In a sealed segment the index alone answers; the rows would be five times as much to read.
            query = f"SELECT device, kind, max(idx) FROM records WHERE {wanted} GROUP BY device, kind"  # noqa: S608 - only ?
            for device, kind, idx in connection.execute(query, types):
                if (device, kind) not in found:
                    row = connection.execute("SELECT * FROM records WHERE idx = ?", (idx,)).fetchone()
                    found[device, kind] = Record(*row)
        return sorted(record for record in found.values() if record.received_ms >= since_ms)

    def summary(self) -> list[tuple[int, int, int, int, int, int]]:
        """Return (device, frames, own records, epochs, first received_ms, last received_ms) of each chip."""
        chips: dict[int, tuple[int, int, set[int], int, int]] = {}
        for segment in self._shelf.segments():
            connection = self._shelf.open(segment)
            if connection is None:
                continue
            for device, epoch, kind, count, oldest, newest in connection.execute(
                "SELECT device, epoch, kind, count(*), min(received_ms), max(received_ms) FROM records"
                " GROUP BY device, epoch, kind"
            ):
                frames, own, epochs, first, last = chips.get(device, (0, 0, set(), oldest, newest))
                if kind == FRAME:
                    frames += count
                    epochs.add(epoch)
                else:
                    own += count
                chips[device] = (frames, own, epochs, min(first, oldest), max(last, newest))
        return [
            (device, frames, own, len(epochs), first, last)
            for device, (frames, own, epochs, first, last) in sorted(chips.items())
        ]

    def cursor(self, upstream: str) -> tuple[int, bytes]:
        """Return (through, consumer boot) of an upstream; (0, empty) when nothing was receipted yet."""
        found = self.connection.execute("SELECT through, boot FROM cursors WHERE upstream = ?", (upstream,)).fetchone()
        return found or (0, b"")

    def cursors(self) -> list[tuple[str, int, int]]:
        """Return (upstream, through, last row receipted) of each upstream."""
        return self.connection.execute(
            "SELECT cursors.upstream, through, coalesce(last, 0) FROM cursors"
            " LEFT JOIN packs ON packs.upstream = cursors.upstream AND n = through ORDER BY 1"
        ).fetchall()

    def aside(self) -> list[Aside]:
        """Return the records that are set aside, by upstream and row."""
        rows = self.connection.execute(
            "SELECT upstream, idx, at_ms, tries, reason, kind, received_ms, raw FROM aside ORDER BY upstream, idx"
        )
        return [Aside(*row) for row in rows]

    def pack(self, upstream: str, n: int) -> tuple[int, int, bytes] | None:
        """Return (first idx, last idx, digest) of a numbered pack, or None.

        The newest segment has the boundaries of what is not receipted; older ones are where they were stored, as long
        as the store id is the same: after another one was drawn, numbers begin anew.
        """
        newest = self.connection
        found = _pack(newest, upstream, n)
        if found is not None or not 1 <= n <= self.last_pack(upstream):
            return found
        store_id = read_store_id(newest)
        for segment in self._shelf.segments()[-2::-1]:
            connection = self._shelf.open(segment)
            if connection is None or read_store_id(connection) != store_id:
                return None
            found = _pack(connection, upstream, n)
            if found is not None:
                return found
        return None

    def last_pack(self, upstream: str) -> int:
        """Return the highest pack number whose boundaries are stored, 0 when there is none."""
        found = self.connection.execute("SELECT coalesce(max(n), 0) FROM packs WHERE upstream = ?", (upstream,))
        return int(found.fetchone()[0])

    def marks(self) -> list[tuple[str, int, int, int, str]]:
        """Return (kind, Unix ms, first, last, text) of what befell the store: lost, deleted, restored."""
        return self.connection.execute("SELECT kind, at_ms, first, last, text FROM marks ORDER BY rowid").fetchall()

    def segments(self) -> list[Segment]:
        """Return the store's segments, oldest first."""
        return self._shelf.segments()

    def segment(self, segment: Segment) -> sqlite3.Connection | None:
        """Return a query-only connection to one segment, None when it is gone; valid until the next question."""
        return self._shelf.open(segment)

    @property
    def connection(self) -> sqlite3.Connection:
        """The query-only connection to the newest segment, for questions that only one command asks."""
        return self._shelf.newest()

    def _bounds(self) -> dict[int, tuple[int | None, int | None]]:
        rows = self.connection.execute("SELECT first, oldest_ms, newest_ms FROM segments")
        return {first: (oldest, newest) for first, oldest, newest in rows}


def _of_chip(
    connection: sqlite3.Connection, sealed: bool, device: int, conditions: str, values: Sequence[int]
) -> Iterator[tuple[Any, ...]]:
    """Return one chip's rows of a segment in order of arrival: by its index, or by its runs."""
    if not sealed:
        return chip_rows(connection, device, conditions, values)
    return connection.execute(
        f"SELECT * FROM records WHERE device = ? AND {conditions} ORDER BY idx",  # noqa: S608 - conditions are ours
        (device, *values),
    )


def _pack(connection: sqlite3.Connection, upstream: str, n: int) -> tuple[int, int, bytes] | None:
    found: tuple[int, int, bytes] | None = connection.execute(
        "SELECT first, last, digest FROM packs WHERE upstream = ? AND n = ?", (upstream, n)
    ).fetchone()
    return found
