"""A row of the store as the JSON document that docs/upstream-json.md describes. Pure.

Everything that can be read is in it by name; what can't be read stays as hex beside the reason, since it is evidence.
The ``id`` is the record's identity: whoever gets a document twice knows it by that.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from weldgate_protocol import messages, reason_texts
from weldgate_protocol.collector_record import decode_record
from weldgate_protocol.errors import WeldgateError
from weldgate_protocol.frame import Frame, parse

from ..store.schema import FRAME

__all__ = ["NAMES", "OWN_NAMES", "TYPE_NAMES", "Document", "Documents", "Row"]

Document = dict[str, Any]

TYPE_NAMES: dict[int, str] = {type_: row[0] for type_, row in messages.MESSAGES.items() if type_ < 0x80}
OWN_NAMES = {
    1: "collector-gap",
    2: "collector-conflict",
    3: "collector-presence",
    4: "collector-operator",
    5: "collector-challenge",
}
_QUALITIES = ("floor", "held", "synced", "unknown")

# The top level of a document; `fields` has what the message has.
NAMES = (
    "id", "collector", "store", "index", "received_ms", "device", "epoch", "seq", "type", "message", "time_ms",
    "time_quality", "fields", "payload", "payload_error", "frame", "raw",
)  # fmt: skip


class Row(NamedTuple):
    """A row of the store, as ``Reader.rows`` yields it."""

    kind: int
    received_ms: int
    idx: int
    raw: bytes


class Documents:
    """Makes documents of one store's rows."""

    def __init__(self, collector: str, store_id: bytes, ids: Literal["text", "number"], raw: bool = False) -> None:
        """Set what all documents have.

        Args:
            collector: the collector's name.
            store_id: 16 bytes.
            ids: how chip numbers, up to 2^63 − 1, are written.
            raw: whether the bytes come along in hex.
        """
        self._collector = collector
        self._store = store_id.hex()
        self._device: Callable[[int], str | int] = str if ids == "text" else int
        self._raw = raw

    def make(self, row: Row) -> Document:
        """Return a row's document."""
        document = self._frame(row) if row.kind == FRAME else self._own(row)
        if self._raw:
            document["raw"] = row.raw.hex()
        return document

    def _head(self, row: Row, identity: str, device: bytes, epoch: bytes) -> Document:
        return {
            "id": identity,
            "collector": self._collector,
            "store": self._store,
            "index": row.idx,
            "received_ms": row.received_ms,
            "device": self._device(int.from_bytes(device, "big")),
            "epoch": epoch.hex(),
        }

    def _frame(self, row: Row) -> Document:
        try:
            frame = parse(row.raw)
        except WeldgateError as error:
            return self._unreadable(row, error)
        device, epoch = frame.device, frame.epoch.hex()
        document = self._head(row, f"{int.from_bytes(device, 'big')}:{epoch}:{frame.seq}", device, frame.epoch)
        document["seq"] = frame.seq
        document["type"] = frame.type
        document["message"] = TYPE_NAMES.get(frame.type, "unknown")
        document["time_ms"] = frame.time_s * 1000 + frame.time_ms
        document["time_quality"] = _QUALITIES[frame.quality]
        _add_fields(document, frame)
        return document

    def _own(self, row: Row) -> Document:
        try:
            record = decode_record(row.raw)
        except WeldgateError as error:
            return self._unreadable(row, error)
        document = self._head(row, self._own_id(row), record.device, record.epoch)
        document["message"] = OWN_NAMES.get(record.kind, "collector-unknown")
        fields: dict[str, Any] = {"first": record.first, "last": record.last}
        if record.online is not None:
            fields["online"] = record.online
        if record.reason:
            fields["reason"] = record.reason
            fields["reason_name"] = reason_texts.name(record.reason)
        if record.text:
            fields["text"] = record.text
        document["fields"] = fields
        if record.frame:
            document["frame"] = record.frame.hex()
        return document

    def _own_id(self, row: Row) -> str:
        # With the time it came: a store that is copied back unnoticed gives an index to another record.
        return f"{self._store}:{row.idx}:{row.received_ms}"

    def _unreadable(self, row: Row, error: WeldgateError) -> Document:
        document = self._head(row, self._own_id(row), bytes(8), bytes(4))
        document.update(message="unreadable", payload=row.raw.hex(), payload_error=error.code)
        return document


def _add_fields(document: Document, frame: Frame) -> None:
    """Add the payload's fields by name, or the payload in hex and why it can't be read."""
    try:
        fields = messages.decode(frame.type, frame.payload)
    except WeldgateError as error:
        document["payload"] = frame.payload.hex()
        document["payload_error"] = error.code
        return
    document["fields"] = {str(name): _plain(value) for name, value in fields.items()}


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: bytes as hex, map keys as text."""
    if isinstance(value, bytes | bytearray):
        return value.hex()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value
