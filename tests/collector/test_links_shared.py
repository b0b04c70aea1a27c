"""Many chips on one medium: whose bytes are whose, what a hello begins, and what is bounded."""

import asyncio
from collections.abc import Callable

from weldgate_collector.links import shared
from weldgate_collector.links.base import Connection
from weldgate_collector.links.shared import SharedMedium
from weldgate_protocol.bus import encode_goodbye
from weldgate_protocol.reasons import WIRE_UNEXPECTED


class Peer:
    """The collector's side, which remembers."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.heard = b""
        self.ends = 0
        self.on_data: Callable[[], None] = lambda: None

    def received(self, data: bytes) -> None:
        """Remember."""
        self.heard += data
        self.on_data()

    def closed(self) -> None:
        """Count."""
        self.ends += 1


class World:
    """A medium with its peers and a clock."""

    def __init__(self, max_connections: int = 10) -> None:
        self.now_s = 100.0
        self.sent: list[tuple[str, bytes]] = []
        self.peers: list[Peer] = []
        self.medium = SharedMedium(
            "bus", max_connections, lambda chip, data: self.sent.append((chip, data)), lambda: self.now_s
        )
        self.medium.start(self.accept)

    def accept(self, connection: Connection) -> Peer:
        """Take a connection."""
        self.peers.append(Peer(connection))
        return self.peers[-1]


async def turn() -> None:
    """Let the loop go round."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def test_each_chip_has_a_connection_of_its_own() -> None:
    """Bytes go to their chip's peer and answers to their chip; a source names both link and chip."""

    async def scene() -> None:
        world = World()
        world.medium.take("1", True, b"a")
        world.medium.take("2", True, b"b")
        world.medium.take("1", False, b"c")
        world.peers[0].connection.send(b"x")
        world.peers[1].connection.send(b"y")
        assert [peer.heard for peer in world.peers] == [b"ac", b"b"]
        assert world.sent == [("1", b"x"), ("2", b"y")]
        assert world.peers[0].connection.source == "bus/1"

    asyncio.run(scene())


def test_hello_ends_the_old_connection_and_begins_a_new_one() -> None:
    """What the old one still wants to say is not said; each end is told once; a close by us is told to the chip.

    (M-BUS-06)
    """

    async def scene() -> None:
        world = World()
        world.medium.take("1", True, b"old")
        world.medium.take("1", True, b"new")
        world.peers[0].connection.send(b"too late")
        await turn()
        assert [(peer.heard, peer.ends) for peer in world.peers] == [(b"old", 1), (b"new", 0)]
        assert world.sent == []
        world.medium.stop()
        assert [chip for chip, _ in world.sent] == ["1"]
        assert world.sent[0][1] == encode_goodbye((1).to_bytes(8, "big"), ord("e"), WIRE_UNEXPECTED)
        world.peers[1].connection.close()
        await turn()
        assert [peer.ends for peer in world.peers] == [1, 1]
        world.medium.take("1", True, b"after")
        assert len(world.peers) == 2

    asyncio.run(scene())


