"""The collector's error tree.

    WeldgateError
    └── LocalError
        └── CollectorError            ours: asked for something illegal, or this machine failed us
            ├── CollectorConfigError  the TOML file: file, line and key are in the message
            ├── ChipsError            the file of known chips, or a chip to be added to it
            ├── KeyFileError          a secret file that is missing, too open or no key
            ├── StoreError            the database can't be used as asked
            ├── OrderError            an order or token that can't be queued
            └── RecordingError        a recording that can't be made, read or replayed

What peers send is judged by ``weldgate_protocol``; those errors are its own. ``code`` is a number of the one register
(``weldgate_protocol.reasons``, 500 up).
"""

from weldgate_protocol.errors import LocalError

__all__ = [
    "ChipsError", "CollectorConfigError", "CollectorError", "KeyFileError", "OrderError", "RecordingError",
    "StoreError",
]  # fmt: skip


class CollectorError(LocalError):
    """Something the collector was asked for and can't do."""


class CollectorConfigError(CollectorError):
    """A configuration that can't be used; the message names file, line and key."""


class ChipsError(CollectorError):
    """A file of known chips that can't be read or written; the message names file and line."""


class KeyFileError(CollectorError):
    """A secret file that is missing, readable by others, or not a key."""


class StoreError(CollectorError):
    """A database that can't be opened or used as asked."""


class OrderError(CollectorError):
    """An order or token that can't be queued; the message says what was allowed."""


class RecordingError(CollectorError):
    """A recording that can't be made, read or replayed; the message names file and line, or where it was to go."""
