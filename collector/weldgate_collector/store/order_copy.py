"""Copies the orders into the next segment a slice at a time, and in the end what changed meanwhile.

Ended orders stay for their repeats, so a province has hundreds of thousands: copied at once they hold acks up for
seconds (500,000: 11 s). Changes made under way are noted by triggers that live in the writer's connection alone, inside
the transaction that makes them, so that what is rolled back is not noted either.
"""

import sqlite3
from contextlib import suppress

__all__ = ["OrderCopy"]

_SLICE_ROWS = 1_000  # copied between two commits: about 20 ms
_NOTE = "INSERT OR IGNORE INTO changed_orders VALUES"


class OrderCopy:
    """The orders of one open segment on their way into the next."""

    def __init__(self, source: sqlite3.Connection, target: sqlite3.Connection) -> None:
        """Begin to note changes; nothing is copied yet.

        Args:
            source: the open segment's connection, the one through which orders change.
            target: the next segment's, with an empty table.
        """
        self._source = source
        self._target = target
        self._after = (b"", -1)
        source.execute("PRAGMA temp_store=MEMORY")
        self.forget()
        source.execute("CREATE TEMP TABLE changed_orders (id, device, PRIMARY KEY (id, device)) WITHOUT ROWID")
        for change, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
            source.execute(
                f"CREATE TEMP TRIGGER note_{change} AFTER {change} ON main.orders"
                f" BEGIN {_NOTE} ({row}.id, {row}.device); END"
            )

    def step(self) -> bool:
        """Copy one slice inside the caller's transaction; True when the last one was."""
        rows = self._source.execute(
            "SELECT * FROM orders WHERE (id, device) > (?, ?) ORDER BY id, device LIMIT ?", (*self._after, _SLICE_ROWS)
        ).fetchall()
        self._put(rows)
        if rows:
            self._after = rows[-1][:2]
        return len(rows) < _SLICE_ROWS

    def finish(self) -> None:
        """Copy what changed since the beginning, inside the caller's transaction."""
        changed = self._source.execute("SELECT id, device FROM temp.changed_orders").fetchall()
        self._target.executemany("DELETE FROM orders WHERE id = ? AND device = ?", changed)
        for name in changed:
            self._put(self._source.execute("SELECT * FROM orders WHERE id = ? AND device = ?", name).fetchall())

    def forget(self) -> None:
        """Note changes no more."""
        with suppress(sqlite3.Error):  # a connection that is broken, or closed, notes nothing either
            for change in ("INSERT", "UPDATE", "DELETE"):
                self._source.execute(f"DROP TRIGGER IF EXISTS temp.note_{change}")
            self._source.execute("DROP TABLE IF EXISTS temp.changed_orders")

    def _put(self, rows: list[tuple[object, ...]]) -> None:
        self._target.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
