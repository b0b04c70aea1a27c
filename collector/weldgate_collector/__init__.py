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
from .store import Aside, Reader, Record, connect
from .upstream.base import Adapter, SettingError, Surroundings, Upstream, UpstreamStatus
from .upstream.carrier import Carrier, Refused, Settled, UndeliveredError
from .upstream.document import Row
from .upstream.records import Pace, RecordUpstream
from .upstream.settings import BrokerSection, UpstreamSection

__all__ = [
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
    "KeyFileError",
    "MemoryLink",
    "OrderError",
    "Pace",
    "Reader",
    "Record",
    "RecordUpstream",
    "Refused",
    "Row",
    "Service",
    "SettingError",
    "Settled",
    "StoreError",
    "Surroundings",
    "UndeliveredError",
    "Upstream",
    "UpstreamSection",
    "UpstreamStatus",
    "add_chips",
    "check",
    "connect",
    "list_chips",
    "load_config",
    "parse_config",
    "read_chips",
    "read_key",
    "read_token",
    "remove_chips",
    "request",
    "run",
    "write_secret",
]

__version__ = "0.1.0"