def test_paused_connection_keeps_its_bytes_in_order_and_within_a_bound() -> None:
    """Pausing one chip holds back no other; too much closes the connection, so that it comes again."""

    async def scene() -> None:
        world = World()
        world.medium.take("1", True, b"0")
        world.peers[0].connection.pause()
        assert world.medium.held_back("1")
        world.medium.take("1", False, b"1")
        world.medium.take("2", True, b"other")
        world.peers[0].connection.resume()
        world.medium.take("1", False, b"2")
        assert world.peers[0].heard == b"0"
        await turn()
        assert (world.peers[0].heard, world.peers[1].heard) == (b"012", b"other")
        world.peers[0].connection.pause()
        for _ in range(3):
            world.medium.take("1", False, bytes(shared._HELD_MAX // 2))
        await turn()
        assert (world.peers[0].ends, world.peers[1].ends, world.medium.overfull) == (1, 0, 1)

    asyncio.run(scene())


def test_pausing_while_the_kept_is_handed_over_stops_there() -> None:
    """The rest waits for the next resume."""

    async def scene() -> None:
        world = World()
        world.medium.take("1", True, b"0")
        peer = world.peers[0]
        peer.connection.pause()
        for data in (b"1", b"2", b"3"):
            world.medium.take("1", False, data)
        peer.on_data = peer.connection.pause
        peer.connection.resume()
        await turn()
        assert peer.heard == b"01"
        peer.on_data = lambda: None
        peer.connection.resume()
        await turn()
        assert peer.heard == b"0123"

    asyncio.run(scene())


def test_floods_are_bounded_and_counted() -> None:
    """A chip's hellos in a row, more chips than allowed, more new ones than a town has: others are unharmed."""

    async def scene() -> None:
        world = World(max_connections=2)
        for _ in range(100):
            world.medium.take("1", True, b"h")
        assert (len(world.peers), world.medium.refused) == (5, 95)
        world.medium.take("2", True, b"h")
        world.medium.take("3", True, b"h")
        assert (len(world.medium), world.medium.refused) == (2, 96)
        world.now_s += 0.25
        world.medium.take("1", True, b"again")
        assert world.peers[-1].heard == b"again"
        wide = World(max_connections=10**6)
        for number in range(20_000):
            wide.medium.take(str(number), True, b"?")
        assert (len(wide.medium), wide.medium.refused) == (16_000, 4_000)
        wide.now_s += 1
        wide.medium.take("new", True, b"h")
        assert wide.peers[-1].heard == b"h"
        for number in range(20_000):
            wide.medium.take(f"x{number}", True, b"?")
        assert len(wide.medium._allowed._chips) == 10_000

    asyncio.run(scene())


def test_chip_without_a_connection_is_told_to_begin_anew() -> None:
    """After our restart a chip goes on as if nothing were; it opens nothing, and hears it once a second."""

    async def scene() -> None:
        world = World()
        for _ in range(50):
            world.medium.take("7", False, b"~$data")
        assert (world.peers, world.medium.refused) == ([], 50)
        assert world.sent == [("7", encode_goodbye((7).to_bytes(8, "big"), ord("$"), WIRE_UNEXPECTED))]
        world.now_s += 1
        world.medium.take("7", False, b"~$data")
        assert len(world.sent) == 2

    asyncio.run(scene())


def test_connection_refused_while_it_is_accepted_hears_nothing() -> None:
    """A throttled chip's connection is closed within ``accept``; it is told of the end and gets no byte."""

    async def scene() -> None:
        world = World()

        def accept(connection: Connection) -> Peer:
            peer = world.accept(connection)
            connection.close()
            return peer

        world.medium.start(accept)
        world.medium.take("1", True, b"h")
        await turn()
        assert (world.peers[0].heard, world.peers[0].ends, len(world.medium)) == (b"", 1, 0)

    asyncio.run(scene())


def test_answers_that_nobody_hears_are_noticed() -> None:
    """A hello was answered, and for long nothing followed from any chip; one that goes on shows that answers arrive."""

    async def scene() -> None:
        world = World()
        world.medium.take("1", True, b"hello")
        world.now_s += 100
        assert not world.medium.unheard()  # not answered yet: that is our own slowness
        world.peers[0].connection.send(b"welcome")
        world.now_s += 19
        assert not world.medium.unheard()
        world.medium.take("1", True, b"hello again")
        world.now_s += 2
        assert world.medium.unheard()

        world.medium.take("2", True, b"hello")
        world.peers[2].connection.send(b"welcome")
        world.medium.take("2", False, b"heartbeat")
        assert not world.medium.unheard()  # it is the one chip that is gone, not the way to all of them

        world.now_s += 1
        world.medium.take("3", True, b"hello")
        world.peers[3].connection.send(b"rejected")
        world.peers[3].connection.close()
        world.now_s += 100
        assert not world.medium.unheard()  # whoever was turned away has nothing to say

    asyncio.run(scene())
