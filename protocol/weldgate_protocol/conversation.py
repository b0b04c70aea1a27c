"""The dialogue of a chip with its collector: one state table for both ends, and the limits both hold.

Theory of operation. A connection is one conversation. The chip opens with `hello` (K_up, a fresh nonce). The
collector answers with `welcome` (its own nonce), already tagged with K_conn, the key of both nonces: the chip reads
the nonce, derives, verifies, and only then uses any other field. From then on all downlink and all volatile uplink
is tagged with K_conn; durable frames keep the K_up tag they were spooled with. The chip's first word after the
welcome is a heartbeat: until that has been verified the collector holds the chip for absent, since all before it
may be a recording. A frame is authenticated before it is judged: one with a bad tag is counted and has no other
effect, the third closes. A frame that is authentic and illegal closes. A pair outside the table closes as well.

The ends are in `conversation_chip` and `conversation_collector`; both ask `step` what comes next and hold no other
transition. Neither has a clock, a socket or a source of randomness of its own.
"""

from weldgate_protocol import cbor, messages, reasons
from weldgate_protocol._compat import const
from weldgate_protocol.errors import CborError, MessageError, RemoteError
from weldgate_protocol.frame import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from weldgate_protocol.fields import Fields
    from weldgate_protocol.frame import Frame

# Limits. Waits in milliseconds are the longest silence that the link allows in the state they belong to.
BAD_TAGS_MAX = const(3)  # the third closes
HELLO_WAIT_MS = const(10000)  # collector: from connecting to the hello
WELCOME_WAIT_MS = const(30000)  # chip: from the hello to the welcome; long, for a collector with 10,000 at the door
WELCOME_FRESH_MS = const(5000)  # a welcome's time is taken up to this age of the hello
CONFIRM_WAIT_MS = const(30000)  # collector: from the welcome to the first K_conn frame
SILENCE_MS = const(90000)  # both, online: three heartbeats of 30 s
ACK_WAIT_MS = const(300000)  # chip: what was sent and is not acknowledged for this long is sent again, anew
RETRY_MAX_S = const(300)  # a longer wish of the collector's, authentic or not, is cut to this
HIGH_WATER_AHEAD_MAX = 1 << 20  # a high-water further ahead of the chip's own is not believed
HIGH_WATER_FAR = 1 << 30  # no chip writes so many; from here on a high-water is believed by far less
HIGH_WATER_FAR_MAX = 256  # a lost tail still is; a collector that lies needs months to use all numbers up
SEQ_MAX = 0xFFFFFFFF
TICKS_MASK = 0x3FFFFFFF  # ticks wrap at 2^30 ms, as MicroPython's do

# Status of a welcome.
STATUS_ACCEPTED = const(0)
STATUS_PENDING = const(1)
STATUS_REJECTED = const(2)

# States of the chip's end.
CHIP_CLOSED = const(0)
CHIP_HELLO_SENT = const(1)
CHIP_WELCOMED = const(2)
CHIP_ONLINE = const(3)
# States of the collector's end.
HELLO_WAIT = const(4)
WELCOME_SENT = const(5)
ONLINE = const(6)
CLOSED = const(7)

# Events of the chip's end: what its own side does …
E_START = const(0)
E_SPEAK_HEARTBEAT = const(1)
E_SPEAK = const(2)
E_SEND_DURABLE = const(3)
E_END = const(4)
# … and what came, authentic unless the name says otherwise.
E_ACCEPTED = const(5)
E_PENDING = const(6)
E_REJECTED = const(7)  # authentic or with a zero tag: either only slows reconnection
E_ACK = const(8)
E_DOWNLINK = const(9)
E_REPEATED = const(10)  # a sequence number not above the last
E_BAD_TAG = const(11)
E_BAD_TAG_LAST = const(12)
E_ILLEGAL = const(13)
# Events of the collector's end beside those.
E_HELLO = const(14)
E_HELLO_POSTPONED = const(15)  # known and authentic, but not to be served now
E_HELLO_REFUSED = const(16)  # unknown, barred, or with a tag that does not verify
E_VOLATILE = const(17)
E_DURABLE = const(18)

# Actions of the chip's end.
A_CLOSE = const(0)  # also for every pair outside the table
A_SEND = const(1)
A_TAKE_WELCOME = const(2)
A_WAIT_AND_RETRY = const(3)
A_TAKE_ACK = const(4)
A_HAND_UP = const(5)
A_COUNT = const(6)  # as an attempt, nothing else
# Actions of the collector's end beside those.
A_SEND_WELCOME = const(7)
A_SEND_PENDING = const(8)
A_SEND_REJECTED = const(9)
A_COME_ONLINE = const(10)
A_ACCEPT = const(11)  # by the sequence rule

_LOCK_SOFT = const(1)
_LOCK_NOW = const(2)

