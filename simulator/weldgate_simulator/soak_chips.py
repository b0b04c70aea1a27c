"""The soak's load: chips that go on recording, hold what a ring holds, and a ledger of what was acknowledged.

A chip here is the protocol's own chip side without a chip around it, as in ``load``. Unlike there it records for as
long as it runs, its ring overwrites what was acknowledged, and when a collector's high-water goes back it sends again
what the ring still holds; the rest is the collector's to declare. It never records over what is not acknowledged.

The ledger is the tag of every frame ever recorded (a MAC over all its bytes) and the highest number that an ack or a
welcome ever named. It lives here and nowhere else, whatever is killed.
"""

import asyncio
import contextlib
import random
import secrets
import threading
import time
from collections.abc import Sequence
from typing import Self

from weldgate_collector import Chip
from weldgate_protocol import messages
from weldgate_protocol.conversation_chip import ACKED, WELCOMED, WELCOMED_AHEAD, ChipConversation
from weldgate_protocol.frame import FLAG_DURABLE, FLAG_PARITY, QUALITY_SYNCED, encode_body, seal, to_wire
from weldgate_protocol.keys import HmacKey
from weldgate_protocol.stream import FrameStream

from .load import HEARTBEAT, HELLO, stamp, telemetry, ticks

__all__ = ["RingChip", "Traffic"]

_TAG_BYTES = 8
_WINDOW = 64  # frames unacknowledged on one connection
_STEP_S = 0.02
_RETRY_S = (0.02, 0.3)
_HEARTBEAT_S = 5.0


class RingChip(asyncio.Protocol):
    """One chip.

    Attributes:
        device, epoch: of its identity.
        total: frames recorded so far, numbered from 1.
        acknowledged: the highest number that an ack or a welcome ever named: what may never be lost.
        reached: what the collector it last spoke to has of them; lower than ``acknowledged`` after a loss.
        tags: 8 bytes for each frame recorded.
    """

    def __init__(self, chip: Chip, ring: int) -> None:
        """Begin an epoch.

        Args:
            chip: with its keys.
            ring: how many frames it holds.
        """
        self.device = int(chip.device)
        self.total = self.acknowledged = self.reached = 0
        self.tags = bytearray()
        self._ring = ring
        self._up = HmacKey(bytes.fromhex(chip.up))
        self._name = self.device.to_bytes(8, "big")
        self._epoch = secrets.token_bytes(4)
        self.epoch = int.from_bytes(self._epoch, "big")
        self._flags = FLAG_DURABLE | QUALITY_SYNCED | (FLAG_PARITY if chip.generation & 1 else 0)
        self._conversation = ChipConversation(self._name, self._up, bytes.fromhex(chip.down), chip.generation)
        self._held: dict[int, bytes] = {}
        self._stream = FrameStream()
        self._next = 1
        self._beat_s = 0.0
        self._transport: asyncio.Transport | None = None
        self._closed = asyncio.Event()

    @property
    def oldest(self) -> int:
        """The lowest number it can still send."""
        return max(1, self.total - self._ring + 1)

    def tag(self, seq: int) -> bytes:
        """Return the tag of a frame it recorded, empty for a number it never gave."""
        return bytes(self.tags[(seq - 1) * _TAG_BYTES : seq * _TAG_BYTES]) if seq >= 1 else b""

    def record(self, count: int) -> None:
        """Record frames, as far as the ring has room for them, and send what may be sent."""
        now_s = int(time.time())
        for _ in range(min(count, self.reached + self._ring - self.total)):
            seq = self.total + 1
            payload = telemetry(mean_ma=seq % 300_000)
            body = encode_body(
                self._flags, messages.TELEMETRY, self._name, self._epoch, seq, now_s, seq % 1000, payload
            )
            raw = seal(body, self._up)
            self._held[seq] = to_wire(raw)
            self.tags += raw[-_TAG_BYTES:]
            self._held.pop(seq - self._ring, None)
            self.total = seq
        if self._conversation.online:
            self._send()

    async def run(self, host: str, port: int) -> None:
        """Connect, and connect again, until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._closed = asyncio.Event()
                with contextlib.suppress(OSError):
                    await loop.create_connection(lambda: self, host, port)
                    await self._closed.wait()
                await asyncio.sleep(random.uniform(*_RETRY_S))  # noqa: S311 - jitter
        finally:
            if self._transport is not None:
                self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream transport is needed")
        self._transport = transport
        self._stream = FrameStream()
        hello = {**HELLO, "oldest": self.oldest, "highest": self.total}
        transport.write(self._conversation.start(secrets.token_bytes(16), hello, self._epoch, stamp(), ticks()))

    def data_received(self, data: bytes) -> None:
        """Follow the conversation."""
        self._stream.feed(data)
        while (raw := self._stream.take()) is not None:
            event = self._conversation.receive(raw, ticks())
            if event in (WELCOMED, WELCOMED_AHEAD):
                self._reach(self._conversation.high_water)
                self._begin()
            elif event == ACKED:
                self._reach(self._conversation.acked)
                self._send()
            elif self._conversation.closed and self._transport is not None:
                self._transport.close()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Note the end; ``run`` connects again."""
        self._transport = None
        self._conversation.end()
        self._closed.set()

    def _begin(self) -> None:
        """Go on from the high-water; a ring that has moved on since the hello says hello again."""
        self._next = self._conversation.first
        if self._next <= self.total and self._next < self.oldest:
            if self._transport is not None:
                self._transport.close()
            return
        self._beat()
        self._send()

    def _reach(self, through: int) -> None:
        self.reached = through
        self.acknowledged = max(self.acknowledged, through)

    def _beat(self) -> None:
        self._beat_s = time.monotonic()
        beat = {**HEARTBEAT, "highest": self.total, "acked": self.reached}
        self._write(self._conversation.volatile(messages.HEARTBEAT, beat, stamp()))

    def _send(self) -> None:
        if time.monotonic() - self._beat_s > _HEARTBEAT_S:
            self._beat()
        last = min(self.total, max(self._conversation.acked, self._conversation.first - 1) + _WINDOW)
        if self._next <= last:
            self._conversation.sent(last)
            self._write(b"".join(self._held[seq] for seq in range(self._next, last + 1)))
            self._next = last + 1

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


class Traffic:
    """Many chips on a thread of their own. Use it in ``with``.

    Attributes:
        chips: they.
        rate: frames recorded each second by all together; 0 while nothing is to be recorded.
    """

    def __init__(self, chips: Sequence[RingChip], host: str, port: int, rate: float) -> None:
        """Take the chips and where their collector is."""
        self.chips = chips
        self.rate = rate
        self._where = host, port
        self._ending = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="soak-chips", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    @property
    def recorded(self) -> int:
        """How many frames were recorded."""
        return sum(chip.total for chip in self.chips)

    @property
    def acknowledged(self) -> int:
        """How many were ever acknowledged."""
        return sum(chip.acknowledged for chip in self.chips)

    @property
    def waiting(self) -> int:
        """How many the collector, as it is now, has not acknowledged."""
        return sum(chip.total - chip.reached for chip in self.chips)

    async def _run(self) -> None:
        running = [asyncio.create_task(chip.run(*self._where)) for chip in self.chips]
        due = 0.0
        before_s = time.monotonic()
        try:
            while not self._ending.is_set():
                await asyncio.sleep(_STEP_S)
                now_s = time.monotonic()
                due = min(due + self.rate * (now_s - before_s), self.rate)
                before_s = now_s
                each, due = int(due // len(self.chips)), due % len(self.chips)
                for chip in self.chips:
                    chip.record(each)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
