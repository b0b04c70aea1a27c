"""One connection: a link's bytes in, rows for the store and bytes for the chip out.

Joins a connection with ``stream`` and ``conversation_collector``, and decides what becomes of each event; what
concerns more than one connection is the hub's. The hot path is ``_take``: a chunk of bytes is one list of rows, one
``put``, one mark, one ack.
"""

from typing import TYPE_CHECKING, Any

import structlog

from weldgate_protocol import conversation_collector as cc
from weldgate_protocol import messages, reasons
from weldgate_protocol.bulk import BulkStream
from weldgate_protocol.conversation import HELLO_WAIT, number
from weldgate_protocol.errors import EncodeError

from .ingest import Presence, challenge_row, gap_row
from .links.base import Connection
from .pace import LOOKUP_BYTES, VOLATILE_BYTES
from .silence import SESSION_TYPES
from .store import FRAME, Row

if TYPE_CHECKING:
    from weldgate_protocol.fields import Fields

    from .hub import Hub

__all__ = ["ChipPeer"]

_log = structlog.get_logger("weldgate.peer")

_STRANGER_NOISE_MAX = 4_096  # bytes that are no frame, from somebody who has not said hello
_TOLD_TYPES = SESSION_TYPES | {messages.REFUSAL, messages.ORDER_RESULT}


