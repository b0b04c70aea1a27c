"""One chip of the bench's load: frames encoded and signed beforehand, and what is left to do while the clock runs.

The protocol's own chip side shakes hands; after that only acks and orders come, and each costs a CRC, a tag and a
look at fixed offsets. So the generator does not become what is measured (``load_sink`` shows it). A connection that
ends is an error here: faults are for ``load`` and the soak.
"""

import hashlib
import random
import secrets
import time
from array import array
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from weldgate_collector import Chip
from weldgate_protocol import cbor, messages
from weldgate_protocol.conversation_chip import BAD, WELCOMED, ChipConversation
from weldgate_protocol.errors import LocalError
from weldgate_protocol.frame import (
    FLAG_DURABLE,
    FLAG_PARITY,
    QUALITY_SYNCED,
    encode_body,
    from_wire,
    seal,
    tag_matches,
    to_wire,
)
from weldgate_protocol.keys import HmacKey, connection_key
from weldgate_protocol.reasons import TOOL_CONNECTION

from .load import HEARTBEAT, HELLO, stamp, telemetry

__all__ = ["PAYLOAD_BYTES", "Entry", "LoadChip", "Wrap", "plain"]

PAYLOAD_BYTES = 66  # with header and tag a frame of 100 bytes
_PAYLOADS = 64  # that differ; what a frame costs does not depend on there being more
_ACK_PREFIX = b"\xa2\x01\x44"  # a map of two: 1 → four bytes of epoch, 2 → through
_ACK_AT, _ACK_THROUGH = 26, 34  # offsets in a raw frame: the payload, and in it what follows key 2

Wrap = Callable[[str], Callable[[bytes], bytes]]
"""A chip's number → what makes of a frame on the wire what its medium carries."""


class Entry(NamedTuple):
    """The ledger of one chip: all of it was acknowledged, so all of it must be found, byte for byte.

    Attributes:
        device, epoch: of the line.
        frames: how many it had.
        acknowledged: the highest number that an ack named.
        digest: SHA-256 over all its raw frames, 1 first, in hex.
    """

    device: int
    epoch: int
    frames: int
    acknowledged: int
    digest: str


