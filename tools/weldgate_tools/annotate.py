"""A frame in words: header, flags and payload by name, from the same tables that made it."""

from typing import Any

from weldgate_protocol import cbor, messages, reason_texts, reasons
from weldgate_protocol.collector_record import decode_record
from weldgate_protocol.errors import RemoteError
from weldgate_protocol.frame import Frame, parse
from weldgate_protocol.message_docs import FIELDS, meaning
from weldgate_tools.units import device_text, moment_text

__all__ = ["OWN_KINDS", "frame_document", "message_name", "own_document", "payload_document"]

QUALITIES = ("floor", "held", "synced")
OWN_KINDS = {1: "gap", 2: "conflict", 3: "presence", 4: "operator", 5: "challenge"}
_REASON_FIELDS = frozenset({"reason", "cause", "alarm", "last_reason"})


def message_name(type_: int) -> str:
    """Return a message type's name, `private` or `unknown`."""
    if type_ in messages.MESSAGES:
        return messages.MESSAGES[type_][0]
    return "private" if type_ >= 0xF0 else "unknown"


def frame_document(raw: bytes) -> dict[str, Any]:
    """Take a raw frame (header, payload, tag) apart.

    Returns:
        JSON-ready values; `fields` by name with `{"value", "meaning"?, "text"?}`, or `payload_error`.

    Raises:
        FrameError: the header breaks a rule of SPEC section 3.
    """
    frame = parse(raw)
    document: dict[str, Any] = {
        "type": frame.type,
        "message": message_name(frame.type),
        "device": device_text(frame.device),
        "epoch": frame.epoch.hex(),
        "seq": frame.seq,
        "time": moment_text(frame.time_s + frame.time_ms / 1000, milliseconds=True),
        "time_s": frame.time_s,
        "time_ms": frame.time_ms,
        "flags": {
            "version": frame.version,
            "down": frame.down,
            "durable": frame.durable,
            "parity": frame.parity,
            "time_quality": QUALITIES[frame.quality],
        },
        "length": len(frame.payload),
        "tag": frame.tag.hex(),
    }
    document.update(payload_document(frame))
    return document


def payload_document(frame: Frame) -> dict[str, Any]:
    """Return `fields`, or what is wrong with the payload and what can be read of it."""
    name = message_name(frame.type)
    try:
        if frame.type not in messages.MESSAGES:
            return {"fields": {str(key): {"value": plain(value)} for key, value in _map(frame.payload).items()}}
        fields = messages.decode(frame.type, frame.payload)
    except RemoteError as error:
        return {"payload": frame.payload.hex(), "payload_error": {"reason": error.code, "message": error.message}}
    return {"fields": {str(key): _field(name, key, value) for key, value in fields.items()}}


def own_document(data: bytes) -> dict[str, Any]:
    """Take a record of the collector's own apart."""
    record = decode_record(data)
    document: dict[str, Any] = {
        "record": OWN_KINDS.get(record.kind, str(record.kind)),
        "device": device_text(record.device),
        "epoch": record.epoch.hex(),
        "first": record.first,
        "last": record.last,
    }
    if record.online is not None:
        document["online"] = record.online
    if record.reason:
        document["reason"] = record.reason
        document["reason_name"] = reason_texts.name(record.reason)
    if record.text:
        document["text"] = record.text
    if record.frame:
        document["frame"] = record.frame.hex()
    return document


def plain(value: Any) -> Any:
    """Return a value as JSON has it: bytes as hex, map keys as text."""
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _map(payload: bytes) -> dict[int, Any]:
    found = cbor.decode(payload)
    if not isinstance(found, dict):
        raise RemoteError(reasons.MESSAGE_NOT_MAP, "payload is no map")
    return found


def _field(message: str, name: Any, value: Any) -> dict[str, Any]:
    """Return a field's value with what it means."""
    found: dict[str, Any] = {"value": plain(value)}
    described = FIELDS.get(message, {}).get(name) if isinstance(name, str) else None
    if described:
        found["meaning"] = described
    if isinstance(value, bool):
        return found
    if isinstance(value, int):
        words = meaning(message, str(name)).get(value)
        if words:
            found["text"] = words
        elif name in _REASON_FIELDS and value:
            found["text"] = reason_texts.name(value)
        elif isinstance(name, str) and name in ("issued_s", "expires_s"):
            found["text"] = moment_text(value)
    elif name == "alarms" and isinstance(value, list):
        found["text"] = " ".join(reason_texts.name(number) for number in value) or "none"
    return found
