"""The bridge's ends: a publisher that honours acks, a consumer that acknowledges what it committed."""

import asyncio
import sqlite3
from pathlib import Path

from weldgate_simulator.big_bridge_ends import Publisher, Subscriber
from weldgate_simulator.mqtt_bytes import cut_packets
from weldgate_simulator.upstream import connect


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.data = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep it."""
        self.data += data

    def taken(self) -> list[tuple[int, bytes]]:
        """Return the packets that were written since."""
        return cut_packets(self.data)


def test_publisher_keeps_its_window_and_ends_with_the_last_ack() -> None:
    """It sends no more than 256 without an ack."""

    async def scene() -> None:
        wire, publisher = Wire(), Publisher(7, [b"%3d" % number for number in range(300)])
        publisher.connection_made(wire)
        assert wire.taken()[0][0] == 0x10
        publisher.data_received(b"\x20\x02\x00\x00")
        first = wire.taken()
        assert [(kind, body[2:10], body[-3:]) for kind, body in first[:1]] == [(0x32, b"bridge/7", b"  0")]
        assert len(first) == 256
        publisher.data_received(b"\x40\x02\x00\x01" * 256)
        assert len(wire.taken()) == 44
        assert not publisher.done.done()
        publisher.data_received(b"\x40\x02\x00\x01" * 44)
        assert publisher.done.done()

    asyncio.run(scene())


def test_subscriber_acknowledges_what_is_committed(tmp_path: Path) -> None:
    """Not before; a publish that comes again is there once."""

    async def scene() -> None:
        wire, database = Wire(), connect(str(tmp_path / "frames.sqlite3"))
        subscriber = Subscriber(database)
        subscriber.connection_made(wire)
        subscriber.data_received(b"\x20\x02\x00\x00\x90\x03\x00\x01\x01")
        assert [kind for kind, _ in wire.taken()] == [0x10, 0x82]
        raw = b"\x2a\x45" + bytes(7) + b"\x07" + bytes(4) + bytes(3) + b"\x05" + bytes(20)
        publish = b"\x32" + bytes([5 + len(raw)]) + b"\x00\x01t\x00\x09" + raw
        subscriber.data_received(publish + publish)
        assert wire.taken() == []
        await asyncio.sleep(0)
        assert wire.taken() == [(0x40, b"\x00\x09")] * 2
        database.close()

    asyncio.run(scene())
    connection = sqlite3.connect(tmp_path / "frames.sqlite3")
    assert connection.execute("SELECT device, epoch, seq FROM frames").fetchall() == [(7, 0, 5)]
    connection.close()
