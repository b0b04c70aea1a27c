"""The messages: one table for each, from which encoding, decoding, CDDL and SPEC's tables come.

A field is (key, name, kind, required, low, high); `fields` says what the kinds are and what low and high bound.

Uplink enumerations are bounded loosely on purpose: a register grows, and a collector keeps what it does not know.
Downlink enumerations are exact, since the chip acts on them. Key 15 of every durable message is the seal.
What each field means is in `message_docs` (host only).
"""

from weldgate_protocol import cbor, reasons
from weldgate_protocol._compat import const
from weldgate_protocol.errors import EncodeError, MessageError
from weldgate_protocol.fields import from_pairs, to_pairs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from weldgate_protocol.fields import Field, Fields

# Volatile uplink
HELLO = const(0x01)
HEARTBEAT = const(0x02)
PART_STATUS = const(0x03)
CHALLENGE = const(0x04)
DIAGNOSTICS = const(0x05)
UPDATE_PROGRESS = const(0x06)
# Durable uplink
SESSION_START = const(0x40)
SESSION_SUSPEND = const(0x41)
SESSION_RESUME = const(0x42)
SESSION_STOP = const(0x43)
ARC = const(0x44)
TELEMETRY = const(0x45)
REFUSAL = const(0x46)
ALARM = const(0x47)
GAP = const(0x48)
ORDER_RESULT = const(0x49)
CONFIG_REPORT = const(0x4A)
REMOVAL = const(0x4B)
POWER_OFF = const(0x4C)
# Downlink
WELCOME = const(0x80)
ACK = const(0x81)
POLL = const(0x82)
TOKEN = const(0x83)
LOCK = const(0x84)
RELEASE = const(0x85)
CONFIG = const(0x86)
KEY_SET = const(0x87)
REVOCATIONS = const(0x88)
CLEAR_ALARM = const(0x89)
REKEY = const(0x8A)
IDENTIFY = const(0x8B)
CHALLENGE_ANSWER = const(0x8C)
QUERY = const(0x8D)
UPDATE = const(0x8E)
PART = const(0x8F)
PLANNED_REMOVAL = const(0x90)

PAYLOAD_MAX = const(1024)
OBJECT_MAX = const(1000)  # a signed object in one frame; a longer one travels as parts
TOKEN_MAX = const(200)
SEAL_KEY = const(15)

_U8 = const(0xFF)
_U16 = const(0xFFFF)
_U32 = const(0xFFFFFFFF)
_I16 = const(0x7FFF)


_SEAL = (SEAL_KEY, "seal", "bytes", False, 16, 32)

