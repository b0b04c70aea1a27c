"""The collector: takes chips' frames, keeps them, forwards them, and loses nothing it acknowledged.

This module is its public door; everything else in the package is private to it.
"""

from .chips import Chip, Chips, add_chips, list_chips, read_chips, read_key, read_secret, remove_chips, write_secret
from .config import Config, load_config, parse_config
from .control import read_token, request
from .entry import check, run
from .errors import (
    ChipsError,
    CollectorConfigError,
    CollectorError,
    KeyFileError,
    OrderError,
    RecordingError,
    StoreError,
)
from .links.memory import MemoryLink
from .recording import Entry, Recording
from .replay import ReplayResult, replay
from .replay_ways import Target
from .service import Service
from .shipped_files import dashboard_text, unit_text
from .store import (
    FRAME,
    MISSING,
    Aside,
    Gap,
    Line,
    Reader,
    Record,
    backup_store,
    check_store,
    connect,
    find_gaps,
    is_store,
    join_store,
    list_segments,
    prepare,
    prove_lines,
    restore_store,
    salvage_store,
    seal,
    store_folder,
)
from .upstream.base import Adapter, SettingError, Surroundings, Upstream, UpstreamStatus
from .upstream.carrier import Carrier, Refused, Settled, UndeliveredError
from .upstream.document import Row
from .upstream.records import Pace, RecordUpstream
from .upstream.settings import BrokerSection, UpstreamSection

__all__ = [
    "FRAME",
    "MISSING",
    "Adapter",
    "Aside",
    "BrokerSection",
    "Carrier",
    "Chip",
    "Chips",
    "ChipsError",
    "CollectorConfigError",
    "CollectorError",
    "Config",
    "Entry",
    "Gap",
    "KeyFileError",
    "Line",
    "MemoryLink",
    "OrderError",
    "Pace",
    "Reader",
    "Record",
    "RecordUpstream",
    "Recording",
    "RecordingError",
    "Refused",
    "ReplayResult",
    "Row",
    "Service",
    "SettingError",
    "Settled",
    "StoreError",
    "Surroundings",
    "Target",
    "UndeliveredError",
    "Upstream",
    "UpstreamSection",
    "UpstreamStatus",
    "add_chips",
    "backup_store",
    "check",
    "check_store",
    "connect",
    "dashboard_text",
    "find_gaps",
    "is_store",
    "join_store",
    "list_chips",
    "list_segments",
    "load_config",
    "parse_config",
    "prepare",
    "prove_lines",
    "read_chips",
    "read_key",
    "read_secret",
    "read_token",
    "remove_chips",
    "replay",
    "request",
    "restore_store",
    "run",
    "salvage_store",
    "seal",
    "store_folder",
    "unit_text",
    "write_secret",
]

__version__ = "0.1.0"
