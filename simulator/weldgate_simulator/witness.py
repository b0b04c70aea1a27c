"""What the far end of the line has: the consumer's and the collector's databases, asked while everything runs.

The scenario's assertions rest on this: a step is done when its record has arrived here, not when a chip says so.
"""

import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

from weldgate_protocol import messages
from weldgate_protocol.frame import parse
from weldgate_simulator.ledger import segment_files

__all__ = ["Arrived", "Witness"]


class Arrived(NamedTuple):
    """One message that the consumer committed.

    Attributes:
        device, seq: whose, and its number.
        fields: by name.
        at_ms: the chip's own time, Unix milliseconds.
        received_ms: the collector's.
    """

    device: int
    seq: int
    fields: dict[Any, Any]
    at_ms: int
    received_ms: int


class Witness:
    """Reads the store's segments and the consumer's database, opened anew for each question: owners come and go."""

    def __init__(self, store: Path, journal: Path) -> None:
        self._store = store
        self._journal = journal

    def arrived(self, type_: int, device: int | None = None) -> list[Arrived]:
        """Return the messages of one type that the consumer has, by chip and number."""
        query = "SELECT device, seq, raw, received_ms FROM frames WHERE substr(raw, 2, 1) = ?1"
        query += " AND device = ifnull(?2, device)"
        rows = self._ask(self._journal, query + " ORDER BY device, seq", bytes([type_]), device)
        found = []
        for chip, seq, raw, received_ms in rows:
            frame = parse(raw)
            fields = messages.decode(frame.type, frame.payload)
            found.append(Arrived(chip, seq, fields, frame.time_s * 1000 + frame.time_ms, received_ms))
        return found

    def seqs(self, where: str, device: int) -> dict[tuple[int, int], bytes]:
        """Return (epoch, seq) -> bytes of one chip's records, ``where`` being ``store`` or ``consumer``."""
        if where == "store":
            query = "SELECT epoch, seq, raw FROM records WHERE kind = 1 AND device = ?"
            rows = [row for path in segment_files(self._store) for row in self._ask(path, query, device)]
        else:
            rows = self._ask(self._journal, "SELECT epoch, seq, raw FROM frames WHERE device = ?", device)
        return {(epoch, seq): raw for epoch, seq, raw in rows}

    def stored(self) -> int:
        """Return how many rows the store has, frames and own records."""
        return sum(self._count(path, "SELECT count(*) FROM records") for path in segment_files(self._store))

    def delivered(self) -> int:
        """Return how many rows the consumer has, frames and own records."""
        query = "SELECT (SELECT count(*) FROM frames) + (SELECT count(*) FROM own_records)"
        return self._count(self._journal, query)

    def _count(self, path: Path, query: str) -> int:
        rows = self._ask(path, query)
        return int(rows[0][0]) if rows else 0

    def _ask(self, path: Path, query: str, *values: Any) -> list[Any]:
        if not path.exists():
            return []
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)
        try:
            return connection.execute(query, values).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []  # its owner has only just made the file
            raise
        finally:
            connection.close()
