"""The store: segments of SQLite, one writer thread, readers beside it."""

from .care import Finding, SegmentReport, check_store
from .completeness import MISSING, Gap, Line, find_gaps, prove_lines
from .copies import Copied, backup_store, join_store, restore_store
from .reader import Aside, Reader, Record
from .salvage import Salvaged, salvage_store
from .schema import CONFLICT, FRAME, GAP, OPERATOR, OWN, PRESENCE, Connect, connect, prepare
from .segments import Segment, is_store, list_segments, seal, segment_folder, store_folder
from .writer import Row, Writer

__all__ = [
    "CONFLICT",
    "FRAME",
    "GAP",
    "MISSING",
    "OPERATOR",
    "OWN",
    "PRESENCE",
    "Aside",
    "Connect",
    "Copied",
    "Finding",
    "Gap",
    "Line",
    "Reader",
    "Record",
    "Row",
    "Salvaged",
    "Segment",
    "SegmentReport",
    "Writer",
    "backup_store",
    "check_store",
    "connect",
    "find_gaps",
    "is_store",
    "join_store",
    "list_segments",
    "prepare",
    "prove_lines",
    "restore_store",
    "salvage_store",
    "seal",
    "segment_folder",
    "store_folder",
]
