"""The store: one SQLite file, one writer thread, readers beside it."""

from .reader import Reader, Record
from .schema import CONFLICT, FRAME, GAP, OPERATOR, OWN, PRESENCE, Connect, connect
from .writer import Row, Writer

__all__ = [
    "CONFLICT",
    "FRAME",
    "GAP",
    "OPERATOR",
    "OWN",
    "PRESENCE",
    "Connect",
    "Reader",
    "Record",
    "Row",
    "Writer",
    "connect",
]
