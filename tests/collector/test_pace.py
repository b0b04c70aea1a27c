"""A chip that sends too fast is held back and told once a minute; nothing of it is lost, and nobody else waits."""

import asyncio
from typing import Any

from structlog.testing import capture_logs

from weldgate_collector.hub import Limits
from weldgate_collector.links.shared import SharedMedium
from weldgate_collector.pace import Pace
from weldgate_protocol.messages import HELLO

LIMITS = Limits(chip_bytes_s=10_000, chip_burst_bytes=30_000)


class Chip:
    """A connection as the pace sees it."""

    def __init__(self) -> None:
        self.device = b"\0\0\0\0\0\0\0\7"
        self.source = "a"
        self.credit = 100.0
        self.credit_s = self.heard_s = 0.0
        self.slow = False

    def slow_down(self, wanted: bool) -> None:
        """Note it."""
        self.slow = wanted


def test_credit_comes_back_with_time_as_far_as_the_burst() -> None:
    """Below it nobody is slowed down; above it the chip waits for what it has spent."""
    now = [0.0]
    pace, chip = Pace(10, 100, lambda: now[0]), Chip()

    chip.credit -= 150
    pace.spent(chip)
    assert chip.slow
    assert pace.slowed == [chip.device]
    now[0] = 4.0
    pace.sweep()
    assert chip.slow
    now[0] = 5.0
    pace.sweep()
    assert not chip.slow
    assert chip.heard_s == 5.0
    now[0] = 1_000.0
    chip.credit -= 90
    pace.spent(chip)
    assert not chip.slow
    assert chip.credit == 100
    assert pace.times == 1


def test_flooding_chip_is_held_back_and_the_others_are_not(house: Any, talker: Any) -> None:
    """Beyond its burst it waits for the collector's clock, costs one log line, and all of it is stored."""
    now = [0.0]

    async def scene() -> None:
        async with house(LIMITS, clock_s=lambda: now[0]) as h:
            flooding, other = talker(1), talker(2)
            await flooding.come_online(h.link)
            await other.come_online(h.link)
            with capture_logs() as lines:
                flooding.send(*(flooding.frame(seq) for seq in range(1, 401)))
                await flooding.acked(400)
                for first in range(401, 1_201, 100):
                    flooding.send(*(flooding.frame(seq) for seq in range(first, first + 100)))
                    for seq in (first // 100 * 2 - 7, first // 100 * 2 - 6):
                        other.send(other.frame(seq))
                    await other.acked(first // 100 * 2 - 6)
                assert h.hub.pace.slowed == [flooding.device]
                held = flooding.conversation.acked
                assert held < 1_200
                now[0] += 10.0
                h.hub.sweep()
                await flooding.acked(1_200)

            assert h.hub.pace.slowed == [flooding.device]  # the last piece is not paid for yet
            assert [record.seq for record in h.records(device=1, kind=1)] == list(range(1, 1_201))
            told = [line for line in lines if line["event"] == "chip_flooding"]
            assert len(told) == 1
            assert told[0]["device"] == "1"
            assert h.hub.online == 2

    asyncio.run(scene())


class Bus:
    """The chips' side of one shared medium."""

    def __init__(self, accept: Any) -> None:
        self.chips: dict[str, Any] = {}
        self.medium = SharedMedium("bus", 10, lambda chip, data: self.chips[chip].received(data))
        self.medium.start(accept)

    def connect(self, chip: Any, _source: str) -> "Wire":
        """Put a chip on it."""
        name = str(int.from_bytes(chip.device, "big"))
        self.chips[name] = chip
        return Wire(self.medium, name)


class Wire:
    """One chip's end."""

    def __init__(self, medium: SharedMedium, name: str) -> None:
        self._medium = medium
        self._name = name

    def send(self, data: bytes) -> None:
        """Put it on the medium."""
        self._medium.take(self._name, data[2] == HELLO, data)


def test_flooding_chip_on_a_shared_medium_is_held_back_alone(house: Any, talker: Any) -> None:
    """What came for it meanwhile is kept in order; its neighbour on the same medium goes on."""
    now = [0.0]

    async def scene() -> None:
        async with house(LIMITS, clock_s=lambda: now[0]) as h:
            bus = Bus(h.hub.accept)
            flooding, other = talker(1), talker(2)
            await flooding.come_online(bus)
            await other.come_online(bus)
            for first in range(1, 601, 50):
                flooding.send(*(flooding.frame(seq) for seq in range(first, first + 50)))
            assert h.hub.pace.slowed == [flooding.device]
            assert bus.medium.held_back("1")
            assert bus.medium.held_bytes
            other.send(other.frame(1))
            await other.acked(1)
            assert not bus.medium.held_back("2")
            while flooding.conversation.acked < 600:
                held = bus.medium.held_bytes
                now[0] += 10.0
                h.hub.sweep()
                await asyncio.sleep(0)
                assert not held or bus.medium.held_bytes < held
                if not bus.medium.held_bytes:
                    await flooding.acked(600)

            assert [record.seq for record in h.records(device=1, kind=1)] == list(range(1, 601))
            assert (h.hub.online, bus.medium.overfull) == (2, 0)
            bus.medium.stop()

    asyncio.run(scene())


def test_heartbeats_are_charged_for_what_they_cost(house: Any, talker: Any, eventually: Any) -> None:
    """A flood of them is held back long before its bytes are many."""

    async def scene() -> None:
        async with house(LIMITS) as h:
            chip = talker(1)
            await chip.come_online(h.link)
            for _ in range(20):
                chip.heartbeat()
            await eventually(lambda: h.hub.pace.slowed == [chip.device])

    asyncio.run(scene())
