"""The MQTT link: modules publish their chip's frames, one or a few whole ones a publish, and subscribe to the answers.

The topic names the chip, so that the broker's rights say who may speak for it; that the chip is who it claims is
proved by its tags, as on any link. QoS 0 both ways: an ack is a frame and follows the commit, whatever the broker did.
One connection to the broker for all chips; when it is lost every conversation is over, and begins again by hellos.
"""

import asyncio
import random
import ssl
from collections.abc import Callable
from typing import cast

import structlog

from weldgate_protocol.errors import WeldgateError
from weldgate_protocol.messages import HELLO

from .. import mqtt_packets as packets
from ..chips import device_bytes
from ..config import MqttSection
from .base import Accept, LinkStatus
from .shared import SharedMedium

__all__ = ["MqttLink"]

_log = structlog.get_logger("weldgate.links.mqtt")

_KEEPALIVE_S = 30
_ANSWER_S = 10.0  # for the connection, CONNACK and SUBACK together
_GOODBYE_S = 1.0  # for the last words, when we are stopped
_BACKOFF_FIRST_S = 0.25
_PAYLOAD_MAX = 64 * 1024  # of one publish: 30 of the largest frames
_UNSENT_MAX = 4 << 20  # bytes that a slow broker may leave with us before it is dropped
_HELD_MAX = 8 << 20  # bytes that wait for paused chips before the broker is held back as a whole
_TOPICS_MAX = 50_000  # topics whose chip is remembered
_DELIMITER = b"\x7e"


