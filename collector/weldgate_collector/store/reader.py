"""Questions to a store, each on the caller's own connection; WAL lets them run beside the writer.

For the collector: high-waters at start, a repeat's stored bytes, rows for packs. For people and tools: counts, frames
by chip and time. Nothing here writes.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from weldgate_protocol.reasons import TOOL_NOT_FOUND

from ..errors import StoreError
from .schema import CONFLICT, FRAME, OWN, Connect, connect, open_store

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
    """A read-only view of a store. Not for two threads at once. Use it in ``with`` or ``close`` it."""

    def __init__(self, path: Path, open_connection: Connect = connect) -> None:
        """Open an existing store.

        Raises:
            StoreError: there is none, or an older or newer weldgate made it.
        """
        if not path.exists():
            raise StoreError(TOOL_NOT_FOUND, f"{path}: no store is there")
        self._connection = open_store(path, open_connection, may_migrate=False)
        self._connection.execute("PRAGMA query_only=ON")

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def store_id(self) -> bytes:
        """Return the 16 bytes that name this store in packs."""
        found: bytes = self._connection.execute("SELECT value FROM meta WHERE key = 'store_id'").fetchone()[0]
        return found

    def last_index(self) -> int:
        """Return the newest row's idx, 0 when there is none."""
        return int(self._connection.execute("SELECT coalesce(max(idx), 0) FROM records").fetchone()[0])

    def highs(self) -> Iterator[tuple[int, int, int]]:
        """Yield (device, epoch, highest seq stored or declared); one pass over all rows."""
        yield from self._connection.execute(
            "SELECT device, epoch, max(seq) FROM records GROUP BY device, epoch HAVING max(seq) > 0"
        )

    def find(self, device: int, epoch: int, first: int, last: int) -> list[Record]:
        """Return the frames and conflict records of one chip and epoch with ``first`` ≤ seq ≤ ``last``; one pass."""
        rows = self._connection.execute(
            "SELECT * FROM records WHERE device = ? AND epoch = ? AND seq BETWEEN ? AND ?"
            " AND (kind = ? OR (kind = ? AND type = ?)) ORDER BY idx",
            (device, epoch, first, last, FRAME, OWN, CONFLICT),
        )
        return [Record(*row) for row in rows]

    def rows(self, first: int, last: int) -> Iterator[tuple[int, int, int, bytes]]:
        """Yield (kind, received_ms, idx, raw) of rows ``first`` to ``last``, as packs carry them."""
        cursor = self._connection.execute(
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
            ("device = ?", device),
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
        query = f"SELECT * FROM records WHERE {' AND '.join(where)} ORDER BY idx"  # noqa: S608 - conditions are ours
        for row in self._connection.execute(query, values):
            yield Record(*row)

    def newest(self, types: tuple[int, ...], since_ms: int) -> list[Record]:
        """Return each chip's newest frame and newest own record of these types, in order of arrival; one pass in C.

        Args:
            types: message types, and kinds of own records.
            since_ms: received at or after, Unix milliseconds.
        """
        rows = self._connection.execute(
            f"SELECT max(idx), received_ms, kind, device, epoch, seq, type, raw FROM records"  # noqa: S608 - only ?
            f" WHERE received_ms >= ? AND type IN ({', '.join('?' * len(types))}) GROUP BY device, kind",
            (since_ms, *types),
        )  # SQLite gives the other columns of the row that max() is of
        return sorted(Record(*row) for row in rows)

    def summary(self) -> list[tuple[int, int, int, int, int, int]]:
        """Return (device, frames, own records, epochs, first received_ms, last received_ms) of each chip."""
        return self._connection.execute(
            "SELECT device, sum(kind = 1), sum(kind = 2), count(DISTINCT CASE kind WHEN 1 THEN epoch END),"
            " min(received_ms), max(received_ms) FROM records GROUP BY device ORDER BY device"
        ).fetchall()

    def cursor(self, upstream: str) -> tuple[int, bytes]:
        """Return (through, consumer boot) of an upstream; (0, empty) when nothing was receipted yet."""
        found = self._connection.execute("SELECT through, boot FROM cursors WHERE upstream = ?", (upstream,)).fetchone()
        return found or (0, b"")

    def cursors(self) -> list[tuple[str, int, int]]:
        """Return (upstream, through, last row receipted) of each upstream."""
        return self._connection.execute(
            "SELECT cursors.upstream, through, coalesce(last, 0) FROM cursors"
            " LEFT JOIN packs ON packs.upstream = cursors.upstream AND n = through ORDER BY 1"
        ).fetchall()

    def aside(self) -> list[Aside]:
        """Return the records that are set aside, by upstream and row."""
        rows = self._connection.execute(
            "SELECT upstream, idx, at_ms, tries, reason, kind, received_ms, raw FROM aside ORDER BY upstream, idx"
        )
        return [Aside(*row) for row in rows]

    def pack(self, upstream: str, n: int) -> tuple[int, int, bytes] | None:
        """Return (first idx, last idx, digest) of a numbered pack, or None."""
        found: tuple[int, int, bytes] | None = self._connection.execute(
            "SELECT first, last, digest FROM packs WHERE upstream = ? AND n = ?", (upstream, n)
        ).fetchone()
        return found

    def last_pack(self, upstream: str) -> int:
        """Return the highest pack number whose boundaries are stored, 0 when there is none."""
        return int(
            self._connection.execute(
                "SELECT coalesce(max(n), 0) FROM packs WHERE upstream = ?", (upstream,)
            ).fetchone()[0]
        )

    @property
    def connection(self) -> sqlite3.Connection:
        """The query-only connection, for questions that only one command asks."""
        return self._connection