class ChipPeer:
    """The collector's side of one connection.

    Attributes:
        device: 8 bytes, empty before the hello.
        online: the chip has proved to be there, and no newer connection of it has.
        heard_s: when something authentic or at least well-formed last came, monotonic seconds.
        source: where the connection comes from.
        credit, credit_s: bytes that it may still bring, and when they were counted; ``pace`` fills them up.
    """

    __slots__ = (
        "_comparing", "_connection", "_device", "_epoch", "_held", "_held_back", "_hub", "_key", "_noise", "_over",
        "_presence", "_slowed", "_stream", "conversation", "credit", "credit_s", "device", "heard_s", "online",
        "source", "through",
    )  # fmt: skip

    def __init__(self, connection: Connection, hub: "Hub") -> None:
        """Begin a conversation on a connection that was just made."""
        self._connection = connection
        self._hub = hub
        self._stream = BulkStream()
        self.conversation = hub.converse()
        self.device = b""
        self.online = False
        self.heard_s = self.credit_s = hub.clock_s()
        self.credit = float(hub.pace.burst_bytes)
        self.source = connection.source
        self.through = 0  # highest number this connection brought; what an ack may reach
        self._device = self._epoch = 0
        self._key = b""  # device ‖ epoch
        self._presence: Presence | None = None
        self._noise = 0
        self._over = False
        self._comparing = False
        self._held_back = self._slowed = False
        self._held: list[bytes] = []

    @property
    def presence(self) -> Presence | None:
        """What is known of the chip's state, None before it is online."""
        return self._presence

    @property
    def key(self) -> bytes:
        """The line this connection is about: device ‖ epoch."""
        return self._key

    def received(self, data: bytes) -> None:
        """Take bytes as they came."""
        self._charge(len(data))
        if self._comparing:
            self._held.append(data)  # a link may still hand over what it had read before the pause
        else:
            self._take(data)

    def closed(self) -> None:
        """Note that the connection is over."""
        self._over = True
        self.conversation.close()
        self._hub.left(self)
        if self.online and self._presence is not None:
            self.online = False
            if not self._hub.silence.stands(self.device):  # else the alarm has said so already
                self._hub.put([self._presence.row(False, self._hub.now_ms())])
            _log.info("chip_offline", device=str(self._device))

    def drop(self, reason: int) -> None:
        """Close the connection from our side."""
        if not self._over:
            self._hub.closing(self, reason)
            self._over = True
            self._connection.close()

    def supersede(self) -> None:
        """Give way to a newer connection of the same chip, which has proved to be the live one."""
        self.online = False
        self.conversation.close()
        self.drop(reasons.WIRE_SUPERSEDED)

    def acknowledge(self, through: int) -> None:
        """Send one ack for all that was committed."""
        wire = self.conversation.acknowledge(self.conversation.epoch, through)
        if wire:
            self._connection.send(wire)

    def deliver(self, type_: int, fields: "Fields") -> bool:
        """Send a downlink message; False when the chip is not online after all or the message can't be encoded."""
        if not self.online:
            return False
        try:
            self._connection.send(self.conversation.downlink(type_, fields))
        except EncodeError as error:
            _log.error("downlink_not_encoded", device=str(self._device), type=type_, code=error.code)
            return False
        return True

    def hold_back(self, wanted: bool) -> None:
        """Stop or go on reading from this chip while the store is behind."""
        self._held_back = wanted
        self._update_reading()

    def slow_down(self, wanted: bool) -> None:
        """Stop or go on reading from this chip while it is too fast."""
        self._slowed = wanted
        self._update_reading()

    def _charge(self, size_bytes: int) -> None:
        self.credit -= size_bytes
        if self.credit < 0 and not self._over:
            self._hub.pace.spent(self)

    def _update_reading(self) -> None:
        if self._comparing or self._held_back or self._slowed:
            self._connection.pause()
        else:
            self._connection.resume()

    def _take(self, data: bytes) -> None:
        """Take one chunk: every whole frame in it, in order."""
        if self._over:
            return
        events: list[tuple[Any, ...]] = []
        stream, receive = self._stream, self.conversation.receive_into
        stream.feed(data)
        for raw in stream.take_all():
            receive(raw, events)
        if stream.discarded_bytes != self._noise:
            self._count_noise()
        if events:
            self.heard_s = self._hub.clock_s()
            self._follow(events)

    def _follow(self, events: list[tuple[Any, ...]]) -> None:
        now_ms = self._hub.now_ms()
        device, epoch, lines = self._device, self._epoch, self._hub.lines
        rows: list[Row] = []
        repeats: list[tuple[int, bytes]] = []
        told: list[bytes] = []
        high = before = lines.high(self._key)
        through = self.through
        for event in events:
            kind = event[0]
            if kind in ("durable", "bridge"):
                through, raw = event[1], event[2]
                if through > high:
                    high = through
                    rows.append((now_ms, FRAME, device, epoch, through, raw[1], raw))
                    if raw[1] in _TOLD_TYPES:
                        told.append(raw)
                else:
                    repeats.append((through, raw))
            elif kind == cc.REPEAT:
                through = max(through, event[1])
                repeats.append((event[1], event[2]))
            elif kind == cc.DECLARE:
                first, last = max(event[2], high + 1), event[3]
                if first <= last:  # an older connection's rows may have come in between
                    rows.append(gap_row(self.device, event[1], first, last, now_ms))
                    high = last
                    self._hub.metrics.gaps.inc()
                    _log.warning("gap_declared", device=str(device), epoch=event[1].hex(), first=first, last=last)
            else:
                self._rare(event, rows, now_ms)
                if kind == cc.CAME_ONLINE:
                    device, epoch = self._device, self._epoch
                    high = before = lines.high(self._key)
        self._store(rows, repeats, high if high > before else 0, through)
        if told and self.device:
            self._hub.told(self, told)

    def _store(self, rows: list[Row], repeats: list[tuple[int, bytes]], high: int, through: int) -> None:
        """Queue a chunk's rows; the ack waits for their commit, and for the look-up of repeats."""
        hub = self._hub
        if high:
            hub.lines.advance(self._key, high)
        if repeats:
            hub.metrics.repeats.inc(len(repeats))
            if rows:
                hub.put(rows, self, high, 0)
            self.through = through
            self._comparing = True
            self._update_reading()
            self._charge(LOOKUP_BYTES)
            hub.compare(self, repeats, through)
        elif rows:
            self.through = through
            hub.put(rows, self, high, through)

    def compared(self, rows: list[Row], through: int) -> None:
        """Go on after repeats were looked up.

        Args:
            rows: conflicts, and frames that turned up after they were declared lost.
            through: what may be acknowledged once these rows are durable.
        """
        self._hub.put(rows, self, 0, through)
        self._comparing = False
        if not self._over:
            self._update_reading()
        while self._held and not self._comparing:
            self._take(self._held.pop(0))

    def _rare(self, event: tuple[Any, ...], rows: list[Row], now_ms: int) -> None:
        """Follow an event that is not one of the thousands."""
        kind = event[0]
        if kind == cc.SEND:
            self._connection.send(event[1])
        elif kind == cc.VOLATILE:
            frame, fields = event[1], event[2]
            self._charge(VOLATILE_BYTES)
            if frame.type == messages.HEARTBEAT and self._presence is not None:
                row = self._presence.heard(frame, fields, now_ms)
                if self._hub.heartbeat(self, frame, fields) and row is None:
                    row = self._presence.row(True, now_ms)  # what ends an alarm is always on record
                if row is not None:
                    rows.append(row)
            elif frame.type == messages.CHALLENGE:
                rows.append(challenge_row(frame, now_ms))
        elif kind == cc.CAME_ONLINE:
            self._come_online(event[2], event[3], event[4])
        elif kind == cc.AHEAD and self._presence is not None:
            rows.append(self._presence.row(True, now_ms, ahead=True))
            _log.warning(
                "chip_behind_store", device=str(self._device), epoch=event[1].hex(), highest=event[2], high=event[3]
            )
        elif kind == cc.REFUSED:
            if event[1] == reasons.FRAME_TAG:
                self._hub.metrics.bad_tags.inc()
                self._hub.sources.bad_tags(self.source, 1)
        elif kind == cc.CLOSE:
            self._hub.judge(self, event[1])
            self.drop(event[1])

    def _come_online(self, epoch: bytes, hello: "Fields", new_epoch: bool) -> None:
        self.device = self.conversation.device
        self._device = int.from_bytes(self.device, "big")
        self._epoch = int.from_bytes(epoch, "big")
        self._key = self.device + epoch
        self._presence = Presence(self.device, epoch, number(hello, "oldest"))
        self.online = True
        _log.info("chip_online", device=str(self._device), source=self.source, epoch=epoch.hex(), new_epoch=new_epoch)
        self._hub.came_online(self)

    def _count_noise(self) -> None:
        more = self._stream.discarded_bytes - self._noise
        self._noise += more
        self._hub.metrics.noise_bytes.inc(more)
        if self.conversation.state == HELLO_WAIT and self._noise > _STRANGER_NOISE_MAX:
            self.drop(reasons.WIRE_UNEXPECTED)
