"""Turns on a line that several chips share (RS-485), and the goodbye of links that have no connections.

A chip there speaks only when polled (SPEC section 17): ``encode_poll`` grants a turn, ``TURN_END`` ends it,
``BusEar`` is the chip's side of listening. Where a link can't close a connection, ``encode_goodbye`` says so: frames
that prove nothing, so that the chip gives the conversation up by the rules that it has anyway. Whose turn it is next,
how long an answer may take, and the line itself are the links'.
"""

from weldgate_protocol import messages
from weldgate_protocol._compat import const
from weldgate_protocol.conversation import BAD_TAGS_MAX, STATUS_REJECTED
from weldgate_protocol.errors import RemoteError
from weldgate_protocol.frame import FLAG_DOWN, FLAG_PARITY, HEADER_BYTES, TAG_BYTES, encode_body, to_wire

__all__ = ["GRANTED_NOTHING", "NOT_FOR_US", "TURN_END", "BusEar", "encode_goodbye", "encode_poll", "is_uplink"]

# No frame and no error anywhere (SPEC section 4), and never between two frames.
TURN_END = b"\x7e\x7e\x7e"
NOT_FOR_US = const(-1)
GRANTED_NOTHING = const(0)  # a frame for the conversation

_ZERO_EPOCH = bytes(4)
_ZERO_TAG = bytes(TAG_BYTES)
_ZERO_NONCE = bytes(16)


def encode_poll(device: bytes, frames: int) -> bytes:
    """Return a poll, ready for the wire: it proves nothing and grants nothing but a turn.

    Args:
        device: 8 bytes, whose turn it is.
        frames: how many frames it may send, 1 to 255.
    """
    return _unproved(messages.POLL, device, 0, messages.encode(messages.POLL, {"frames": frames}))


def encode_goodbye(device: bytes, parity: int, reason: int) -> bytes:
    """Return what ends a conversation on a link without connections: as many wrong tags as a chip bears.

    Args:
        device: 8 bytes, who is meant.
        parity: 0 or FLAG_PARITY, as in the chip's own frames.
        reason: a number of the register, shown by a chip that still waits for its welcome.
    """
    fields = {"nonce": _ZERO_NONCE, "status": STATUS_REJECTED, "high_water": 0, "reason": reason}
    wire = _unproved(messages.WELCOME, device, parity & FLAG_PARITY, messages.encode(messages.WELCOME, fields))
    return wire * BAD_TAGS_MAX


def is_uplink(raw: bytes) -> bool:
    """Tell a chip's frame from a collector's, which a line with an echo brings back."""
    return not raw[0] & FLAG_DOWN


def _unproved(type_: int, device: bytes, parity: int, payload: bytes) -> bytes:
    return to_wire(encode_body(FLAG_DOWN | parity, type_, device, _ZERO_EPOCH, 1, 0, 0, payload) + _ZERO_TAG)


class BusEar:
    """What a chip on a shared line makes of the frames it hears, before its conversation sees any."""

    def __init__(self, device: bytes) -> None:
        """Keep who we are.

        Args:
            device: 8 bytes.
        """
        self._device = device

    def hear(self, raw: bytes) -> int:
        """Take a frame from the line.

        Args:
            raw: header, payload and tag, CRC already checked.

        Returns:
            NOT_FOR_US, passed over; GRANTED_NOTHING, one for the conversation; else how many frames may be sent now.
        """
        if is_uplink(raw) or raw[2:10] != self._device:
            return NOT_FOR_US
        if raw[1] != messages.POLL:
            return GRANTED_NOTHING
        try:
            fields = messages.decode(messages.POLL, raw[HEADER_BYTES:-TAG_BYTES])
        except RemoteError:
            return NOT_FOR_US  # a poll we can't read grants nothing
        frames = fields["frames"]
        return frames if isinstance(frames, int) else NOT_FOR_US
