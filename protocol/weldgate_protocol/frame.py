"""One frame to bytes and back: header, length, tag, CRC, stuffing. The only framing code in the house.

*raw* is header (26) · payload (≤ 1024) · tag (8): what spool and store keep, byte-identical for ever.
*wire* is 7E · stuffed(raw · crc (2)) · 7E: what travels. SPEC.md §3 is the normative text.

Decides what is a well-formed frame. Leaves to others: finding frames in a stream (`stream`), whether the tag is
the right key's (`conversation`), what the payload says (`messages`).
"""

from struct import pack, unpack_from

from weldgate_protocol import reasons
from weldgate_protocol._compat import const, crc16_x25, same_bytes
from weldgate_protocol.errors import EncodeError, FrameError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from weldgate_protocol._compat import HmacKey

VERSION = const(1)
FLAG_DOWN = const(0x10)
FLAG_DURABLE = const(0x08)
FLAG_PARITY = const(0x04)
QUALITY_MASK = const(0x03)
QUALITY_FLOOR = const(0)
QUALITY_HELD = const(1)
QUALITY_SYNCED = const(2)

TYPE_DURABLE = const(0x40)  # 00–3F volatile uplink, 40–7F durable uplink,
TYPE_DOWN = const(0x80)  # 80–EF downlink,
TYPE_PRIVATE = const(0xF0)  # F0–FF private: the flags alone say which

HEADER_BYTES = const(26)
TAG_BYTES = const(8)
CRC_BYTES = const(2)
PAYLOAD_MAX = const(1024)
RAW_MAX = const(1058)  # header + payload + tag
INNER_MAX = const(2120)  # raw and CRC, every byte stuffed
WIRE_MAX = const(2122)  # and both delimiters

_VERSION_BITS = const(0x20)  # VERSION << 5
_RAW_MIN = const(34)
_HEADER = ">BB8s4sIIHH"  # flags, type, device, epoch, seq, time_s, time_ms, length
_DELIMITER = b"\x7e"
_ESCAPE = b"\x7d"
_ESCAPED_DELIMITER = b"\x7d\x02"
_ESCAPED_ESCAPE = b"\x7d\x01"


def _flags_of(type_: int) -> int:
    """Return the direction and durable bits that a type below F0 demands."""
    if type_ < TYPE_DURABLE:
        return 0
    if type_ < TYPE_DOWN:
        return FLAG_DURABLE
    return FLAG_DOWN


def _refuse_flags(flags: int, type_: int) -> None:
    """Say which of direction and durable bit does not fit the type (M-FRAME-10); private types leave both open."""
    both = flags & 0x18  # FLAG_DOWN | FLAG_DURABLE
    if type_ >= TYPE_PRIVATE:
        if both == 0x18:
            raise FrameError(reasons.FRAME_DURABLE, "a downlink frame is never durable")
        return
    if (both ^ _flags_of(type_)) & FLAG_DOWN:
        raise FrameError(reasons.FRAME_DIRECTION, "direction bit does not fit type %02x" % type_)
    raise FrameError(reasons.FRAME_DURABLE, "durable bit does not fit type %02x" % type_)


