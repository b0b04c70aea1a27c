"""Rows of the store as numbered packs: new ones, old ones again byte for byte, and the SQL that keeps them.

The boundaries and the digest of a pack are stored before its first publish; rows never change, so the same boundaries
make the same bytes. Statements that write take the writer's connection and run inside its transaction.
"""

import sqlite3
from typing import NamedTuple

from weldgate_protocol.errors import WeldgateError
from weldgate_protocol.pack import (
    ITEM_OVERHEAD_BYTES,
    NO_DIGEST,
    PACK_MAX,
    Item,
    Pack,
    encode_pack,
    pack_digest,
    pack_overhead_bytes,
)

from ..store.reader import Reader
from ..store.schema import read_store_id

__all__ = ["Built", "Packer", "forget_boundaries", "renew_store", "save_boundaries", "save_cursor"]


class Built(NamedTuple):
    """One pack ready for the wire."""

    number: int
    first: int
    last: int
    digest: bytes
    data: bytes


class Packer:
    """Makes the packs of one upstream from a reader of the store."""

    def __init__(self, reader: Reader, upstream: str, key: bytes) -> None:
        """Begin after the last pack whose boundaries are stored."""
        self._reader = reader
        self._upstream = upstream
        self._key = key
        self.store_id = reader.store_id()
        self.built = reader.last_pack(upstream)
        boundary = reader.pack(upstream, self.built) if self.built else None
        self.last_row = boundary[1] if boundary else 0
        self._digest = boundary[2] if boundary else NO_DIGEST

    def digest(self, number: int) -> bytes | None:
        """Return the digest stored for a pack, None when it was never built."""
        found = self._reader.pack(self._upstream, number)
        return found[2] if found else None

    def build(self, committed: int) -> Built | None:
        """Build the next pack from rows through ``committed``; None when there are none.

        The pack counts as built from now on; its boundaries must be stored before it is published.
        """
        rows: list[Item] = []
        room = PACK_MAX - pack_overhead_bytes(self._upstream)
        for row in self._reader.rows(self.last_row + 1, committed):
            room -= ITEM_OVERHEAD_BYTES + len(row[3])
            if room < 0 or (rows and row[2] != rows[-1].index + 1):  # rows that are lost end a pack as well
                break
            rows.append(Item(*row))
        if not rows:
            return None
        built = self._encode(self.built + 1, rows, self._digest)
        self.built, self.last_row, self._digest = built.number, built.last, built.digest
        return built

    def rebuild(self, number: int) -> Built | None:
        """Build a stored pack again; None when its bytes are not the same (another key, a store tampered with)."""
        boundary = self._reader.pack(self._upstream, number)
        previous = self.digest(number - 1) if number > 1 else NO_DIGEST
        if boundary is None or previous is None:
            return None
        rows = [Item(*row) for row in self._reader.rows(boundary[0], boundary[1])]
        try:
            built = self._encode(number, rows, previous)
        except WeldgateError:
            return None
        return built if built.digest == boundary[2] else None

    def is_deleted(self, number: int) -> bool:
        """Tell whether retention took rows of a stored pack."""
        boundary = self._reader.pack(self._upstream, number)
        return boundary is not None and boundary[0] < self._reader.first_index()

    def _encode(self, number: int, rows: list[Item], previous: bytes) -> Built:
        data = encode_pack(Pack(self.store_id, self._upstream, number, previous, rows), self._key)
        return Built(number, rows[0].index, rows[-1].index, pack_digest(data), data)


def save_boundaries(
    connection: sqlite3.Connection, store_id: bytes, upstream: str, packs: list[tuple[int, int, int, bytes]]
) -> bool:
    """Store new packs as (number, first, last, digest); False when the store id is another by now.

    A commit may fail and yet be in the file; then this runs again, and finds its own packs there.
    """
    if read_store_id(connection) != store_id:
        return False
    connection.executemany("INSERT OR IGNORE INTO packs VALUES (?, ?, ?, ?, ?)", [(upstream, *pack) for pack in packs])
    return True


def forget_boundaries(connection: sqlite3.Connection, store_id: bytes, upstream: str, first: int) -> None:
    """Forget packs from ``first`` on: their rows are gone, and the numbers go to what is left."""
    if read_store_id(connection) == store_id:
        connection.execute("DELETE FROM packs WHERE upstream = ? AND n >= ?", (upstream, first))


def save_cursor(connection: sqlite3.Connection, store_id: bytes, upstream: str, through: int, boot: bytes) -> None:
    """Store where an upstream stands; it may lag behind, the consumer's receipts put it right."""
    if read_store_id(connection) == store_id:
        connection.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?, ?)", (upstream, through, boot))


def renew_store(connection: sqlite3.Connection, old: bytes) -> None:
    """Draw a new store id and forget every pack, so that all is sent again; once, whoever asks first."""
    changed = connection.execute(
        "UPDATE meta SET value = randomblob(16) WHERE key = 'store_id' AND value = ?", (old,)
    ).rowcount
    if changed:
        connection.execute("DELETE FROM packs")
        connection.execute("DELETE FROM cursors")
