"""What comes again while it is still looked up, or cannot be looked up."""

import asyncio
import sqlite3
import threading
from typing import Any


def test_frame_that_turns_up_on_two_connections_is_stored_once(
    house: Any, talker: Any, eventually: Any, full_disk: Any
) -> None:
    """A frame declared lost comes after all, and again on a new connection while it is still looked up: one row."""

    async def scene() -> None:
        async with house(seam=full_disk.seam) as h:
            first, second = talker(1), talker(1)
            await first.come_online(h.link, oldest=4, highest=4)
            first.send(first.frame(4))
            await first.acked(4)
            looked_up = threading.Event()
            h.hub._lookups.submit(looked_up.wait, 20)  # as a scan of a large store takes its time
            first.send(first.frame(2))
            await second.come_online(h.link, oldest=4, highest=4)
            await first.until(lambda: first.is_closed)
            await eventually(lambda: h.writer.backlog == 0)
            second.send(second.frame(2))
            full_disk.full = True
            looked_up.set()
            await eventually(lambda: bool(h.writer.trouble))
            full_disk.full = False
            second.send(second.frame(5))
            await second.acked(5)
            assert sorted(record.seq for record in h.records(kind=1)) == [2, 4, 5]

    asyncio.run(scene())


def test_look_up_that_fails_costs_the_connection_only(house: Any, talker: Any) -> None:
    """Without descriptors, for one, nothing is compared: the chip is let go at once, and is served when it returns."""

    async def scene() -> None:
        async with house() as h:
            chip = talker(1)
            await chip.come_online(h.link)
            chip.send(chip.frame(1))
            await chip.acked(1)
            open_reader = h.hub._open_reader

            def fails() -> None:
                raise sqlite3.OperationalError("unable to open database file")

            h.hub._open_reader = fails
            chip.send(chip.frame(1))
            await chip.until(lambda: chip.is_closed)
            h.hub._open_reader = open_reader
            again = talker(1)
            await again.come_online(h.link, highest=1)
            again.send(again.frame(1), again.frame(2))
            await again.acked(2)
            assert [record.seq for record in h.records(kind=1)] == [1, 2]

    asyncio.run(scene())


def test_chip_whose_repeats_are_looked_up_is_not_silent(house: Any, talker: Any, eventually: Any) -> None:
    """We stopped reading from it: a look-up of minutes costs it nothing, and its ack comes after all."""
    now_s = [0.0]

    async def scene() -> None:
        async with house(clock_s=lambda: now_s[0]) as h:
            chip = talker(1)
            await chip.come_online(h.link)
            chip.send(chip.frame(1))
            await chip.acked(1)
            looked_up = threading.Event()
            h.hub._lookups.submit(looked_up.wait, 20)
            chip.send(chip.frame(1))
            await eventually(lambda: bool(h.hub._tasks))
            for _ in range(5):
                now_s[0] += 60
                h.hub.sweep()
            looked_up.set()
            chip.send(chip.frame(2))
            await chip.acked(2)
            assert not chip.is_closed

    asyncio.run(scene())
