"""The collector's own records: what it knows that no chip said. Host only.

A record is a map of our deterministic CBOR. It has no frame's identity: it is known by the store's id and its index.

    1 kind     1 gap, 2 conflict, 3 presence, 4 operator, 5 challenge
    2 device   8 bytes; zeros where no chip is meant
    3 epoch    4 bytes
    4 first, 5 last   sequence numbers; both the disputed one in a conflict; first in presence the oldest that the chip
                      held at its hello, 0 where that isn't known; else 0
    6 frame    raw frame: in a conflict the one that came second, in presence the latest heartbeat (optional), the
               challenge
    7 online   presence only (optional)
    8 reason   a number of the register (optional)
    9 text     operator: who did what (optional)
"""

from dataclasses import dataclass, field
from typing import Any

from weldgate_protocol import cbor, reasons
from weldgate_protocol.errors import EncodeError, MessageError
from weldgate_protocol.frame import RAW_MAX

__all__ = [
    "RECORD_CHALLENGE",
    "RECORD_CONFLICT",
    "RECORD_GAP",
    "RECORD_OPERATOR",
    "RECORD_PRESENCE",
    "TEXT_MAX",
    "Record",
    "decode_record",
    "encode_record",
]

RECORD_GAP = 1  # first to last were never held here
RECORD_CONFLICT = 2  # another frame of the identity came
RECORD_PRESENCE = 3  # online or not
RECORD_OPERATOR = 4  # an audited act at the collector
RECORD_CHALLENGE = 5  # a chip waits for its holder's live code

TEXT_MAX = 500  # bytes of UTF-8
_U32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Record:
    """A collector's own record.

    Attributes:
        kind: one of the above, or one that this release does not know.
        device: chip id, 8 bytes.
        epoch: spool epoch, 4 bytes.
        first, last: range of sequence numbers; both the conflicting one; `first` of a presence record is the oldest
            number that the chip held at its hello, 0 where that isn't known.
        frame: raw frame that belongs to it, or empty.
        online: of a presence record; None in the others.
        reason: a number of the register, 0 for none.
        text: of an operator record, else empty.
    """

    kind: int
    device: bytes
    epoch: bytes
    first: int = 0
    last: int = 0
    frame: bytes = field(default=b"", repr=False)
    online: bool | None = None
    reason: int = 0
    text: str = ""


def encode_record(record: Record) -> bytes:
    """Return a collector record's deterministic CBOR.

    Raises:
        EncodeError: a value has no place in a record (MESSAGE_FIELD_RANGE).
    """
    value: dict[int, Any] = {
        1: record.kind,
        2: record.device,
        3: record.epoch,
        4: record.first,
        5: record.last,
    }
    if record.frame:
        value[6] = record.frame
    if record.online is not None:
        value[7] = record.online
    if record.reason:
        value[8] = record.reason
    if record.text:
        value[9] = record.text
    fault = _record_fault(value)
    if fault:
        raise EncodeError(reasons.MESSAGE_FIELD_RANGE, fault)
    return cbor.encode(value)


def decode_record(data: bytes) -> Record:
    """Return a collector record; keys that this release does not know are left out.

    Raises:
        CborError: it is not our CBOR.
        MessageError: it is no record (MESSAGE_NOT_MAP, MESSAGE_FIELD_RANGE).
    """
    value = cbor.decode(data)
    if not isinstance(value, dict):
        raise MessageError(reasons.MESSAGE_NOT_MAP, "collector record is no map")
    known: dict[int, Any] = dict(value)
    fault = _record_fault(known)
    if fault:
        raise MessageError(reasons.MESSAGE_FIELD_RANGE, fault)
    return Record(
        known[1],
        known[2],
        known[3],
        known[4],
        known[5],
        known.get(6, b""),
        known.get(7),
        known.get(8, 0),
        known.get(9, ""),
    )


def _record_fault(value: dict[int, Any]) -> str:
    """Say what is wrong with a record's values, empty for nothing."""
    for key, low, high in ((1, 1, 0xFF), (4, 0, _U32), (5, 0, _U32), (8, 0, 0xFFFF)):
        number = value.get(key, 0 if key == 8 else None)
        if type(number) is not int or not low <= number <= high:
            return f"record key {key} is no integer of {low} to {high}"
    for key, low, high in ((2, 8, 8), (3, 4, 4), (6, 0, RAW_MAX)):
        text = value.get(key, b"" if key == 6 else None)
        if not isinstance(text, bytes) or not low <= len(text) <= high:
            return f"record key {key} is no string of {low} to {high} bytes"
    words = value.get(9, "")
    if not isinstance(words, str) or len(words.encode("utf-8", "surrogatepass")) > TEXT_MAX:
        return f"record key 9 is no text of at most {TEXT_MAX} bytes"
    if not isinstance(value.get(7, False), bool):
        return "record key 7 is no boolean"
    if value[1] in (RECORD_GAP, RECORD_CONFLICT) and not 1 <= value[4] <= value[5]:
        return f"record from {value[4]} to {value[5]}"
    return ""