_ROW = const(4)
# fmt: off
TABLE = bytes((
    # state, event, next state, action
    CHIP_CLOSED, E_START, CHIP_HELLO_SENT, A_SEND,

    CHIP_HELLO_SENT, E_ACCEPTED, CHIP_WELCOMED, A_TAKE_WELCOME,
    CHIP_HELLO_SENT, E_PENDING, CHIP_CLOSED, A_WAIT_AND_RETRY,
    CHIP_HELLO_SENT, E_REJECTED, CHIP_CLOSED, A_WAIT_AND_RETRY,
    CHIP_HELLO_SENT, E_BAD_TAG, CHIP_HELLO_SENT, A_COUNT,

    CHIP_WELCOMED, E_SPEAK_HEARTBEAT, CHIP_ONLINE, A_SEND,
    CHIP_WELCOMED, E_ACK, CHIP_WELCOMED, A_TAKE_ACK,
    CHIP_WELCOMED, E_DOWNLINK, CHIP_WELCOMED, A_HAND_UP,
    CHIP_WELCOMED, E_REPEATED, CHIP_WELCOMED, A_COUNT,
    CHIP_WELCOMED, E_BAD_TAG, CHIP_WELCOMED, A_COUNT,

    CHIP_ONLINE, E_SPEAK_HEARTBEAT, CHIP_ONLINE, A_SEND,
    CHIP_ONLINE, E_SPEAK, CHIP_ONLINE, A_SEND,
    CHIP_ONLINE, E_SEND_DURABLE, CHIP_ONLINE, A_SEND,
    CHIP_ONLINE, E_ACK, CHIP_ONLINE, A_TAKE_ACK,
    CHIP_ONLINE, E_DOWNLINK, CHIP_ONLINE, A_HAND_UP,
    CHIP_ONLINE, E_REPEATED, CHIP_ONLINE, A_COUNT,
    CHIP_ONLINE, E_BAD_TAG, CHIP_ONLINE, A_COUNT,

    HELLO_WAIT, E_HELLO, WELCOME_SENT, A_SEND_WELCOME,
    HELLO_WAIT, E_HELLO_POSTPONED, CLOSED, A_SEND_PENDING,
    HELLO_WAIT, E_HELLO_REFUSED, CLOSED, A_SEND_REJECTED,

    WELCOME_SENT, E_VOLATILE, ONLINE, A_COME_ONLINE,
    WELCOME_SENT, E_REPEATED, WELCOME_SENT, A_COUNT,
    WELCOME_SENT, E_BAD_TAG, WELCOME_SENT, A_COUNT,

    ONLINE, E_VOLATILE, ONLINE, A_HAND_UP,
    ONLINE, E_DURABLE, ONLINE, A_ACCEPT,
    ONLINE, E_REPEATED, ONLINE, A_COUNT,
    ONLINE, E_BAD_TAG, ONLINE, A_COUNT,
))
# fmt: on


def step(state: int, event: int) -> int:
    """Look a pair up in the table, without allocating.

    Args:
        state: one of the states above.
        event: one of the events above.

    Returns:
        Next state in bits 4 up, action in bits 3–0. A pair outside the table: the end's closed state, A_CLOSE.
    """
    for pos in range(0, len(TABLE), _ROW):
        if TABLE[pos] == state and TABLE[pos + 1] == event:
            return TABLE[pos + 2] << 4 | TABLE[pos + 3]
    return (CHIP_CLOSED if state < HELLO_WAIT else CLOSED) << 4 | A_CLOSE


def believed(highest: int) -> int:
    """Return the largest high-water that a chip believes, whose own highest number is this."""
    most = highest + HIGH_WATER_AHEAD_MAX
    return most if most <= HIGH_WATER_FAR else highest + HIGH_WATER_FAR_MAX


def bridges(raw: bytes, high: int) -> bool:
    """Tell whether a durable frame is the gap record that declares exactly high + 1 to its own number - 1.

    Args:
        raw: header, payload and tag.
        high: the highest number in line before it.
    """
    try:
        frame = parse(raw)
        if frame.type != messages.GAP:
            return False
        fields = messages.decode(messages.GAP, frame.payload)
    except RemoteError:
        return False
    if fields.get("epoch", frame.epoch) != frame.epoch:
        return False
    return fields["first"] == high + 1 and fields.get("last") == frame.seq - 1


def number(fields: "Fields", name: str) -> int:
    """Return a checked field as an integer, 0 where it is absent."""
    value = fields.get(name)
    return value if isinstance(value, int) else 0


def read_downlink(frame: "Frame") -> "tuple[int, Fields]":
    """Decode a downlink payload: (0 or the number of what is wrong, fields by name).

    A lock is to be obeyed whatever its payload: what cannot be read in it reads as *now*, with an id of zeros. A type
    that this release does not know is no fault, and has no fields.
    """
    try:
        return 0, messages.decode(frame.type, frame.payload)
    except (CborError, MessageError) as error:
        code = error.code
    if code == reasons.MESSAGE_UNKNOWN_TYPE:
        return 0, {}
    return code, (_unclear_lock(frame.payload, code) if frame.type == messages.LOCK else {})


def _unclear_lock(payload: bytes, code: int) -> "Fields":
    """Read of a lock what can be read; what cannot is taken for the stricter."""
    fields: Fields = {"mode": _LOCK_NOW, "id": bytes(8), "reason": code}
    try:
        value = cbor.decode(payload)
    except CborError:
        return fields
    if isinstance(value, dict):
        name = value.get(2)
        if isinstance(name, bytes) and len(name) == 8:
            fields["id"] = name
        if value.get(1) == _LOCK_SOFT:
            fields["mode"] = _LOCK_SOFT
    return fields
