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
from .store import Reader, Record, connect

__all__ = [
    "Chip",
    "Chips",
    "ChipsError",
    "CollectorConfigError",
    "CollectorError",
    "Config",
    "Entry",
    "KeyFileError",
    "MemoryLink",
    "OrderError",
    "Reader",
    "Record",
    "Recording",
    "RecordingError",
    "ReplayResult",
    "Service",
    "StoreError",
    "Target",
    "add_chips",
    "check",
    "connect",
    "list_chips",
    "load_config",
    "parse_config",
    "read_chips",
    "read_key",
    "read_secret",
    "read_token",
    "remove_chips",
    "replay",
    "request",
    "run",
    "write_secret",
]

__version__ = "0.1.0"
