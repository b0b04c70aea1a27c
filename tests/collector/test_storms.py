"""What strangers and broken peers can do to a whole collector over TCP, from several addresses of this machine."""

import asyncio
import json
import secrets
import socket
from pathlib import Path
from typing import Any

import pytest

from weldgate_collector import Service, add_chips, load_config
from weldgate_collector.chips import Chip
from weldgate_collector.hub import Limits
from weldgate_collector.links import tcp as tcp_module
from weldgate_collector.links.tcp import TcpLink
from weldgate_protocol.conversation_chip import ChipConversation
from weldgate_protocol.keys import HmacKey

HELLO: dict[str | int, Any] = {
    "oldest": 1, "highest": 0, "boot": 1, "firmware": "t", "profile": "t", "key_set_version": 1, "config_version": 1,
    "revocations_version": 1,
}  # fmt: skip


def bad_hello() -> bytes:
    """Return the hello of chip 9 under a key that nobody knows."""
    conversation = ChipConversation(
        (9).to_bytes(8, "big"), HmacKey(secrets.token_bytes(32)), secrets.token_bytes(32), 1
    )
    return conversation.start(secrets.token_bytes(16), HELLO, secrets.token_bytes(4), (1_800_000_000, 0, 2), 0)


async def attempt(port: int, source: str) -> bytes:
    """Say hello from an address and return all that is answered until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    try:
        writer.write(bad_hello())
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def test_wrong_tags_are_counted_by_source_closed_and_throttled_by_address(tmp_path: Path) -> None:
    """Three attempts from one address keep it out, the neighbour's first is still answered; all of it is shown."""
    path = tmp_path / "collector.toml"
    path.write_text('[collector]\nname = "t"\n[tcp]\nhost = "127.0.0.1"\nport = 0\n', "utf-8")
    config = load_config(path)
    add_chips(config.chips_file, [Chip("9", 1, secrets.token_hex(32), secrets.token_hex(32))])

    async def scene() -> None:
        service = Service(config)
        await service.start()
        try:
            assert service.tcp is not None
            port = service.tcp.port
            answers = [await attempt(port, "127.0.0.5") for _ in range(5)]
            neighbour = await attempt(port, "127.0.0.6")
            health = json.loads(json.dumps(service.health()))
            text = service._refreshed().text().decode()
        finally:
            await service.stop()

        assert [bool(answer) for answer in answers] == [True, True, True, False, False]
        assert neighbour
        assert health["bad_tag_sources"] == [
            {"source": "127.0.0.5", "bad_tags": 3, "throttled": True},
            {"source": "127.0.0.6", "bad_tags": 1, "throttled": False},
        ]
        assert health["refused"] == 2
        assert 'weldgate_source_bad_tags{source="127.0.0.5"} 3.0' in text
        assert "weldgate_sources_throttled 1.0" in text

    asyncio.run(scene())


def test_other_bounds_hold_from_a_reload_on(house: Any, talker: Any) -> None:
    """For who comes then; who is there stays, but for strangers above the bound, of whom the oldest goes."""

    async def scene() -> None:
        async with house() as h:
            online, first, second = talker(1), talker(2), talker(3)
            await online.come_online(h.link)
            await first.connect(h.link)
            h.hub.limit(Limits(max_unauthenticated=1, throttle_s=5.0, chip_bytes_s=2_000, chip_burst_bytes=20_000))
            await second.connect(h.link)
            await first.until(lambda: first.is_closed)

            assert not online.is_closed
            assert not second.is_closed
            assert (h.hub.sources.throttle_s, h.hub.pace.rate_bytes_s) == (5.0, 2_000)

    asyncio.run(scene())


class Deaf:
    """A peer of the collector's side that only notes its end."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    def received(self, data: bytes) -> None:
        """Take bytes."""

    def closed(self) -> None:
        """Note the end."""
        self.ended.set()


def test_reader_that_takes_nothing_does_not_outlive_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is closed with bytes still waiting for it: they are dropped after a while, and the socket is free."""
    monkeypatch.setattr(tcp_module, "_LINGER_S", 0.05)

    async def scene() -> None:
        link = TcpLink("127.0.0.1", 0, 10)
        deaf, made = Deaf(), asyncio.Event()
        connections: list[Any] = []

        def accept(connection: Any) -> Deaf:
            connections.append(connection)
            made.set()
            return deaf

        await link.start(accept)
        try:
            with socket.socket() as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
                sock.connect(("127.0.0.1", link.port))
                await asyncio.wait_for(made.wait(), 20)
                (connection,) = connections
                if hasattr(socket, "TCP_USER_TIMEOUT"):  # half-open connections end by it
                    ours = connection._transport.get_extra_info("socket")
                    assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 90_000
                while not connection._transport.get_write_buffer_size():
                    connection.send(bytes(65_536))
                connection.close()
                assert not deaf.ended.is_set()
                await asyncio.wait_for(deaf.ended.wait(), 20)
        finally:
            await link.stop()

    asyncio.run(scene())
