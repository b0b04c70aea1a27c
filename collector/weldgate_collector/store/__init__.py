"""The store: one SQLite file, one writer thread, readers beside it."""

from .reader import Aside, Reader, Record
from .schema import CONFLICT, FRAME, GAP, OPERATOR, OWN, PRESENCE, Connect, connect
from .writer import Row, Writer

__all__ = [
    "CONFLICT",
    "FRAME",
    "GAP",
    "OPERATOR",
    "OWN",
    "PRESENCE",
    "Aside",
    "Connect",
    "Reader",
    "Record",
    "Row",
    "Writer",
    "connect",
]
