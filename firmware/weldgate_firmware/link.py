"""Pumps bytes between a TCP socket and the chip's conversation, for ever.

It holds no rule of the wire: what a frame means is decided in ``weldgate_protocol.conversation_chip``, what follows
from it in ``driver``. Here are only the socket, the pace of reconnecting, the window of unacknowledged frames and the
rhythm of heartbeats. While the relay is closed nothing here may hold the interpreter longer than 40 ms (DESIGN
section 4), so a name is looked up only while it is open: the address found last serves until then.
"""

import asyncio
import socket

from weldgate_firmware.clock import ticks_diff
from weldgate_firmware.telling import VIA_DOWNLINK
from weldgate_protocol import conversation as dialogue
from weldgate_protocol import conversation_chip as chip
from weldgate_protocol import messages, reasons
from weldgate_protocol._compat import const
from weldgate_protocol.frame import RAW_MAX, to_wire
from weldgate_protocol.stream import FrameStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from weldgate_firmware.driver import Driver

READ_BYTES = const(512)
WINDOW_FRAMES = const(32)  # durable frames in flight: at 150 bytes each, what a small TCP window holds
BURST_FRAMES = const(4)  # frames written before others get a turn
CONNECT_S = const(10)
BACKOFF_FIRST_MS = const(500)
BACKOFF_LAST_MS = const(60000)  # a whole town that comes back after a power cut is spread over a minute
BACKOFF_DOUBLINGS = const(7)


def backoff_ms(failures: int, roll: int) -> int:
    """Return how long to wait before the next try.

    Args:
        failures: tries in a row that did not reach a welcome, from 0.
        roll: a random number 0..65535 for the jitter.

    Returns:
        Between half and the whole of 0.5 s · 2^failures, at most 60 s, so that chips do not come in step.
    """
    whole = min(BACKOFF_FIRST_MS << min(failures, BACKOFF_DOUBLINGS), BACKOFF_LAST_MS)
    return whole // 2 + (whole // 2) * roll // 65535


def _is_address(host: str) -> bool:
    """Tell an IPv4 or IPv6 address from a name that would have to be looked up."""
    return ":" in host or all(c in "0123456789." for c in host)


