"""Rows of the store as JSON bytes: the document, chosen and mapped as ``[upstream.record]`` says. Pure."""

from typing import NamedTuple

import msgspec

from weldgate_protocol.collector_record import decode_record
from weldgate_protocol.errors import WeldgateError

from ..store.schema import FRAME
from .base import SettingError
from .document import OWN_NAMES, TYPE_NAMES, Document, Documents, Row
from .mapping import Mapped, compile_map
from .settings import RecordSection

__all__ = ["Encoded", "Encoder"]

_NAMES = frozenset({*TYPE_NAMES.values(), *OWN_NAMES.values(), "unknown", "unreadable"})


class Encoded(NamedTuple):
    """A row's document, and the JSON that goes out for it."""

    document: Document
    data: bytes


class Encoder:
    """Encodes the rows of one upstream."""

    def __init__(self, settings: RecordSection, collector: str) -> None:
        """Compile the settings.

        Raises:
            SettingError: a type or a map that can't be used.
        """
        for position, name in enumerate(settings.types):
            if name not in _NAMES:
                known = ", ".join(sorted(_NAMES))
                raise SettingError(f"record.types[{position}]", f"no message `{name}`; there are {known}")
        self._settings = settings
        self._collector = collector
        self._types = frozenset(settings.types)
        self._mapped: Mapped | None = None
        if settings.map:
            self._mapped = compile_map(settings.map, settings.utc_offset_min, "record.map")
        self._documents = Documents(collector, bytes(16), settings.ids, settings.raw)
        self._json = msgspec.json.Encoder()

    def begin(self, store_id: bytes) -> None:
        """Take the store's id, 16 bytes."""
        self._documents = Documents(self._collector, store_id, self._settings.ids, self._settings.raw)

    def wants(self, row: Row) -> bool:
        """Tell whether a row is to go out at all."""
        return not self._types or _name(row) in self._types

    def encode(self, row: Row) -> Encoded:
        """Return a row's document and JSON.

        Raises:
            ValueError, TypeError, ArithmeticError: the map can't be used on this row.
        """
        document = self._documents.make(row)
        return Encoded(document, self._json.encode(self._mapped(document) if self._mapped is not None else document))


def _name(row: Row) -> str:
    if row.kind == FRAME:
        return TYPE_NAMES.get(row.raw[1], "unknown") if len(row.raw) > 1 else "unreadable"
    try:
        return OWN_NAMES.get(decode_record(row.raw).kind, "unknown")
    except WeldgateError:
        return "unreadable"
