"""The collector's ``connect`` seam over a ``Disk``: apsw's connections with the manners of ``sqlite3``'s.

Only what the store uses is there. Errors are ``sqlite3``'s, with SQLite's own codes.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar, cast

import apsw

from weldgate_collector import prepare
from weldgate_simulator.disk import Disk

__all__ = ["disk_seam"]

_T = TypeVar("_T")
_BUSY_MS = 20_000


def disk_seam(disk: Disk, pragmas: str = "") -> Callable[[str], sqlite3.Connection]:
    """Return a ``connect`` that opens databases on a disk.

    Args:
        disk: where they are.
        pragmas: run on each connection after ours: to plant a fault.
    """

    def connect(path: str) -> sqlite3.Connection:
        connection = cast(sqlite3.Connection, _Connection(path, disk))
        prepare(connection)
        if pragmas:
            connection.execute(pragmas)
        return connection

    return connect


class _Connection:
    def __init__(self, path: str, disk: Disk) -> None:
        self._path = path
        self._disk = disk
        self._apsw: apsw.Connection = _translated(
            lambda: apsw.Connection(
                path, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI, vfs=disk.name
            )
        )
        self._apsw.set_busy_timeout(_BUSY_MS)

    @property
    def in_transaction(self) -> bool:
        return bool(self._apsw.in_transaction)

    def execute(self, sql: str, values: Any = ()) -> "_Cursor":
        return _Cursor(self._apsw, _translated(lambda: self._apsw.execute(sql, values).fetchall()))

    def executemany(self, sql: str, rows: Iterable[Any]) -> "_Cursor":
        return _Cursor(self._apsw, _translated(lambda: self._apsw.executemany(sql, rows).fetchall()))

    def close(self) -> None:
        _translated(lambda: self._apsw.close(True))


class _Cursor:
    """All rows at once: a statement's commit, and its failure, come with its last step."""

    def __init__(self, connection: apsw.Connection, rows: list[Any]) -> None:
        self._rows = iter(rows)
        self.rowcount = connection.changes()

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)

    def close(self) -> None:
        self._rows = iter(())

    def __iter__(self) -> Iterator[Any]:
        return self._rows


def _translated(do: Callable[[], _T]) -> _T:
    """Do it, and raise what ``sqlite3`` would."""
    try:
        return do()
    except apsw.Error as error:
        kind: type[sqlite3.Error] = sqlite3.OperationalError
        if isinstance(error, apsw.ConstraintError):
            kind = sqlite3.IntegrityError
        elif isinstance(error, apsw.CorruptError | apsw.NotADBError):
            kind = sqlite3.DatabaseError
        told = kind(str(error))
        told.sqlite_errorcode = getattr(error, "extendedresult", sqlite3.SQLITE_IOERR)
        raise told from error