def check(raw: bytes) -> None:
    """Hold the header of an unstuffed frame against the rules; the payload is not looked at.

    Args:
        raw: header, payload and tag, without CRC.

    Raises:
        FrameError: FRAME_SHORT, FRAME_VERSION, FRAME_LENGTH, FRAME_QUALITY, FRAME_DIRECTION, FRAME_DURABLE,
            FRAME_DEVICE, FRAME_SEQUENCE or FRAME_TIME, tested in this order.
    """
    size = len(raw)
    if size < _RAW_MIN:
        raise FrameError(reasons.FRAME_SHORT, "frame of %d bytes, at least 34" % size)
    flags = raw[0]
    if flags >> 5 != VERSION:
        raise FrameError(reasons.FRAME_VERSION, "wire version %d, only 1 is known" % (flags >> 5))
    length = raw[24] << 8 | raw[25]
    if length > PAYLOAD_MAX:
        raise FrameError(reasons.FRAME_LENGTH, "payload length %d, at most 1024" % length)
    if size != _RAW_MIN + length:
        raise FrameError(reasons.FRAME_LENGTH, "payload length %d, but %d bytes came" % (length, size - _RAW_MIN))
    if flags & QUALITY_MASK == QUALITY_MASK:
        raise FrameError(reasons.FRAME_QUALITY, "time quality 3, at most 2")
    type_ = raw[1]
    if type_ >= TYPE_PRIVATE or flags & 0x18 != _flags_of(type_):
        _refuse_flags(flags, type_)
    if raw[2] & 0x80:
        raise FrameError(reasons.FRAME_DEVICE, "device id of 2^63 or more")
    if not (raw[14] or raw[15] or raw[16] or raw[17]):
        raise FrameError(reasons.FRAME_SEQUENCE, "sequence number 0, counted from 1")
    millis = raw[22] << 8 | raw[23]
    if millis > 999:
        raise FrameError(reasons.FRAME_TIME, "%d milliseconds, at most 999" % millis)


def encode_body(
    flags: int, type_: int, device: bytes, epoch: bytes, seq: int, time_s: int, time_ms: int, payload: bytes
) -> bytes:
    """Return header and payload, ready for `seal`.

    Args:
        flags: direction, durable, parity and quality bits; the version is put in here.
        type_: message type, 0–255.
        device: chip id, 8 bytes, below 2^63.
        epoch: spool epoch, 4 bytes.
        seq: 1 to 2^32 - 1.
        time_s: Unix seconds, 0 to 2^32 - 1.
        time_ms: milliseconds, 0–999.
        payload: deterministic CBOR, at most 1024 bytes.

    Raises:
        EncodeError: a value has no place in the header; the code is the one the reader would give.
    """
    length = len(payload)
    if length > PAYLOAD_MAX:
        raise EncodeError(reasons.FRAME_LENGTH, "payload of %d bytes, at most 1024" % length)
    if len(device) != 8:
        raise EncodeError(reasons.FRAME_DEVICE, "device id of %d bytes, wants 8" % len(device))
    if len(epoch) != 4:
        raise EncodeError(reasons.FRAME_SEQUENCE, "epoch of %d bytes, wants 4" % len(epoch))
    if not (0 <= flags | _VERSION_BITS <= 0x3F and 0 <= type_ <= 0xFF):
        raise EncodeError(reasons.FRAME_VERSION, "flags %d or type %d out of range" % (flags, type_))
    if not 1 <= seq <= 0xFFFFFFFF:
        raise EncodeError(reasons.FRAME_SEQUENCE, "sequence number %d, allowed 1 to 2^32 - 1" % seq)
    if not (0 <= time_s <= 0xFFFFFFFF and 0 <= time_ms <= 999):
        raise EncodeError(reasons.FRAME_TIME, "time %d s %d ms has no place in a header" % (time_s, time_ms))
    body = pack(_HEADER, flags | _VERSION_BITS, type_, device, epoch, seq, time_s, time_ms, length) + payload
    try:
        check(body + bytes(TAG_BYTES))
    except FrameError as error:
        raise EncodeError(error.code, error.message)
    return body


def seal(body: bytes, key: "HmacKey") -> bytes:
    """Return the raw frame: the body and its tag under the key."""
    return body + key.tag8(body)


def tag_matches(raw: bytes, key: "HmacKey") -> bool:
    """Tell whether the last 8 bytes of a raw frame are its tag under the key, in constant time."""
    view = memoryview(raw)
    return same_bytes(key.tag8(view[:-8]), view[-8:])