# One line a field: it is a table, and the formatter would make two pages of it.
# fmt: off
MESSAGES: "dict[int, tuple[str, tuple[Field, ...]]]" = {
    HELLO: ("hello", (
        (1, "nonce", "bytes", True, 16, 16),
        (2, "oldest", "uint", True, 1, _U32),
        (3, "highest", "uint", True, 0, _U32),
        (4, "boot", "uint", True, 0, _U32),
        (5, "firmware", "text", True, 0, 32),
        (6, "profile", "text", True, 0, 32),
        (7, "key_set_version", "uint", True, 0, _U32),
        (8, "config_version", "uint", True, 0, _U32),
        (9, "revocations_version", "uint", True, 0, _U32),
        (10, "reset_cause", "uint", False, 0, _U8),
    )),
    HEARTBEAT: ("heartbeat", (
        (1, "gate", "uint", True, 1, _U8),
        (2, "token", "bytes", False, 8, 8),
        (3, "alarms", "uints", True, 0, 16),
        (4, "highest", "uint", True, 0, _U32),
        (5, "acked", "uint", True, 0, _U32),
        (6, "spool_permille", "uint", True, 0, 1000),
        (7, "current_ma", "uint", True, 0, _U32),
        (8, "lock", "uint", False, 0, _U8),
        (9, "uptime_s", "uint", True, 0, _U32),
        (10, "heap_free", "uint", False, 0, _U32),
        (11, "key_set_days", "uint", False, 0, _U16),
        (12, "last_reason", "uint", False, 0, _U16),
        (13, "alarm_ids", "ids", False, 0, 16),
        (14, "lock_ids", "ids", False, 0, 16),
        (15, "signal", "int", False, -_I16, _I16),
        (16, "skipped", "uint", False, 0, _U32),
    )),
    PART_STATUS: ("part-status", (
        (1, "object", "bytes", True, 8, 8),
        (2, "through", "uint", True, 0, _U32),
        (3, "result", "uint", True, 0, _U16),
    )),
    CHALLENGE: ("challenge", (
        (1, "challenge", "bytes", True, 16, 16),
        (2, "token", "bytes", True, 8, 8),
    )),
    DIAGNOSTICS: ("diagnostics", (
        (1, "query", "bytes", True, 8, 8),
        (2, "what", "uint", True, 1, _U8),
        (3, "values", "map", True, 0, 64),
    )),
    UPDATE_PROGRESS: ("update-progress", (
        (1, "object", "bytes", True, 8, 8),
        (2, "state", "uint", True, 0, _U8),
        (3, "done_bytes", "uint", True, 0, _U32),
        (4, "reason", "uint", False, 0, _U16),
    )),
    SESSION_START: ("session-start", (
        (1, "token", "bytes", True, 8, 8),
        (2, "kid", "bytes", True, 8, 8),
        (3, "holder", "bytes", True, 8, 8),
        (4, "act", "uint", True, 1, _U8),
        (5, "via", "uint", True, 1, _U8),
        (6, "purpose", "uint", True, 1, _U8),
        (7, "domain", "uint", True, 0, _U32),
        (8, "permit", "bytes", False, 8, 8),
        (9, "issued_s", "uint", True, 0, _U32),
        (10, "expires_s", "uint", True, 0, _U32),
        (11, "limit_s", "uint", True, 0, _U32),
        (12, "offline_s", "uint", True, 0, _U32),
        _SEAL,
    )),
    SESSION_SUSPEND: ("session-suspend", (
        (1, "token", "bytes", True, 8, 8),
        (2, "cause", "uint", True, 1, _U16),
        (3, "powered_s", "uint", True, 0, _U32),
        (4, "arc_ms", "uint", True, 0, _U32),
        _SEAL,
    )),
    SESSION_RESUME: ("session-resume", (
        (1, "token", "bytes", True, 8, 8),
        (2, "act", "uint", True, 1, _U8),
        (3, "powered_s", "uint", True, 0, _U32),
        _SEAL,
    )),
    SESSION_STOP: ("session-stop", (
        (1, "token", "bytes", True, 8, 8),
        (2, "cause", "uint", True, 1, _U16),
        (3, "powered_s", "uint", True, 0, _U32),
        (4, "arc_ms", "uint", True, 0, _U32),
        (5, "arcs", "uint", True, 0, _U32),
        (6, "strikes", "uint", True, 0, _U32),
        (7, "peak_ma", "uint", True, 0, _U32),
        (8, "charge_mah", "uint", True, 0, _U32),
        (9, "synthesised", "bool", True, 0, 0),
        (10, "extensions", "uint", False, 0, _U32),
        _SEAL,
    )),
    ARC: ("arc", (
        (1, "token", "bytes", False, 8, 8),
        (2, "index", "uint", True, 1, _U32),
        (3, "duration_ms", "uint", True, 0, _U32),
        (4, "mean_ma", "uint", True, 0, _U32),
        (5, "peak_ma", "uint", True, 0, _U32),
        (6, "charge_mah", "uint", True, 0, _U32),
        (7, "strikes", "uint", True, 0, _U32),
        (8, "source", "uint", True, 1, _U8),
        _SEAL,
    )),
    TELEMETRY: ("telemetry", (
        (1, "token", "bytes", False, 8, 8),
        (2, "window_s", "uint", True, 0, _U32),
        (3, "mean_ma", "uint", True, 0, _U32),
        (4, "peak_ma", "uint", True, 0, _U32),
        (5, "arc_ms", "uint", True, 0, _U32),
        (6, "gate", "uint", True, 1, _U8),
        (7, "source", "uint", True, 1, _U8),
        (8, "strikes", "uint", True, 0, _U32),
        (9, "skipped", "uint", False, 0, _U32),
        (10, "temperature_dc", "int", False, -_I16, _I16),
        (11, "supply_mv", "uint", False, 0, _U32),
        _SEAL,
    )),
    REFUSAL: ("refusal", (
        (1, "reason", "uint", True, 1, _U16),
        (2, "token", "bytes", False, 8, 8),
        (3, "via", "uint", True, 1, _U8),
        (4, "kid", "bytes", False, 8, 8),
        (5, "holder", "bytes", False, 8, 8),
        (6, "count", "uint", True, 1, _U32),
        _SEAL,
    )),
    ALARM: ("alarm", (
        (1, "alarm", "uint", True, 1, _U16),
        (2, "id", "bytes", True, 8, 8),
        (3, "state", "uint", True, 1, _U8),
        (4, "latched", "bool", True, 0, 0),
        (5, "current_ma", "uint", False, 0, _U32),
        (6, "token", "bytes", False, 8, 8),
        (7, "order", "bytes", False, 8, 8),
        _SEAL,
    )),
    GAP: ("gap", (
        (1, "epoch", "bytes", False, 4, 4),
        (2, "first", "uint", True, 1, _U32),
        (3, "last", "uint", False, 1, _U32),
        (4, "cause", "uint", True, 1, _U8),
        _SEAL,
    )),
    ORDER_RESULT: ("order-result", (
        (1, "order", "bytes", True, 8, 8),
        (2, "type", "uint", True, 0, _U8),
        (3, "result", "uint", True, 0, _U8),
        (4, "reason", "uint", False, 0, _U16),
        _SEAL,
    )),
    CONFIG_REPORT: ("config-report", (
        (1, "config_version", "uint", True, 0, _U32),
        (2, "key_set_version", "uint", True, 0, _U32),
        (3, "revocations_version", "uint", True, 0, _U32),
        (4, "firmware", "text", True, 0, 32),
        (5, "profile", "text", True, 0, 32),
        (6, "digest", "bytes", True, 8, 8),
        _SEAL,
    )),
    REMOVAL: ("removal", (
        (1, "kind", "uint", True, 1, _U8),
        (2, "order", "bytes", False, 8, 8),
        _SEAL,
    )),
    POWER_OFF: ("power-off", (
        (1, "token", "bytes", False, 8, 8),
        (2, "powered_s", "uint", False, 0, _U32),
        (3, "supply_mv", "uint", False, 0, _U32),
        _SEAL,
    )),
    WELCOME: ("welcome", (
        (1, "nonce", "bytes", True, 16, 16),
        (2, "status", "uint", True, 0, 2),
        (3, "high_water", "uint", True, 0, _U32),
        (4, "reason", "uint", False, 0, _U16),
        (5, "retry_s", "uint", False, 0, 86400),
    )),
    ACK: ("ack", (
        (1, "epoch", "bytes", True, 4, 4),
        (2, "through", "uint", True, 0, _U32),
        (3, "repeats", "uint", False, 0, _U32),
    )),
    POLL: ("poll", (
        (1, "frames", "uint", True, 1, _U8),
    )),
    TOKEN: ("token", (
        (1, "token", "bytes", True, 1, TOKEN_MAX),
    )),
    LOCK: ("lock", (
        (1, "mode", "uint", True, 1, 2),
        (2, "id", "bytes", True, 8, 8),
        (3, "reason", "uint", True, 0, _U16),
        (4, "order", "bytes", False, 1, 900),
    )),
    RELEASE: ("release", (
        (1, "object", "bytes", True, 1, OBJECT_MAX),
    )),
    CONFIG: ("config", (
        (1, "object", "bytes", True, 1, OBJECT_MAX),
    )),
    KEY_SET: ("key-set", (
        (1, "object", "bytes", True, 1, OBJECT_MAX),
    )),
    REVOCATIONS: ("revocations", (
        (1, "object", "bytes", True, 1, OBJECT_MAX),
    )),
    CLEAR_ALARM: ("clear-alarm", (
        (1, "object", "bytes", True, 1, OBJECT_MAX),
    )),
    REKEY: ("rekey", (
        (1, "object", "bytes", True, 1, OBJECT_MAX),
    )),
    IDENTIFY: ("identify", (
        (1, "seconds", "uint", True, 1, 60),
    )),
    CHALLENGE_ANSWER: ("challenge-answer", (
        (1, "answer", "bytes", True, 64, 64),
        (2, "public", "bytes", True, 64, 64),
    )),
    QUERY: ("query", (
        (1, "query", "bytes", True, 8, 8),
        (2, "what", "uint", True, 1, 3),
    )),
    UPDATE: ("update", (
        (1, "object", "bytes", True, 1, OBJECT_MAX),
    )),
    PART: ("part", (
        (1, "object", "bytes", True, 8, 8),
        (2, "total", "uint", True, 1, _U32),
        (3, "offset", "uint", True, 0, _U32),
        (4, "data", "bytes", True, 1, 900),
        (5, "type", "uint", True, 0, _U8),
    )),
    PLANNED_REMOVAL: ("planned-removal", (
        (1, "object", "bytes", True, 1, OBJECT_MAX),
    )),
}
# fmt: on