class MqttLink:
    """Chips behind a broker. Attribute ``subscription`` is the topic with a wildcard for the chip."""

    name = "mqtt"

    def __init__(self, settings: MqttSection, collector: str, password: Callable[[], str], ca_file: str) -> None:
        """Remember where the broker is.

        Args:
            settings: the section of the configuration.
            collector: this collector's name, in the topics.
            password: the broker's, asked for at each connection, so that a new one needs no restart; empty for none.
            ca_file: with it, TLS; read at each connection likewise.

        Raises:
            OSError: the certificate authority's file can't be used.
        """
        self._settings = settings
        self._client_id = settings.client_id or f"{collector}-chips"
        self._password = password
        self._ca_file = ca_file
        self._context()  # says now what can't be used
        up, down = (text.replace("{collector}", collector) for text in (settings.up_topic, settings.down_topic))
        self.subscription = up.replace("{device}", "+")
        self._up = tuple(part.encode() for part in up.split("{device}"))
        self._down = tuple(part.encode() for part in down.split("{device}"))
        self._medium = SharedMedium(self.name, settings.max_connections, self._send)
        self._medium.relieved = self._relieved
        self._chips: dict[bytes, str] = {}  # topic: chip, empty for none
        self._session: _Session | None = None
        self._task: asyncio.Task[None] | None = None
        self._faults = 0
        self._trouble = "not connected yet"

    async def start(self, accept: Accept) -> None:
        """Connect to the broker, now or as soon as it can be reached."""
        self._medium.start(accept)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Say goodbye to every chip, and to the broker."""
        self._medium.stop()
        session = self._session
        if session is not None:
            session.leave()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if session is not None:
            await session.gone(_GOODBYE_S)
        await asyncio.sleep(0)

    def status(self) -> LinkStatus:
        """Return the present state; ``faults`` counts lost brokers and messages that were no frames."""
        up = self._session is not None and self._session.ready.is_set()
        refused = self._medium.refused + self._medium.overfull
        trouble = self._trouble
        if not trouble and self._medium.unheard():
            user, topic = self._settings.username or self._client_id, self._settings.down_topic
            trouble = f"chips say hello and none hears the answer: may `{user}` publish to `{topic}`, and they read it?"
        return LinkStatus(self.name, up, len(self._medium), refused, self._faults, trouble)

    def describe(self) -> str:
        """Say what it is and where."""
        how = " by TLS" if self._ca_file else ""
        return f"{self.name} at {self._settings.host}:{self._settings.port}{how}, {self.subscription}"

    async def _run(self) -> None:
        backoff_s = _BACKOFF_FIRST_S
        while True:
            try:
                await self._hold()
            except (OSError, ValueError, WeldgateError) as error:
                trouble = str(error) or type(error).__name__
            else:
                trouble = "broker closed the connection"
            if self._session is not None and self._session.ready.is_set():
                backoff_s = _BACKOFF_FIRST_S
            self._session = None
            self._faults += 1
            if trouble != self._trouble:
                _log.warning("mqtt_disconnected", host=self._settings.host, reason=trouble)
            self._trouble = trouble
            self._medium.drop()
            await asyncio.sleep(random.uniform(backoff_s / 2, backoff_s))  # noqa: S311 - jitter, not a secret
            backoff_s = min(backoff_s * 2, self._settings.backoff_max_s)

    def _context(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=self._ca_file) if self._ca_file else None

    async def _hold(self) -> None:
        """Hold one connection to the broker until it ends."""
        settings, context = self._settings, self._context()
        loop = asyncio.get_running_loop()
        hello = packets.encode_connect(self._client_id, settings.username, self._password(), _KEEPALIVE_S)
        hello += packets.encode_subscribe(1, self.subscription)
        async with asyncio.timeout(_ANSWER_S):
            _, session = await loop.create_connection(
                lambda: _Session(self, hello), settings.host, settings.port, ssl=context
            )
            self._session = session
            try:
                await session.ready.wait()
            except asyncio.CancelledError:
                session.abort()
                raise
        if not session.over.is_set():
            self._trouble = ""
            _log.info("mqtt_connected", host=settings.host, topic=self.subscription)
        try:
            while not session.over.is_set():
                session.tick()
                try:
                    async with asyncio.timeout(_KEEPALIVE_S / 2):
                        await session.over.wait()
                except TimeoutError:
                    continue
        finally:
            session.abort()
        if session.trouble:
            raise OSError(session.trouble)

    def came(self, topic: bytes, payload: bytes) -> bool:
        """Take one publish; False when the broker has to be held back."""
        chip = self._chips.get(topic)
        if chip is None:
            chip = self._chip_of(topic)
        if not chip or len(payload) > _PAYLOAD_MAX or payload[:1] != _DELIMITER or payload[-1:] != _DELIMITER:
            self._faults += 1
        else:
            # Version and direction in byte 1 never need stuffing, so a hello's type stands in byte 2.
            self._medium.take(chip, payload[2:3] == _HELLO_BYTE, payload)
        return self._medium.held_bytes <= _HELD_MAX

    def _chip_of(self, topic: bytes) -> str:
        """Return the chip that a topic names, empty when it names none; remembered, since few topics carry all."""
        before, after = self._up
        name = topic[len(before) : len(topic) - len(after)].decode("ascii", "replace")
        fits = topic.startswith(before) and topic.endswith(after) and device_bytes(name) is not None
        if len(self._chips) >= _TOPICS_MAX:
            self._chips.clear()
        self._chips[topic] = chip = name if fits else ""
        return chip

    def _send(self, chip: str, data: bytes) -> None:
        if self._session is not None:
            before, after = self._down
            self._session.send(packets.encode_publish(before + chip.encode() + after, data))

    def _relieved(self) -> None:
        if self._session is not None and self._medium.held_bytes <= _HELD_MAX // 2:
            self._session.resume()


class _Session(asyncio.Protocol):
    """One connection to the broker."""

    def __init__(self, link: MqttLink, hello: bytes) -> None:
        self.ready = asyncio.Event()  # subscribed, or over
        self.over = asyncio.Event()
        self.trouble = ""
        self._link = link
        self._hello = hello
        self._stream = packets.PacketStream()
        self._transport: asyncio.Transport | None = None
        self._heard = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(_UNSENT_MAX)
        self._transport.write(self._hello)

    def data_received(self, data: bytes) -> None:
        self._heard = True
        try:
            going = True
            for first, body in self._stream.feed(data):
                if first & 0xF0 == packets.PUBLISH:
                    topic, payload, _ = packets.read_publish(first, body)
                    going = self._link.came(topic, payload)
                else:
                    self._answered(first, body)
        except ValueError as error:
            self._fail(f"broker speaks no MQTT: {error}")
            return
        if not going and self._transport is not None:
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.trouble = self.trouble or (str(exc) if exc is not None else "")
        self.over.set()
        self.ready.set()

    def pause_writing(self) -> None:
        self._fail("broker takes nothing any more")

    def send(self, data: bytes) -> None:
        """Send a packet."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def resume(self) -> None:
        """Read again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def tick(self) -> None:
        """Ask for a sign of life, or end a connection that gave none since the last time."""
        if not self._heard and self._transport is not None and self._transport.is_reading():
            self._fail("broker is silent")
        self._heard = False
        self.send(packets.PINGREQ)

    def leave(self) -> None:
        """Disconnect as MQTT wishes it; what was sent before still leaves."""
        self.send(packets.DISCONNECT)
        if self._transport is not None:
            self._transport.close()

    async def gone(self, patience_s: float) -> None:
        """Wait for the end of the connection, and make it one when it takes too long."""
        try:
            async with asyncio.timeout(patience_s):
                await self.over.wait()
        except TimeoutError:
            if self._transport is not None:
                self._transport.abort()
            await self.over.wait()

    def abort(self) -> None:
        """Drop the connection, unless it is closing already."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.abort()

    def _answered(self, first: int, body: bytes) -> None:
        if first & 0xF0 == packets.CONNACK:
            if fault := packets.connack_fault(body):
                self._fail(f"broker refuses: {fault}")
        elif first & 0xF0 == packets.SUBACK:
            if body[2:3] == b"\x80":
                self._fail(f"broker denies the subscription {self._link.subscription}")
            else:
                self.ready.set()

    def _fail(self, trouble: str) -> None:
        self.trouble = self.trouble or trouble
        if self._transport is not None:
            self._transport.abort()


_HELLO_BYTE = bytes([HELLO])
