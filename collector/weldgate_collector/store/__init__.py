"""The store: segments of SQLite, one writer thread, readers beside it."""

from .reader import Reader, Record
from .schema import CONFLICT, FRAME, GAP, OPERATOR, OWN, PRESENCE, Connect, connect
from .segments import Segment, list_segments, seal, segment_folder, store_folder
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
    "Segment",
    "Writer",
    "connect",
    "list_segments",
    "seal",
    "segment_folder",
    "store_folder",
]