def encode(type_: int, fields: "Mapping[Any, Any]") -> bytes:
    """Return the payload of a message.

    Args:
        type_: a type of `MESSAGES`.
        fields: value by field name; None means absent. Keys that a newer peer sent stay under their number.

    Raises:
        EncodeError: MESSAGE_UNKNOWN_TYPE, MESSAGE_MISSING, MESSAGE_FIELD_TYPE, MESSAGE_FIELD_RANGE,
            MESSAGE_UNKNOWN_KEY, FRAME_LENGTH (more than 1024 bytes) or a CBOR code.
    """
    if type_ not in MESSAGES:
        raise EncodeError(reasons.MESSAGE_UNKNOWN_TYPE, "no message of type %02x" % type_)
    name, table = MESSAGES[type_]
    payload = cbor.encode(to_pairs(name, table, fields))
    if len(payload) > PAYLOAD_MAX:
        raise EncodeError(reasons.FRAME_LENGTH, "%s of %d bytes, at most 1024" % (name, len(payload)))
    return payload


def decode(type_: int, payload: "bytes | bytearray | memoryview") -> "Fields":
    """Return the fields of a message: value by name.

    Keys that the table does not know stay under their number on the uplink; on the downlink they are left out,
    since a chip acts on what it knows and whatever relaxes is a signed object with rules of its own.

    Args:
        type_: the frame's type.
        payload: the frame's payload.

    Raises:
        CborError: the payload is not our CBOR.
        MessageError: MESSAGE_UNKNOWN_TYPE, MESSAGE_NOT_MAP, MESSAGE_MISSING, MESSAGE_FIELD_TYPE or
            MESSAGE_FIELD_RANGE.
    """
    if type_ not in MESSAGES:
        raise MessageError(reasons.MESSAGE_UNKNOWN_TYPE, "no message of type %02x" % type_)
    pairs = cbor.decode(payload)
    if not isinstance(pairs, dict):
        raise MessageError(reasons.MESSAGE_NOT_MAP, "payload is no map")
    name, table = MESSAGES[type_]
    return from_pairs(name, table, pairs, type_ < WELCOME)