class LoadChip:
    """One chip.

    Attributes:
        device: its number.
        sent, acknowledged: highest numbers.
        online: its heartbeat was sent.
        latencies_s: of each frame, from its sending to its ack; kept only while ``timed``.
        orders: (type, monotonic second) of each order that came.
    """

    def __init__(self, chip: Chip, frames: int, wrap: Wrap, flip: int = 0) -> None:
        """Encode and sign everything.

        Args:
            chip: with its keys.
            frames: how many it has.
            wrap: of its medium.
            flip: before this number goes the same frame with one bit of its tag flipped; 0 for none.
        """
        self.sent = self.acknowledged = 0
        self.online = False
        self.timed = False
        self.latencies_s: list[float] = []
        self.orders: list[tuple[int, float]] = []
        self.frames = frames
        self._sent_s: deque[tuple[int, float]] = deque()
        self.device = int(chip.device)
        self._device = self.device.to_bytes(8, "big")
        self._up, self._down = HmacKey(bytes.fromhex(chip.up)), bytes.fromhex(chip.down)
        self._epoch = secrets.token_bytes(4)
        self._conversation = ChipConversation(self._device, self._up, self._down, chip.generation)
        self._conn: HmacKey | None = None
        self._nonce = secrets.token_bytes(16)
        self._wrapped = wrap(chip.device)
        self._rest = b""
        flags = FLAG_DURABLE | QUALITY_SYNCED | (FLAG_PARITY if chip.generation & 1 else 0)
        self._encode(flags, flip)

    def _encode(self, flags: int, flip: int) -> None:
        payloads, now_s, digest, wires = _payloads(), int(time.time()), hashlib.sha256(), []
        for seq in range(1, self.frames + 1):
            payload = payloads[seq % _PAYLOADS]
            body = encode_body(flags, messages.TELEMETRY, self._device, self._epoch, seq, now_s, seq % 1000, payload)
            raw = seal(body, self._up)
            digest.update(raw)
            wire = self._wrapped(to_wire(raw))
            if seq == flip:
                wire = self._wrapped(to_wire(raw[:-1] + bytes([raw[-1] ^ 1]))) + wire
            wires.append(wire)
        self._digest = digest.hexdigest()
        self._data = b"".join(wires)
        self._ends = array("L", [0])
        for wire in wires:
            self._ends.append(self._ends[-1] + len(wire))

    @property
    def entry(self) -> Entry:
        """What the ledger says of this chip."""
        epoch = int.from_bytes(self._epoch, "big")
        return Entry(self.device, epoch, self.frames, self.acknowledged, self._digest)

    def hello(self) -> bytes:
        """Return the first bytes of its connection."""
        fields = {**HELLO, "highest": self.frames}
        return self._wrapped(self._conversation.start(self._nonce, fields, self._epoch, stamp(), 0))

    def due(self, last: int) -> memoryview:
        """Return the bytes of the frames up to ``last``, and count them as sent."""
        first, self.sent = self._ends[self.sent], last
        if self.timed:
            self._sent_s.append((last, time.monotonic()))
        return memoryview(self._data)[first : self._ends[last]]

    def take(self, data: bytes) -> bytes:
        """Take what came; return what is to be answered at once.

        Raises:
            LocalError: TOOL_CONNECTION, it is no answer of an honest collector.
        """
        *pieces, self._rest = (self._rest + data).split(b"\x7e")
        answer = b""
        for piece in pieces:
            if piece:
                raw = from_wire(piece)
                if self._conn is None:
                    answer += self._welcome(raw)
                elif not tag_matches(raw, self._conn):
                    raise LocalError(TOOL_CONNECTION, "a frame from the collector is not under the connection's key")
                elif raw[1] == messages.ACK:
                    self._ack(raw)
                else:
                    self.orders.append((raw[1], time.monotonic()))
        return answer

    def _welcome(self, raw: bytes) -> bytes:
        conversation = self._conversation
        event = conversation.receive(raw, 0)
        if event != WELCOMED or conversation.high_water:
            what = f"reason {conversation.reason}" if event == BAD else f"event {event}"
            raise LocalError(TOOL_CONNECTION, f"the collector does not welcome a chip: {what}")
        self._conn = HmacKey(connection_key(self._down, self._nonce, bytes(conversation.fields["nonce"])))
        self.online = True
        return self._wrapped(conversation.volatile(messages.HEARTBEAT, HEARTBEAT, stamp()))

    def _ack(self, raw: bytes) -> None:
        if raw[_ACK_AT : _ACK_AT + 3] != _ACK_PREFIX or raw[_ACK_AT + 3 : _ACK_AT + 7] != self._epoch:
            raise LocalError(TOOL_CONNECTION, "an ack that speaks of repeats or of another epoch")
        through = cbor.decode(raw[_ACK_THROUGH:-8])
        if not isinstance(through, int) or through > self.sent:
            raise LocalError(TOOL_CONNECTION, f"ack through {through!r}, sent {self.sent}")
        self.acknowledged = max(self.acknowledged, through)
        times = self._sent_s
        if times and times[0][0] <= through:
            now_s = time.monotonic()
            while times and times[0][0] <= through:
                self.latencies_s.append(now_s - times.popleft()[1])


def plain(_device: str) -> Callable[[bytes], bytes]:
    """Carry frames as they are."""
    return bytes


@lru_cache(maxsize=1)
def _payloads() -> list[bytes]:
    """Return telemetry that differs, filled up to size."""
    chance = random.Random(1)  # noqa: S311 - filling, no secret
    return [
        telemetry(
            PAYLOAD_BYTES,
            chance.randbytes,
            mean_ma=chance.randrange(300_000),
            arc_ms=chance.randrange(60_000),
            strikes=chance.randrange(20),
        )
        for _ in range(_PAYLOADS)
    ]
