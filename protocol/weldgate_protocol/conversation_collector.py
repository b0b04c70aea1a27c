"""The collector's end of the conversation: frames in, a list of events out.

An event is a tuple; its first item says which:

    (SEND, wire)                    bytes for the chip
    (CAME_ONLINE, device, epoch, hello, new_epoch)
                                    proved to be there: older connections of this chip are to be closed now
    (DECLARE, epoch, first, last)   the chip no longer holds these: the collector's own gap record is due
    (AHEAD, epoch, highest, high)   the chip has sent less than we have: a cloned identity, or a lost tail
    (DURABLE, seq, raw)             next in line: store it
    (BRIDGE, seq, raw, first)       a gap record that declares first to seq - 1: store it, the line goes on from seq
    (REPEAT, seq, raw)              already in line: a duplicate, or a conflict if its bytes differ from the stored;
                                    acknowledged as any other, or the chip would wait for ever
    (VOLATILE, frame, fields)       fields are None where this release cannot read the payload
    (REFUSED, reason)               counted, without other effect
    (CLOSE, reason)                 the last event: drop the connection

The path of a durable frame is a header comparison, a tag and a number: no payload is decoded, since a payload that
makes no sense is evidence, and is kept. What is handed up as next in line may still wait in the writer's queue from
an older connection, so the writer compares once more; `acknowledge` is for what it has committed.

Decides who may be believed, and what is in line. Leaves to others: whose keys (`lookup`), what is committed
(`high_water`), who is served now (`admit`), throttling, and the waits themselves (`patience_ms`).
"""

from weldgate_protocol import conversation as c
from weldgate_protocol import messages, reasons
from weldgate_protocol._compat import HmacKey, same_bytes
from weldgate_protocol.cbor import encode as encode_cbor
from weldgate_protocol.errors import FrameError, LocalError, RemoteError
from weldgate_protocol.frame import (
    FLAG_DOWN,
    FLAG_DURABLE,
    FLAG_PARITY,
    HEADER_BYTES,
    QUALITY_MASK,
    TAG_BYTES,
    VERSION,
    encode_body,
    parse,
    seal,
    tag_matches,
    to_wire,
)
from weldgate_protocol.keys import NONCE_BYTES, connection_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from weldgate_protocol.fields import Fields
    from weldgate_protocol.frame import Frame
    from weldgate_protocol.keys import ChipKeys

    Event = tuple[Any, ...]
    Stamp = tuple[int, int, int]  # Unix seconds, milliseconds, quality
    Verdict = tuple[int, int, int]  # status, reason, retry_s

__all__ = [
    "AHEAD", "BRIDGE", "CAME_ONLINE", "CLOSE", "DECLARE", "DURABLE", "REFUSED", "REPEAT", "SEND", "VOLATILE",
    "CollectorConversation",
]  # fmt: skip

SEND = "send"
CAME_ONLINE = "online"
DECLARE = "declare"
AHEAD = "ahead"
DURABLE = "durable"
BRIDGE = "bridge"
REPEAT = "repeat"
VOLATILE = "volatile"
REFUSED = "refused"
CLOSE = "close"

_ZERO_TAG = bytes(TAG_BYTES)
_RAW_MIN = HEADER_BYTES + TAG_BYTES
_ACK_EPOCH, _ACK_THROUGH, _ACK_REPEATS = b"\xa2\x01\x44", b"\x02", b"\x03"  # a map of two; keys 1 to 3


def _admit_all(_device: bytes) -> "Verdict":
    """Serve whoever is known."""
    return c.STATUS_ACCEPTED, 0, 0


