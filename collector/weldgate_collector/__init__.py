"""The collector: takes chips' frames, keeps them, forwards them, and loses nothing it acknowledged.

This module is its public door; everything else in the package is private to it.
"""

from .chips import Chip, Chips, add_chips, list_chips, read_chips, read_key, remove_chips, write_secret
from .config import Config, load_config, parse_config
from .control import read_token, request
from .entry import check, run
from .errors import ChipsError, CollectorConfigError, CollectorError, KeyFileError, OrderError, StoreError
from .links.memory import MemoryLink
from .service import Service
from .shipped_files import dashboard_text, unit_text
from .store import Reader, Record, connect

__all__ = [
    "Chip",
    "Chips",
    "ChipsError",
    "CollectorConfigError",
    "CollectorError",
    "Config",
    "KeyFileError",
    "MemoryLink",
    "OrderError",
    "Reader",
    "Record",
    "Service",
    "StoreError",
    "add_chips",
    "check",
    "connect",
    "dashboard_text",
    "list_chips",
    "load_config",
    "parse_config",
    "read_chips",
    "read_key",
    "read_token",
    "remove_chips",
    "request",
    "run",
    "unit_text",
    "write_secret",
]

__version__ = "0.1.0"