class Link:
    """The chip's connection to its collector.

    Args:
        conversation: the chip's end of the dialogue.
        driver: what decides; its spool is what is sent.
        random: returns that many random bytes.
        host: name or address of the collector.
        port: TCP port.
        connect: opens a connection; given by tests.
    """

    def __init__(
        self,
        conversation: chip.ChipConversation,
        driver: "Driver",
        random: "Callable[[int], bytes]",
        host: str,
        port: int,
        connect: "Callable[[str, int], Awaitable[Any]]" = asyncio.open_connection,
    ) -> None:
        self._conversation = conversation
        self._driver = driver
        self._clock = driver.core.clock
        self._spool = driver.core.storage.spool
        self._random = random
        self._host = host
        self._port = port
        self._connect = connect
        self._address = host if _is_address(host) else ""
        self._stream = FrameStream()
        self._buffer = bytearray(RAW_MAX)
        self._wake = asyncio.Event()
        self._task: Any = None
        self._failed: Exception | None = None  # what the reader failed of, the socket aside
        self._connecting = False
        self._over = False
        self._dropped = False  # cancelled by `tick`, not by whoever runs the app
        self._stopped = False  # for good; a cancellation alone can get lost
        self._changed = False
        self._cursor = 1  # next durable sequence number to send
        self._resume_at = 0  # past a hole that the ring can't fill: the next hello's oldest
        self._beat_ms = 0  # ticks of the last heartbeat
        self._heard_ms = 0  # ticks of the last authenticated downlink
        self.connections = 0
        self.failures = 0
        self.error = 0  # errno or reason number of the last failure, 0 for none

    @property
    def online(self) -> bool:
        """Whether the collector has accepted this chip on the present connection."""
        return self._conversation.state == dialogue.CHIP_ONLINE

    def changed(self) -> None:
        """Send a heartbeat at once: the gate's state, the session or the alarms are others now."""
        self._changed = True
        self._wake.set()

    def tick(self, now_ms: int) -> None:
        """Wake the sender when something is due and drop a connection that has died; called by the gate's tick."""
        if self._task is None or self._over:
            return
        conversation = self._conversation
        patience = 1000 * CONNECT_S
        if not self._connecting:
            patience = min(conversation.patience_ms, self._driver.config.link_silence_s * 1000)
        if ticks_diff(now_ms, self._heard_ms) > patience:
            self.error = reasons.WIRE_HELLO_TIMEOUT
            self._drop()
        elif conversation.state == dialogue.CHIP_ONLINE and (self._beat_due(now_ms) or self._may_send()):
            self._wake.set()

    async def run(self) -> None:
        """Connect, serve and connect again, until stopped or cancelled."""
        while not self._stopped:
            welcomed = False
            if self._address or not self._driver.closed:
                welcomed = await self._try_once()
            self.failures = 0 if welcomed else self.failures + 1
            if self.failures and not self._driver.closed and not _is_address(self._host):
                self._address = ""  # the name may lead elsewhere by now
            roll = self._random(2)
            wait_ms = backoff_ms(self.failures, roll[0] << 8 | roll[1])
            wait_s = min(max(wait_ms / 1000, self._conversation.retry_s), self._driver.config.retry_max_s)
            await asyncio.sleep(wait_s)

    def stop(self) -> None:
        """Drop the connection, if there is one, and make no other: `run` ends."""
        self._stopped = True
        self._drop()

    async def _try_once(self) -> bool:
        """Serve one connection to its end; tell whether the collector accepted it."""
        before = self.connections
        self._over = self._dropped = False
        self._connecting = True
        self._heard_ms = self._beat_ms = self._clock.ticks_ms()
        self._task = asyncio.create_task(self._serve())
        try:
            await self._task
        except asyncio.CancelledError:
            if self._stopped or not self._dropped:  # the app itself is ending, and this connection with it
                self._over = True
                self._task.cancel()
                await asyncio.gather(self._task, return_exceptions=True)
                raise
        except OSError as error:
            self.error = error.errno or reasons.WIRE_HELLO_TIMEOUT
        finally:
            self._task = None
            self._conversation.end()
            self._driver.link_down()
        failed = self._failed
        self._failed = None
        if failed is not None:
            raise failed  # for the app to record: it was not the connection
        return self.connections > before

    async def _serve(self) -> None:
        # No `wait_for`: CPython's loses a cancellation that comes as the connection opens, MicroPython's raises what is
        # no OSError. `tick` gives up a connection that takes too long.
        reader, writer = await self._connect(self._resolved(), self._port)
        self._connecting = False
        reading: Any = None
        try:
            if self._over:
                return
            writer.write(self._hello())
            await writer.drain()
            reading = asyncio.create_task(self._read(reader))
            while not self._over:
                await self._wake.wait()
                self._wake.clear()
                while not self._over and self._speak(writer):
                    await writer.drain()
        finally:
            await self._close(reading, writer)

    async def _close(self, reading: "Any", writer: "Any") -> None:
        """End both halves of a connection."""
        self._over = True
        try:
            if reading is not None:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
        finally:
            writer.close()
            try:
                await writer.wait_closed()
            except OSError:
                pass  # lost before it was closed; raised here it would hide why this ended

    def _resolved(self) -> str:
        """Return the collector's address; looking a name up blocks, which `run` allows only with the relay open."""
        if not self._address:
            found = socket.getaddrinfo(self._host, self._port)[0][-1]
            self._address = str(found[0])
        return self._address

    def _hello(self) -> bytes:
        spool = self._spool
        fields: Any = self._driver.hello()
        if self._resume_at:
            fields["oldest"] = max(spool.oldest, self._resume_at)
        self._stream = FrameStream()
        self._cursor = spool.highest + 1  # nothing durable before the welcome says where to begin
        return self._conversation.start(
            self._random(16), fields, spool.epoch, self._clock.stamp(), self._clock.ticks_ms()
        )

    async def _read(self, reader: "Any") -> None:
        try:
            while not self._over:
                try:
                    data = await reader.read(READ_BYTES)
                except OSError as error:
                    self.error = error.errno or reasons.WIRE_HELLO_TIMEOUT
                    return
                if not data:
                    return
                self._stream.feed(data)
                raw = self._stream.take()
                while raw is not None:
                    self._receive(raw)
                    raw = self._stream.take()
        except Exception as error:
            self._failed = error
            self._drop()  # a sender that waits for the socket would tell it late
        finally:
            self._over = True
            self._wake.set()

    def _receive(self, raw: bytes) -> None:
        """Hand one frame to the conversation and what it means to the driver; a lock goes first and straight."""
        conversation = self._conversation
        driver = self._driver
        now_ms = self._clock.ticks_ms()
        event = conversation.receive(raw, now_ms)
        if event == chip.LOCK:
            fields = conversation.fields
            driver.lock(fields["mode"], fields["id"], fields["reason"])
        if conversation.authentic:
            self._heard_ms = now_ms
            driver.heard()
        if event == chip.ACKED:
            self._spool.ack(conversation.acked)
        elif event in (chip.WELCOMED, chip.WELCOMED_AHEAD):
            self._welcomed(event == chip.WELCOMED_AHEAD)
        elif event == chip.TOKEN:
            driver.token(conversation.fields["token"], VIA_DOWNLINK)
        elif event == chip.ORDER:
            driver.order(conversation.type, conversation.fields["object"])
        elif event == chip.LIVE_CODE:
            driver.live_code(conversation.fields["answer"], conversation.fields["public"])
        elif event == chip.IDENTIFY:
            driver.identify(conversation.fields["seconds"])
        elif event == chip.QUERY:
            driver.query(conversation.fields["query"], conversation.fields["what"])
        if conversation.closed:
            self.error = conversation.reason
            self._over = True
        self._wake.set()

    def _welcomed(self, ahead: bool) -> None:
        """Begin where the collector ends, or with what is owed to one that is ahead."""
        conversation = self._conversation
        driver = self._driver
        self.connections += 1
        self.error = 0
        if conversation.time_fresh:
            driver.time_offered(conversation.time_s, conversation.time_ms, conversation.quality)
        self._cursor = driver.welcomed(conversation.high_water, ahead)
        held = driver.spool.next_held(self._cursor)
        if conversation.high_water < held < conversation.first:
            # The collector went back between two connections: at the heartbeat it would declare lost what is here.
            self._resume_at = held
            self._over = True
            return
        self._resume_at = 0
        self._changed = True
        driver.link_up()

    def _beat_every_ms(self) -> int:
        return self._driver.config.heartbeat_s * 1000

    def _beat_due(self, now_ms: int) -> bool:
        return self._changed or ticks_diff(now_ms, self._beat_ms) >= self._beat_every_ms()

    def _may_send(self) -> bool:
        in_flight = self._cursor - 1 - self._conversation.acked
        return self._cursor <= self._spool.highest and in_flight < WINDOW_FRAMES

    def _speak(self, writer: "Any") -> bool:
        """Write what is due, a burst at most; tell whether anything was written."""
        conversation = self._conversation
        driver = self._driver
        if conversation.state < dialogue.CHIP_WELCOMED:
            return False
        now_ms = self._clock.ticks_ms()
        spoke = False
        if self._beat_due(now_ms) or conversation.state == dialogue.CHIP_WELCOMED:
            self._changed = False
            self._beat_ms = now_ms
            beat: Any = driver.heartbeat()
            writer.write(conversation.volatile(messages.HEARTBEAT, beat, self._clock.stamp()))
            spoke = True
        answers: Any = ((messages.CHALLENGE, driver.take_challenge()), (messages.DIAGNOSTICS, driver.take_answer()))
        for type_, answer in answers:
            if answer is not None:
                writer.write(conversation.volatile(type_, answer, self._clock.stamp()))
                spoke = True
        for _ in range(BURST_FRAMES):
            if not self._may_send() or not self._send_next(writer):
                break
            spoke = True
        return spoke

    def _send_next(self, writer: "Any") -> bool:
        """Write the next durable frame; a hole that no gap record closes ends the connection."""
        spool = self._spool
        seq = spool.next_held(self._cursor)
        if not seq:
            return False
        raw = bytes(memoryview(self._buffer)[: spool.read(seq, self._buffer)])
        if not raw or not self._conversation.follows(raw):
            self._resume_at = seq if raw else seq + 1
            self._over = True
            return False
        self._conversation.sent(seq)
        writer.write(to_wire(raw))
        self._cursor = seq + 1
        return True

    def _drop(self) -> None:
        self._over = self._dropped = True
        if self._task is not None:
            self._task.cancel()
