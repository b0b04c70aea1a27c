"""The MQTT link against a broker that misbehaves: each fault is named, bounded, and followed by another try."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from weldgate_collector import mqtt_packets
from weldgate_collector.config import MqttSection
from weldgate_collector.links import mqtt
from weldgate_collector.links.base import Connection
from weldgate_collector.links.mqtt import MqttLink
from weldgate_simulator.broker import NatsBroker
from weldgate_simulator.certificates import Authority

CONNACK, SUBACK = b"\x20\x02\x00\x00", b"\x90\x03\x00\x01\x00"
HELLO = b"~\x26\x01hello~"


class Peer:
    """The collector's side of one chip."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.heard = b""
        self.ends = 0

    def received(self, data: bytes) -> None:
        """Remember."""
        self.heard += data

    def closed(self) -> None:
        """Count."""
        self.ends += 1


class Broker:
    """A broker of a few lines: what it answers, and whether it reads, is the test's to say."""

    def __init__(self, answer: bytes, deaf: bool = False) -> None:
        self.answer = answer
        self.deaf = deaf
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.writers.append(writer)
        await reader.read(1000)
        writer.write(self.answer)
        if self.deaf:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
        while not self.deaf and await reader.read(65_536):
            pass


def play(broker: Broker, scene: Callable[[MqttLink, list[Peer]], Awaitable[None]]) -> None:
    """Run a scene with a link at a broker."""

    async def whole() -> None:
        server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        link = MqttLink(MqttSection(port=port, backoff_max_s=0.05), "t", str, "")
        peers: list[Peer] = []

        def accept(connection: Connection) -> Peer:
            peers.append(Peer(connection))
            return peers[-1]

        await link.start(accept)
        try:
            async with asyncio.timeout(20):
                await scene(link, peers)
        finally:
            await link.stop()
            for writer in broker.writers:
                writer.transport.abort()
            server.close()

    asyncio.run(whole())


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so that no event tells of."""
    while not true():
        await asyncio.sleep(0.001)


def publish(chip: int, payload: bytes) -> bytes:
    """Return a publish of a chip's module."""
    return mqtt_packets.encode_publish(f"weldgate/1/t/chip/{chip}/up".encode(), payload)


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (b"\x20\xff\xff\xff\xff\x01", "speaks no MQTT"),
        (b"\x20\x02\x00\x05", "refuses: not authorized"),
        (b"\x20\x00", "refuses: an answer that is no CONNACK"),
        (CONNACK + b"\x90\x03\x00\x01\x80", "denies the subscription weldgate/1/t/chip/\\+/up"),
        (CONNACK + SUBACK + b"\x30\x01\x00", "speaks no MQTT"),
    ],
)
def test_broker_that_is_none_or_refuses_is_named(answer: bytes, trouble: str) -> None:
    """The state says what is wrong, and the link tries again."""

    async def scene(link: MqttLink, _peers: list[Peer]) -> None:
        await until(lambda: link.status().faults >= 2)
        assert trouble.replace("\\", "") in link.status().trouble

    play(Broker(answer), scene)


def test_broker_that_takes_nothing_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for a slow broker is bounded; its chips begin anew."""
    monkeypatch.setattr(mqtt, "_UNSENT_MAX", 100_000)

    async def scene(link: MqttLink, peers: list[Peer]) -> None:
        await until(lambda: bool(peers))
        for _ in range(1_000):
            peers[0].connection.send(bytes(60_000))
            if not link.status().up:
                break
            await asyncio.sleep(0)
        await until(lambda: peers[0].ends == 1)
        assert "takes nothing" in link.status().trouble

    play(Broker(CONNACK + SUBACK + publish(7, HELLO), deaf=True), scene)


def test_silent_broker_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that is gone without a word is found by its silence."""
    monkeypatch.setattr(mqtt, "_KEEPALIVE_S", 0.02)
    monkeypatch.setattr(mqtt_packets, "encode_connect", lambda *_: b"\x10\x00")

    async def scene(link: MqttLink, _peers: list[Peer]) -> None:
        await until(lambda: "silent" in link.status().trouble)

    play(Broker(CONNACK + SUBACK), scene)


def test_broker_that_answers_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connected is not subscribed: the answer has its time too."""
    monkeypatch.setattr(mqtt, "_ANSWER_S", 0.05)

    async def scene(link: MqttLink, _peers: list[Peer]) -> None:
        await until(lambda: link.status().faults >= 2)
        assert not link.status().up
        assert link.status().trouble

    play(Broker(b""), scene)


def test_what_waits_for_paused_chips_holds_the_broker_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the store behind, the broker is not read from any more; when it goes on, nothing is missing."""
    monkeypatch.setattr(mqtt, "_HELD_MAX", 400_000)
    broker = Broker(CONNACK + SUBACK)

    async def scene(link: MqttLink, peers: list[Peer]) -> None:
        await until(lambda: link.status().up)
        writer = broker.writers[0]
        for chip in range(40):
            writer.write(publish(chip, HELLO))
        await until(lambda: len(peers) == 40)
        for peer in peers:
            peer.connection.pause()
        body = b"~" + b"x" * 29_998 + b"~"
        for _ in range(2):
            for chip in range(40):
                writer.write(publish(chip, body))
        await until(lambda: link._medium.held_bytes > 400_000)
        session = link._session
        assert session is not None
        assert session._transport is not None
        await until(lambda: not session._transport.is_reading())
        assert link._medium.held_bytes < 1_200_000
        for peer in peers:
            peer.connection.resume()
        await until(lambda: all(peer.heard == HELLO + body * 2 for peer in peers))
        assert link._medium.held_bytes == 0

    play(broker, scene)


@pytest.mark.broker
def test_broker_by_tls(tmp_path: Path) -> None:
    """With an authority's file the broker is reached by TLS, and its certificate is checked."""
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    with NatsBroker(tmp_path / "broker", tls=authority.issue("broker")) as broker:

        async def connects(ca_file: Path) -> tuple[bool, str]:
            link = MqttLink(MqttSection(host="127.0.0.1", port=broker.port), "t", str, str(ca_file))
            await link.start(Peer)
            try:
                await asyncio.wait_for(until(lambda: link.status().up or link.status().faults > 0), 20)
                return link.status().up, link.status().trouble
            finally:
                await link.stop()

        assert asyncio.run(connects(authority.file)) == (True, "")
        up, trouble = asyncio.run(connects(other.file))
    assert not up
    assert "certificate" in trouble.lower()
