"""What record upstreams ask of the store, in one place: rows to send, where they stand, what is set aside.

A record upstream's cursor lies where the others' do: ``cursors.through`` is the row up to which all is delivered, and
``packs`` has that one row as a pack of its own, so that whoever asks which row an upstream has reached asks one way.
Statements that write take the writer's connection and run inside its transaction.
"""

import sqlite3
from contextlib import closing
from itertools import islice

from ..store.reader import Reader
from ..store.schema import read_store_id
from .document import Row

__all__ = ["ASIDE_MAX", "RowSource", "forget_aside", "move_cursor", "put_aside"]

ASIDE_MAX = 1_000  # of one upstream; more than that is no poison record but a far end that takes nothing


class RowSource:
    """The rows of a store for one upstream."""

    def __init__(self, reader: Reader, upstream: str) -> None:
        self._reader = reader
        self._upstream = upstream
        self.store_id = reader.store_id()

    def through(self) -> int:
        """Return the row up to which all is delivered, 0 at the beginning."""
        return next((last for name, _, last in self._reader.cursors() if name == self._upstream), 0)

    def aside(self) -> int:
        """Return how many records are set aside."""
        return sum(upstream == self._upstream for upstream, *_ in self._reader.aside())

    def last(self) -> int:
        """Return the newest row that can be read."""
        return self._reader.last_index()

    def rest(self) -> None:
        """Let go of older segments, so that they are sealed and their disk returns."""
        self._reader.rest()

    def rows(self, first: int, last: int, count: int) -> list[Row]:
        """Return the first ``count`` rows from ``first`` to ``last``; what retention deleted is jumped over."""
        # Closed at once, which ends the read transaction, so that the log can be folded in.
        with closing(self._reader.rows(first, last)) as found:
            return [Row(*row) for row in islice(found, count)]


def move_cursor(connection: sqlite3.Connection, store_id: bytes, upstream: str, through: int) -> bool:
    """Store where an upstream stands; False when the store has another id by now."""
    if read_store_id(connection) != store_id:
        return False
    connection.execute("DELETE FROM packs WHERE upstream = ?", (upstream,))
    connection.execute("INSERT INTO packs VALUES (?, ?, ?, ?, x'')", (upstream, through, through, through))
    connection.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?, x'')", (upstream, through))
    return True


def put_aside(
    connection: sqlite3.Connection, store_id: bytes, upstream: str, row: Row, tries: int, reason: str, now_ms: int
) -> bool:
    """Store a record that an upstream could not deliver, with its bytes; False when too many are there already."""
    if read_store_id(connection) != store_id:
        return False
    count: int = connection.execute("SELECT count(*) FROM aside WHERE upstream = ?", (upstream,)).fetchone()[0]
    if count >= ASIDE_MAX:
        return False
    connection.execute(
        "INSERT OR REPLACE INTO aside VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (upstream, row.idx, now_ms, tries, reason, row.kind, row.received_ms, row.raw),
    )
    return True


def forget_aside(connection: sqlite3.Connection, upstream: str) -> int:
    """Forget what an upstream had set aside, and return how many records that were; they stay in ``records``."""
    return connection.execute("DELETE FROM aside WHERE upstream = ?", (upstream,)).rowcount
