"""The chip's end of the conversation: frames in, an event's number out, what belongs to it in attributes.

`receive` decodes first and verifies the tag last, so that between a lock's verified tag and the return nothing is
allocated: the relay can open though the heap is full. It never raises on what came; what is wrong is BAD with the
number in `reason`, and `closed` tells whether the connection is to be dropped.

Decides who may be believed, and when. Leaves to others: what an order means (`order`), whether a token is good
(`token`), which durable frame is next (the spool), the waits themselves (`patience_ms`) and the time.
"""

from weldgate_protocol import conversation as c
from weldgate_protocol import messages, reasons
from weldgate_protocol._compat import HmacKey, const
from weldgate_protocol.errors import FrameError, LocalError
from weldgate_protocol.frame import FLAG_PARITY, QUALITY_FLOOR, QUALITY_MASK, encode_body, parse, seal, to_wire
from weldgate_protocol.frame import tag_matches as _tag_matches
from weldgate_protocol.keys import NONCE_BYTES, connection_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from weldgate_protocol.fields import Fields
    from weldgate_protocol.frame import Frame

    Stamp = tuple[int, int, int]  # Unix seconds, milliseconds, quality

# What `receive` returns.
IGNORED = const(0)  # authentic, but nothing to do: a repeated ack, a type not known here, anything after the end
WELCOMED = const(1)  # accepted: high_water, time_fresh, time_s, time_ms, quality
WELCOMED_AHEAD = const(2)  # the same, and the collector has more than this chip ever sent: a clone, or a lost tail
PENDING = const(3)  # ended: try again after retry_s
REJECTED = const(4)  # the same; may come from anybody, so it does nothing else
ACKED = const(5)  # acked has risen
TOKEN = const(6)  # fields
LOCK = const(7)  # fields: mode, id, reason
ORDER = const(8)  # type, fields["object"]
IDENTIFY = const(9)  # fields
QUERY = const(10)  # fields
BAD = const(11)  # reason; closed or not
LIVE_CODE = const(12)  # fields

_ZERO_TAG = bytes(8)
_ORDERS = (
    messages.RELEASE, messages.CONFIG, messages.KEY_SET, messages.REVOCATIONS,
    messages.CLEAR_ALARM, messages.REKEY, messages.UPDATE, messages.PLANNED_REMOVAL,
)  # fmt: skip
_EVENTS = {messages.LOCK: LOCK, messages.TOKEN: TOKEN, messages.IDENTIFY: IDENTIFY, messages.QUERY: QUERY}
_EVENTS[messages.CHALLENGE_ANSWER] = LIVE_CODE
for _type in _ORDERS:
    _EVENTS[_type] = ORDER