def to_wire(raw: bytes) -> bytes:
    """Return the frame as it travels: CRC (high byte first) added, stuffed, between delimiters."""
    crc = crc16_x25(raw)
    inner = raw + bytes((crc >> 8, crc & 0xFF))
    # The escape byte first, or the escapes put in for 7E would be escaped again.
    if _ESCAPE in inner:
        inner = inner.replace(_ESCAPE, _ESCAPED_ESCAPE)
    if _DELIMITER in inner:
        inner = inner.replace(_DELIMITER, _ESCAPED_DELIMITER)
    return _DELIMITER + inner + _DELIMITER


def from_wire(inner: bytes) -> bytes:
    """Return the raw frame from what stood between two delimiters.

    Args:
        inner: stuffed bytes without the delimiters.

    Raises:
        FrameError: FRAME_LENGTH, FRAME_STUFFING, FRAME_SHORT, FRAME_CRC, or what `check` finds, in this order.
    """
    if len(inner) > INNER_MAX:
        raise FrameError(reasons.FRAME_LENGTH, "%d bytes between delimiters, at most 2120" % len(inner))
    if _DELIMITER in inner:
        raise FrameError(reasons.FRAME_STUFFING, "7e inside a frame")
    if _ESCAPE in inner:
        if inner.count(_ESCAPE) != inner.count(_ESCAPED_ESCAPE) + inner.count(_ESCAPED_DELIMITER):
            raise FrameError(reasons.FRAME_STUFFING, "7d followed by neither 01 nor 02")
        # 7d 02 first: the other way round, 7d 01 02 would come out as 7e.
        inner = inner.replace(_ESCAPED_DELIMITER, _DELIMITER).replace(_ESCAPED_ESCAPE, _ESCAPE)
    if len(inner) < _RAW_MIN + CRC_BYTES:
        raise FrameError(reasons.FRAME_SHORT, "frame of %d bytes with its CRC, at least 36" % len(inner))
    raw = inner[:-2]
    if crc16_x25(raw) != inner[-2] << 8 | inner[-1]:
        raise FrameError(reasons.FRAME_CRC, "CRC does not match")
    check(raw)
    return raw


class Frame:
    """A decoded frame. `device` and `epoch` stay bytes: on the chip a large integer costs an allocation."""

    __slots__ = ("device", "epoch", "flags", "payload", "seq", "tag", "time_ms", "time_s", "type")

    flags: int
    type: int
    device: bytes
    epoch: bytes
    seq: int
    time_s: int
    time_ms: int
    payload: bytes
    tag: bytes

    def __init__(self, raw: bytes) -> None:
        """Take a raw frame that `check` or `from_wire` has passed."""
        (self.flags, self.type, self.device, self.epoch, self.seq, self.time_s, self.time_ms, length) = unpack_from(
            _HEADER, raw
        )
        self.payload = raw[26 : 26 + length]
        self.tag = raw[26 + length :]

    def __repr__(self) -> str:
        return "Frame(type=%02x, epoch=%s, seq=%d)" % (self.type, self.epoch.hex(), self.seq)

    @property
    def version(self) -> int:
        """Wire version, 1."""
        return self.flags >> 5

    @property
    def down(self) -> bool:
        """Whether it goes from collector to chip."""
        return self.flags & FLAG_DOWN != 0

    @property
    def durable(self) -> bool:
        """Whether it is kept until acknowledged."""
        return self.flags & FLAG_DURABLE != 0

    @property
    def parity(self) -> int:
        """Lowest bit of the key generation that tagged it."""
        return self.flags >> 2 & 1

    @property
    def quality(self) -> int:
        """How far its time may be trusted: 0 floor, 1 held, 2 synced."""
        return self.flags & QUALITY_MASK


def parse(raw: bytes) -> Frame:
    """Return the decoded frame.

    Args:
        raw: header, payload and tag, without CRC.

    Raises:
        FrameError: as `check`.
    """
    check(raw)
    return Frame(raw)