class CollectorConversation:
    """One connection's collector end, from the first byte to the close.

    Attributes:
        state: one of HELLO_WAIT, WELCOME_SENT, ONLINE, CLOSED of `conversation`.
        device, epoch: of the hello, empty before it; proved only once online.
        bad_tags, repeats: counted in this connection.
    """

    def __init__(
        self,
        lookup: "Callable[[bytes], ChipKeys | None]",
        high_water: "Callable[[bytes, bytes], int | None]",
        now: "Callable[[], Stamp]",
        random: "Callable[[int], bytes]",
        admit: "Callable[[bytes], Verdict]" = _admit_all,
    ) -> None:
        """Take the neighbours.

        Args:
            lookup: device → its keys, None when unknown.
            high_water: (device, epoch) → highest *committed* number in line, None for an epoch new to us.
            now: Unix seconds, milliseconds, quality (floor when our own clock is unsure).
            random: n → n unpredictable bytes.
            admit: device → (status, reason, retry_s), asked for a known chip whose hello verified.
        """
        self._lookup = lookup
        self._high_water = high_water
        self._now = now
        self._random = random
        self._admit = admit
        self.device = b""
        self.epoch = b""
        self.bad_tags = 0
        self.repeats = 0
        self._keys: ChipKeys | None = None
        self._conn: HmacKey | None = None
        self._hello: Fields = {}
        self._parity = 0
        self._identity = b""
        self._durable_keys: dict[int, HmacKey] = {}
        self._seq = 0
        self._seq_heard = 0
        self._high = 0  # highest number in line
        self._base = 0  # the same when the chip came online
        self._seen = 0  # what it has certainly sent or been told of, before the line moves on from base
        self._told = 0  # the welcome's high-water
        self._repeats = 0  # frames up to there that came, and the last one's number
        self._repeated = 0
        self._acked = 0
        self._go(c.HELLO_WAIT << 4)

    @property
    def patience_ms(self) -> int:
        """Longest silence of the chip in this state before the link gives the connection up."""
        if self.state == c.HELLO_WAIT:
            return c.HELLO_WAIT_MS
        return c.CONFIRM_WAIT_MS if self.state == c.WELCOME_SENT else c.SILENCE_MS

    def receive(self, raw: bytes) -> "list[Event]":
        """Take one frame from the chip and return what follows from it.

        Args:
            raw: header, payload and tag, as `frame.from_wire` or `FrameStream.take` gave them (header checked).
        """
        events: list[Event] = []
        self.receive_into(raw, events)
        return events

    def receive_into(self, raw: bytes, events: "list[Event]") -> None:
        """As `receive`, appending to the caller's list: the path for many frames at once."""
        if self._accepting and len(raw) >= _RAW_MIN:
            key = self._durable_keys.get(raw[0])
            if key is not None and raw[2:14] == self._identity:
                if not same_bytes(key.tag8(raw[:-8]), raw[-8:]):
                    self._bad_tag(events)
                    return
                seq = int.from_bytes(raw[14:18], "big")
                if seq == self._high + 1:
                    self._high = seq
                    events.append((DURABLE, seq, raw))
                else:
                    self._out_of_line(seq, raw, events)
                return
        if self.state != c.CLOSED:
            self._receive_other(raw, events)

    def acknowledge(self, epoch: bytes, through: int) -> bytes:
        """Return the ack for what has been committed, or nothing where it would say nothing new.

        Args:
            epoch: the committed frames'.
            through: highest committed number in line; cut to what this connection has brought.

        Raises:
            LocalError: the conversation is about another epoch (WIRE_OTHER_EPOCH).
        """
        if self.state != c.ONLINE:
            return b""
        if epoch != self.epoch:
            raise LocalError(reasons.WIRE_OTHER_EPOCH, "ack for another epoch than this conversation's")
        limit = self._high if self._high > self._base else self._seen
        through = min(through, limit)
        if through <= self._acked:
            return b""
        self._acked = through
        return self._ack()

    def downlink(self, type_: int, fields: "Mapping[Any, Any]") -> bytes:
        """Return a downlink message for a chip that has proved to be there, ready for the wire.

        Raises:
            LocalError: it is not online (WIRE_NOT_ONLINE), or the type is none of ours to send (WIRE_UNEXPECTED).
            EncodeError: a field that the message does not allow.
        """
        if self.state != c.ONLINE or self._conn is None:
            raise LocalError(reasons.WIRE_NOT_ONLINE, "the chip is not online")
        if type_ in (messages.WELCOME, messages.ACK):
            raise LocalError(reasons.WIRE_UNEXPECTED, "welcome and ack are the conversation's own")
        return self._wire(type_, messages.encode(type_, fields), self._conn)

    def close(self) -> None:
        """Note that the connection is over: superseded, silent, or gone."""
        self._go(c.step(self.state, c.E_END))

    def _receive_other(self, raw: bytes, events: "list[Event]") -> None:
        """Take whatever is not a durable frame in its place: authenticate, then judge."""
        try:
            frame = parse(raw)
        except FrameError:
            self._bad_tag(events)  # what has no header has no tag either
            return
        if self._keys is None:
            self._first(raw, frame, events)
            return
        if frame.durable or frame.type == messages.HELLO:
            key = self._keys.up(frame.parity)
        else:
            key = self._conn if frame.flags & FLAG_PARITY == self._parity else None
        if key is None or not tag_matches(raw, key):
            self._bad_tag(events)
        elif frame.down:
            self._end(c.E_ILLEGAL, reasons.FRAME_DIRECTION, events)
        elif frame.device != self.device:
            self._end(c.E_ILLEGAL, reasons.FRAME_DEVICE, events)
        elif frame.type == messages.HELLO:
            self._end(c.E_HELLO, reasons.WIRE_UNEXPECTED, events)
        elif frame.epoch != self.epoch:
            self._end(c.E_ILLEGAL, reasons.WIRE_OTHER_EPOCH, events)
        elif frame.durable:  # in its place it never comes here
            self._end(c.E_DURABLE, reasons.WIRE_NOT_ONLINE, events)
        else:
            self._volatile(frame, events)

    def _first(self, raw: bytes, frame: "Frame", events: "list[Event]") -> None:
        """Take the first frame, which must be a hello."""
        if frame.type != messages.HELLO:
            self._end(c.E_ILLEGAL, reasons.WIRE_UNEXPECTED, events)
            return
        self.device = frame.device
        self.epoch = frame.epoch
        self._parity = frame.flags & FLAG_PARITY  # answered in the chip's own, also where no key of it is known
        keys = self._lookup(frame.device)
        if keys is None:
            self._refuse(reasons.WIRE_UNKNOWN_CHIP, events)
            return
        key = keys.up(frame.parity)
        down = keys.down_of(frame.parity)
        if key is None or not down or not tag_matches(raw, key):
            self.bad_tags += 1
            self._refuse(reasons.FRAME_TAG, events)
            return
        try:
            hello = messages.decode(messages.HELLO, frame.payload)
        except RemoteError as error:
            self._end(c.E_ILLEGAL, error.code, events)
            return
        if frame.seq != 1:
            self._end(c.E_ILLEGAL, reasons.FRAME_SEQUENCE, events)
        elif c.number(hello, "oldest") > c.number(hello, "highest") + 1:
            self._end(c.E_ILLEGAL, reasons.MESSAGE_FIELD_RANGE, events)
        else:
            self._keys = keys
            self._welcome(down, hello, events)

    def _welcome(self, k_down: bytes, hello: "Fields", events: "list[Event]") -> None:
        """Answer a verified hello; a recording of one gets an answer it can do nothing with."""
        status, reason, retry_s = self._admit(self.device)
        nonce = self._random(NONCE_BYTES)
        self._hello = hello
        self._seq_heard = 1
        conn = HmacKey(connection_key(k_down, hello["nonce"], nonce))
        fields: Fields = {"nonce": nonce, "status": status, "high_water": 0}
        if reason:
            fields["reason"] = reason
        if retry_s:
            fields["retry_s"] = retry_s
        if status == c.STATUS_ACCEPTED:
            high = self._high_water(self.device, self.epoch) or 0
            self._told = self._seen = self._acked = fields["high_water"] = high
        events.append((SEND, self._wire(messages.WELCOME, messages.encode(messages.WELCOME, fields), conn)))
        if status == c.STATUS_ACCEPTED:
            self._conn = conn
            self._go(c.step(self.state, c.E_HELLO))
        elif status == c.STATUS_PENDING:
            self._end(c.E_HELLO_POSTPONED, reason or reasons.WIRE_PENDING, events)
        else:
            self._end(c.E_HELLO_REFUSED, reason or reasons.WIRE_UNKNOWN_CHIP, events)

    def _refuse(self, reason: int, events: "list[Event]") -> None:
        """Turn away who shares no key with us: a rejected with a zero tag, which proves nothing to anybody."""
        fields: Fields = {"nonce": self._random(NONCE_BYTES), "status": c.STATUS_REJECTED, "high_water": 0}
        fields["reason"] = reason
        payload = messages.encode(messages.WELCOME, fields)
        events.append((SEND, self._wire(messages.WELCOME, payload, None)))
        self._end(c.E_HELLO_REFUSED, reason, events)

    def _volatile(self, frame: "Frame", events: "list[Event]") -> None:
        """Take a verified volatile message; the first one proves that the chip is there."""
        repeated = frame.seq <= self._seq_heard
        move = c.step(self.state, c.E_REPEATED if repeated else c.E_VOLATILE)
        self._go(move)
        if repeated:
            self.repeats += 1
            events.append((REFUSED, reasons.FRAME_SEQUENCE))
            return
        self._seq_heard = frame.seq
        if move & 15 == c.A_COME_ONLINE:
            self._come_online(events)
        try:
            fields: Fields | None = messages.decode(frame.type, frame.payload)
        except RemoteError:
            fields = None
        events.append((VOLATILE, frame, fields))
        if frame.type == messages.HEARTBEAT:
            # Also when it says nothing new: the chip learns that somebody who has the key is still there. It does not
            # run ahead of `acknowledge`: a repeat's number is committed long before it has been compared.
            events.append((SEND, self._ack()))

    def _come_online(self, events: "list[Event]") -> None:
        """Fix where the line goes on: asked again, since an older connection may have brought more meanwhile."""
        high = self._high_water(self.device, self.epoch)
        oldest = c.number(self._hello, "oldest")
        highest = c.number(self._hello, "highest")
        events.append((CAME_ONLINE, self.device, self.epoch, self._hello, high is None))
        base = high or 0
        if oldest > base + 1:
            events.append((DECLARE, self.epoch, base + 1, oldest - 1))
            base = oldest - 1
        if high is not None and high > highest:
            events.append((AHEAD, self.epoch, highest, high))
        self._high = self._base = base
        self._hello = {}

    def _out_of_line(self, seq: int, raw: bytes, events: "list[Event]") -> None:
        """Take a verified durable frame that is not the next in line."""
        if seq <= self._high:
            self._seen = max(self._seen, seq)
            if self._repeated < seq <= self._told:
                self._repeated = seq
                self._repeats += 1
            events.append((REPEAT, seq, raw))
        elif c.bridges(raw, self._high):
            events.append((BRIDGE, seq, raw, self._high + 1))
            self._high = seq
        else:
            self._end(c.E_ILLEGAL, reasons.WIRE_SEQUENCE_HOLE, events)

    def _ack(self) -> bytes:
        """Return an ack of what is acknowledged so far."""
        if self._conn is None:
            return b""
        # One of thousands a second, so by hand: the bytes that the table of messages would make.
        payload = _ACK_EPOCH + self.epoch + _ACK_THROUGH + encode_cbor(self._acked)
        if self._repeats:
            payload = b"\xa3" + payload[1:] + _ACK_REPEATS + encode_cbor(self._repeats)
        return self._wire(messages.ACK, payload, self._conn)

    def _wire(self, type_: int, payload: bytes, key: "HmacKey | None") -> bytes:
        """Seal a downlink message under the next number of this connection; without a key the tag is zero."""
        seq = self._seq + 1
        time_s, time_ms, quality = self._now()
        flags = FLAG_DOWN | self._parity | quality & QUALITY_MASK
        body = encode_body(flags, type_, self.device, self.epoch, seq, time_s, time_ms, payload)
        self._seq = seq
        return to_wire(body + _ZERO_TAG if key is None else seal(body, key))

    def _bad_tag(self, events: "list[Event]") -> None:
        """Count a frame that proves nothing; the last one allowed closes."""
        self.bad_tags += 1
        if self.bad_tags >= c.BAD_TAGS_MAX or self.state == c.HELLO_WAIT:
            self._end(c.E_BAD_TAG_LAST, reasons.WIRE_BAD_TAGS, events)
            return
        self._go(c.step(self.state, c.E_BAD_TAG))
        events.append((REFUSED, reasons.FRAME_TAG))

    def _end(self, event: int, reason: int, events: "list[Event]") -> None:
        """Make a move that closes, and say why."""
        self._go(c.step(self.state, event))
        events.append((CLOSE, reason))

    def _go(self, move: int) -> None:
        """Enter the state of a move; keys do not outlive the connection."""
        self.state = move >> 4
        self._accepting = c.step(self.state, c.E_DURABLE) & 15 == c.A_ACCEPT
        if self.state == c.CLOSED:
            self._conn = self._keys = None
            self._durable_keys = {}
        elif self._accepting and self._keys is not None and not self._durable_keys:
            self._identity = self.device + self.epoch
            for parity in (0, 1):
                key = self._keys.up(parity)
                for quality in (0, 1, 2):
                    if key is not None:
                        self._durable_keys[VERSION << 5 | FLAG_DURABLE | parity << 2 | quality] = key