class ChipConversation:
    """One chip's end; `start` begins a new connection, any number of times.

    Attributes to read after an event:
        closed: the connection is over; nothing more will come or go.
        reason: why (BAD, PENDING, REJECTED), a number of the register, 0 for none.
        authentic: what came last was verified and took effect in an accepted conversation: the collector was heard.
        frame, type, fields: what came last, when authentic.
        high_water: the collector's highest committed sequence number; durable frames follow from the next one.
        acked: the higher of high-water and acks: what may be overwritten, if nothing is owed (M-CONV-19).
        time_fresh: the welcome's time may be taken.
        time_s, time_ms, quality: that time, Unix. bad_tags, repeats: counted in this connection.
        retry_s: wait wished before the next attempt, 0 for none, at most RETRY_MAX_S.
    """

    def __init__(
        self,
        device: bytes,
        key_up: HmacKey,
        key_down: bytes,
        generation: int,
        matches: "Callable[[bytes, HmacKey], bool]" = _tag_matches,
    ) -> None:
        """Keep who the chip is.

        Args:
            device: chip id, 8 bytes.
            key_up: K_up.
            key_down: K_down, 32 bytes.
            generation: of both keys; its lowest bit goes into every header.
            matches: the tag check, for a test that looks at what follows it.
        """
        self._device = device
        self._key_up = key_up
        self._key_down = key_down
        self._parity = FLAG_PARITY if generation & 1 else 0
        self._matches = matches
        self._reset()
        self.state = c.CHIP_CLOSED
        self.closed = True

    def _reset(self) -> None:
        """Set every attribute, so that a later assignment finds its slot."""
        self._conn: HmacKey | None = None
        self._nonce = b""
        self._epoch = b""
        self._own_oldest = 1
        self._own_highest = 0
        self._next = 1
        self._hello_ms = 0
        self._ack_ms = 0
        self._now_ms = 0
        self._seq = 0
        self._seq_heard = 0
        self._sent = 0
        self._repeats = self._repeated = 0  # frames sent though the collector has their numbers; the last one's
        self.reason = 0
        self.authentic = False
        self.frame: Frame | None = None
        self.type = 0
        self.fields: Fields = {}
        self.high_water = 0
        self.acked = 0
        self.time_fresh = False
        self.time_s = self.time_ms = 0
        self.quality = QUALITY_FLOOR
        self.retry_s = self.bad_tags = self.repeats = 0

    @property
    def first(self) -> int:
        """Number that durable frames begin with here; the collector declares what lies between high-water and it.

        It does so at the heartbeat. A chip that holds any of those frames ends the connection before that and says
        hello again with a lower `oldest`: the high-water has gone backward between two connections.
        """
        return self._next

    @property
    def welcomed(self) -> bool:
        """Whether the collector has accepted this connection."""
        return self.state in (c.CHIP_WELCOMED, c.CHIP_ONLINE)

    @property
    def online(self) -> bool:
        """Whether the heartbeat that opens the connection has been sent, so that all else may follow."""
        return self.state == c.CHIP_ONLINE

    @property
    def patience_ms(self) -> int:
        """Longest silence of the collector in this state before the link gives the connection up."""
        return c.WELCOME_WAIT_MS if self.state == c.CHIP_HELLO_SENT else c.SILENCE_MS

    def start(self, nonce: bytes, fields: "Mapping[Any, Any]", epoch: bytes, stamp: "Stamp", now_ms: int) -> bytes:
        """Begin a connection.

        Args:
            nonce: 16 bytes, fresh from the hardware's randomness.
            fields: the hello's, all but the nonce.
            epoch: the spool's, 4 bytes.
            stamp: Unix seconds, milliseconds, quality.
            now_ms: ticks, wrapping at 2^30.

        Returns:
            The hello, ready for the wire.

        Raises:
            LocalError: a connection is open (WIRE_UNEXPECTED), or the nonce has not 16 bytes (KEY_MALFORMED).
            EncodeError: a field that the hello does not allow.
        """
        if len(nonce) != NONCE_BYTES:
            raise LocalError(reasons.KEY_MALFORMED, "chip nonce of %d bytes, allowed 16" % len(nonce))
        move = self._own(c.E_START)
        hello: Fields = dict(fields)
        hello["nonce"] = nonce
        payload = messages.encode(messages.HELLO, hello)
        self._reset()
        self._nonce = nonce
        self._epoch = epoch
        self._own_oldest = c.number(hello, "oldest")
        self._own_highest = c.number(hello, "highest")
        self._hello_ms = now_ms
        wire = self._wire(messages.HELLO, payload, stamp, self._key_up)
        self._go(move)
        return wire

    def end(self) -> None:
        """Note that the link is gone; the connection's key is forgotten."""
        self._go(c.step(self.state, c.E_END))

    def volatile(self, type_: int, fields: "Mapping[Any, Any]", stamp: "Stamp") -> bytes:
        """Return a volatile message under K_conn, ready for the wire; the first one must be a heartbeat.

        Args:
            type_: a volatile uplink type, not hello.
            fields: by name.
            stamp: Unix seconds, milliseconds, quality.

        Raises:
            LocalError: not welcomed, or the first message is no heartbeat (WIRE_NOT_ONLINE).
            EncodeError: a field that the message does not allow.
        """
        key = self._conn
        move = self._own(c.E_SPEAK_HEARTBEAT if type_ == messages.HEARTBEAT else c.E_SPEAK)
        if key is None or type_ == messages.HELLO:
            raise LocalError(reasons.WIRE_NOT_ONLINE, "type %02x is not sent under a connection's key" % type_)
        wire = self._wire(type_, messages.encode(type_, fields), stamp, key)
        self._go(move)
        return wire

    def follows(self, raw: bytes) -> bool:
        """Tell whether a durable frame is one that the collector can take now.

        It is when the collector has its number (a repeat: to one that is ahead), when its number is the next in line,
        or when it is the gap record that declares all between. Where the spool has none (overwritten, unreadable), the
        chip ends the connection and names as `oldest` of its next hello whence it can go on; the collector then
        declares what lies before it.

        Args:
            raw: header, payload and tag, as spooled.
        """
        seq = parse(raw).seq
        return seq <= self.high_water or seq == self._next or (seq > self._next and c.bridges(raw, self._next - 1))

    def sent(self, seq: int) -> None:
        """Note a durable frame as sent on this connection, before its bytes leave.

        Raises:
            LocalError: the heartbeat that opens the connection has not been sent (WIRE_NOT_ONLINE).
        """
        self._own(c.E_SEND_DURABLE)
        self._next = max(self._next, seq + 1)
        if self._repeated < seq <= self.high_water:
            self._repeated = seq
            self._repeats += 1
        if seq > self._sent:
            self._sent = seq

    def receive(self, raw: bytes, now_ms: int) -> int:
        """Take one frame from the collector.

        Args:
            raw: header, payload and tag, CRC already checked.
            now_ms: ticks, wrapping at 2^30.

        Returns:
            One of the numbers above; never raises on what came.
        """
        self.authentic = False
        if self.closed:
            return IGNORED
        self.reason = 0
        self._now_ms = now_ms
        try:
            frame = parse(raw)
        except FrameError:
            return self._bad_tag()  # what has no header has no tag either
        if frame.flags & FLAG_PARITY != self._parity:
            return self._bad_tag()  # tagged under a key of another generation
        if frame.type == messages.WELCOME:
            return self._welcome(raw, frame, now_ms)
        key = self._conn
        if key is None:
            return self._bad_tag()  # nothing but a welcome can be verified yet
        fault, fields = c.read_downlink(frame)
        event = _EVENTS.get(frame.type, IGNORED)
        illegal = not frame.down or frame.device != self._device
        through = 0
        if frame.type == messages.ACK and fault == 0:
            through = c.number(fields, "through")
            if fields["epoch"] != self._epoch or through > self._sent:
                illegal = True
                fault = reasons.WIRE_ACK_BEYOND_SENT
            elif c.number(fields, "repeats") < self._repeats:
                through = 0  # the line has lost one that it does not miss: this ack covers nothing
        elif illegal:
            fault = reasons.FRAME_DIRECTION if not frame.down else reasons.FRAME_DEVICE
        kind = c.E_ILLEGAL if illegal else c.E_ACK if frame.type == messages.ACK else c.E_DOWNLINK
        if frame.seq <= self._seq_heard:
            kind = c.E_REPEATED
            fault = reasons.FRAME_SEQUENCE
        move = c.step(self.state, kind)
        # The tag comes last: from here to the return nothing is allocated.
        if not self._matches(raw, key):
            return self._bad_tag()
        return self._take(frame, fields, event, move, fault, through)

    def _take(self, frame: "Frame", fields: "Fields", event: int, move: int, fault: int, through: int) -> int:
        """Let a verified frame take effect; allocates nothing."""
        action = move & 15
        self._go(move)
        if action == c.A_CLOSE or action == c.A_COUNT:
            self.repeats += action == c.A_COUNT
            self.reason = fault
            return BAD
        self._seq_heard = frame.seq
        self.authentic = True
        self.frame = frame
        self.type = frame.type
        self.fields = fields
        if fault:
            self.reason = fault
            return LOCK if event == LOCK else BAD
        return self._take_ack(through) if action == c.A_TAKE_ACK else event

    def _take_ack(self, through: int) -> int:
        """Raise what may be overwritten; end when frames sent long ago are still not covered.

        Acks come with every heartbeat, so this is looked at without a clock of our own. Withheld acks (the collector
        is under pressure) and frames lost on a serial line look alike: sending again helps the one and harms little.
        """
        if through > self.acked:
            self.acked = through
            self._ack_ms = self._now_ms
            return ACKED
        if self._sent <= self.acked:
            self._ack_ms = self._now_ms
        elif (self._now_ms - self._ack_ms) & c.TICKS_MASK > c.ACK_WAIT_MS:
            return self._shut(c.E_END, reasons.WIRE_ACK_STALLED)
        return IGNORED

    def _welcome(self, raw: bytes, frame: "Frame", now_ms: int) -> int:
        """Take a welcome: its nonce, then the key, then the tag, and only then anything else in it."""
        fault, fields = c.read_downlink(frame)
        nonce = fields.get("nonce")
        if fault or not isinstance(nonce, bytes):
            return self._bad_tag()
        status = fields["status"]
        key = self._conn
        if self.state == c.CHIP_HELLO_SENT:
            key = HmacKey(connection_key(self._key_down, self._nonce, nonce))
        if key is None or not frame.down or frame.device != self._device:
            return self._bad_tag()
        if not self._matches(raw, key):
            if self.state == c.CHIP_HELLO_SENT and status == c.STATUS_REJECTED and frame.tag == _ZERO_TAG:
                return self._turned_away(c.E_REJECTED, fields)
            return self._bad_tag()
        if self.state != c.CHIP_HELLO_SENT or frame.epoch != self._epoch:
            return self._shut(c.E_ILLEGAL, reasons.WIRE_UNEXPECTED)
        waited_ms = (now_ms - self._hello_ms) & c.TICKS_MASK
        if waited_ms > c.WELCOME_WAIT_MS:
            return self._shut(c.E_ILLEGAL, reasons.WIRE_WELCOME_LATE)
        self.time_s = frame.time_s
        self.time_ms = frame.time_ms
        self.quality = frame.flags & QUALITY_MASK
        self.time_fresh = waited_ms <= c.WELCOME_FRESH_MS and self.quality != QUALITY_FLOOR
        if status != c.STATUS_ACCEPTED:
            return self._turned_away(c.E_REJECTED if status == c.STATUS_REJECTED else c.E_PENDING, fields)
        high = c.number(fields, "high_water")
        if high > c.believed(self._own_highest):
            return self._shut(c.E_ILLEGAL, reasons.WIRE_HIGH_WATER)
        self._conn = key
        self._ack_ms = now_ms
        self._seq_heard = frame.seq
        self.authentic = True
        self.frame = frame
        self.type = frame.type
        self.fields = fields
        self.high_water = self._sent = self.acked = high
        self._next = max(high + 1, self._own_oldest)
        self._go(c.step(self.state, c.E_ACCEPTED))
        return WELCOMED_AHEAD if high > self._own_highest else WELCOMED

    def _turned_away(self, event: int, fields: "Fields") -> int:
        """End with a wait; nothing but the wait and the reason shown is taken from it."""
        self._go(c.step(self.state, event))
        self.retry_s = min(c.number(fields, "retry_s"), c.RETRY_MAX_S)
        self.reason = c.number(fields, "reason")
        return PENDING if event == c.E_PENDING else REJECTED

    def _own(self, event: int) -> int:
        """Look up a move of our own; a pair outside the table is our fault and changes nothing."""
        move = c.step(self.state, event)
        if move & 15 == c.A_CLOSE:
            started = event == c.E_START
            raise LocalError(
                reasons.WIRE_UNEXPECTED if started else reasons.WIRE_NOT_ONLINE,
                "own event %d is not allowed in state %d of the conversation" % (event, self.state),
            )
        return move

    def _wire(self, type_: int, payload: bytes, stamp: "Stamp", key: HmacKey) -> bytes:
        """Seal a volatile message under the next number of this connection."""
        seq = self._seq + 1
        body = encode_body(self._parity | stamp[2], type_, self._device, self._epoch, seq, stamp[0], stamp[1], payload)
        self._seq = seq
        return to_wire(seal(body, key))

    def _bad_tag(self) -> int:
        """Count a frame that proves nothing; the last one allowed closes."""
        self.bad_tags += 1
        if self.bad_tags >= c.BAD_TAGS_MAX:
            return self._shut(c.E_BAD_TAG_LAST, reasons.WIRE_BAD_TAGS)
        return self._shut(c.E_BAD_TAG, reasons.FRAME_TAG)

    def _shut(self, event: int, reason: int) -> int:
        """Make the move of an event that takes nothing from its frame, and say why."""
        self._go(c.step(self.state, event))
        self.reason = reason
        return BAD

    def _go(self, move: int) -> None:
        """Enter the state of a move; the key does not outlive the connection."""
        self.state = move >> 4
        self.closed = self.state == c.CHIP_CLOSED
        if self.closed:
            self._conn = None
