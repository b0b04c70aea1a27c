"""Query-only connections to a store's segments: the newest one, and a few of the older ones, let go of in time.

A segment can only be sealed, and its disk only return, when nobody has it open any more: so each question looks at the
folder first (one ``stat``), and connections to what is no longer the newest, or no longer there, are closed.
"""

import sqlite3
import time
from pathlib import Path

from weldgate_protocol.reasons import TOOL_NOT_FOUND

from ..errors import StoreError
from .schema import READABLE, Connect, open_store
from .segments import Segment, list_segments, segment_folder

__all__ = ["Shelf"]

_OPEN_MAX = 32  # older segments kept open by one reader
_STAMP_SURE_NS = 100_000_000  # a folder changed twice within a clock tick has one and the same time stamp


class Shelf:
    """The segments of one store, for one thread."""

    def __init__(self, folder: Path, open_connection: Connect) -> None:
        """Remember where they are; nothing is opened."""
        self._folder = folder
        self._connect = open_connection
        self._stamp_ns = 0
        self._segments: list[Segment] = []
        self._newest: tuple[Segment, sqlite3.Connection] | None = None
        self._older: dict[Segment, sqlite3.Connection] = {}  # least recently used first

    def close(self) -> None:
        """Close every connection."""
        if self._newest is not None:
            self._newest[1].close()
            self._newest = None
        for connection in self._older.values():
            connection.close()
        self._older.clear()

    def rest(self) -> None:
        """Close all but the newest segment, and that one too if it is no longer the newest."""
        self.segments()
        for connection in self._older.values():
            connection.close()
        self._older.clear()

    def segments(self) -> list[Segment]:
        """Return the segments that are there, oldest first."""
        try:
            stamp_ns = segment_folder(self._folder).stat().st_mtime_ns
        except FileNotFoundError:
            stamp_ns = 0
        if stamp_ns != self._stamp_ns or time.time_ns() - stamp_ns < _STAMP_SURE_NS:
            self._look()
            self._stamp_ns = stamp_ns
        return self._segments

    def newest(self) -> sqlite3.Connection:
        """Return the connection to the newest segment.

        Raises:
            StoreError: none is there any more, or it can't be used.
        """
        segments = self.segments()
        if not segments:
            raise StoreError(TOOL_NOT_FOUND, f"{segment_folder(self._folder)}: no segment is there any more")
        if self._newest is None:
            self._newest = (segments[-1], self._open(segments[-1], None))
        return self._newest[1]

    def open(self, segment: Segment) -> sqlite3.Connection | None:
        """Return the connection to a segment, None when it was removed."""
        if self._newest is not None and self._newest[0] == segment:
            return self._newest[1]
        if self._segments and segment == self._segments[-1]:
            newest = self.newest()  # another one may have followed meanwhile
            if self._newest is not None and self._newest[0] == segment:
                return newest
        connection = self._older.pop(segment, None)
        if connection is None:
            try:
                connection = self._open(segment, READABLE)
            except sqlite3.OperationalError:
                if segment.path.exists():
                    raise
                return None
        self._older[segment] = connection
        if len(self._older) > _OPEN_MAX:
            self._older.pop(next(iter(self._older))).close()
        return connection

    def _look(self) -> None:
        self._segments = list_segments(self._folder)
        if self._newest is not None and (not self._segments or self._newest[0] != self._segments[-1]):
            self._newest[1].close()
            self._newest = None
        there = set(self._segments)
        for segment in [segment for segment in self._older if segment not in there]:
            self._older.pop(segment).close()

    def _open(self, segment: Segment, oldest: int | None) -> sqlite3.Connection:
        connection = open_store(segment.path, self._connect, may_migrate=False, oldest=oldest)
        connection.execute("PRAGMA query_only=ON")
        return connection
