"""Bounds of the downlink: how many orders wait, how long ended ones are kept, askers who give up."""

import asyncio
import time
from typing import Any

import pytest
from tests.collector.test_downlink import order

from weldgate_collector import downlink
from weldgate_collector.errors import OrderError
from weldgate_collector.orders import (
    APPLIED,
    REFUSED,
    SENT,
)
from weldgate_protocol import messages
from weldgate_protocol.conversation_chip import ORDER


def test_too_many_orders_for_one_chip_are_refused(house: Any) -> None:
    """The queue is bounded."""

    async def scene() -> None:
        async with house() as h:
            for number in range(64):
                await h.downlink.put(order(number))
            with pytest.raises(OrderError, match="too many"):
                await h.downlink.put(order(64))

    asyncio.run(scene())


def test_ended_orders_are_forgotten_in_time(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens when none can be valid any more, others later, a few at a time: years make no heap of them."""
    monkeypatch.setattr(downlink, "_FORGET_ROWS", 3)
    day_s = 86_400
    clock_s = [0.0]

    async def scene() -> None:
        async with house(clock_s=lambda: clock_s[0]) as h:

            def fill(connection: Any) -> None:
                for number in range(4):
                    for type_, state, age_s in (
                        (messages.TOKEN, APPLIED, 5 * day_s), (messages.TOKEN, SENT, 5 * day_s),
                        (messages.RELEASE, APPLIED, 5 * day_s), (messages.RELEASE, REFUSED, 100 * day_s),
                    ):  # fmt: skip
                        identity = bytes([number, type_, state, 0, 0, 0, 0, 0])
                        made_s = int(time.time()) - age_s
                        values = (identity, 1, type_, b"", "test", made_s, made_s, state, 0, made_s)
                        connection.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

            async def left() -> list[tuple[int, int]]:
                found = h.writer.submit(lambda c: c.execute("SELECT type, state FROM orders ORDER BY 1, 2").fetchall())
                rows: list[tuple[int, int]] = await asyncio.wrap_future(found)
                return rows

            h.writer.submit(fill)
            h.downlink.sweep()
            h.downlink.sweep()
            assert len(await left()) == 13
            for _ in range(3):
                clock_s[0] += 60
                h.downlink.sweep()
            assert await left() == [(messages.TOKEN, SENT)] * 4 + [(messages.RELEASE, APPLIED)] * 4

    asyncio.run(scene())


def test_repeats_that_wait_for_the_disk_are_bounded(house: Any, eventually: Any, full_disk: Any) -> None:
    """A broker that plays one order again and again while the disk is full does not fill the memory."""

    async def scene() -> None:
        async with house(seam=full_disk.seam) as h:
            full_disk.full = True
            asked = [asyncio.create_task(h.downlink.put(order())) for _ in range(2_000)]
            await eventually(lambda: any(task.done() for task in asked))
            full_disk.full = False
            answers = await asyncio.gather(*asked, return_exceptions=True)
            assert sum(isinstance(answer, OrderError) for answer in answers) == 1_000
            assert len(h.downlink) == 1

    asyncio.run(scene())


def test_asker_who_gives_up_harms_neither_the_order_nor_the_store(
    house: Any, talker: Any, eventually: Any, full_disk: Any
) -> None:
    """While the disk is full an operator gives up; afterwards the order is carried, and rows are committed again."""

    async def scene() -> None:
        async with house(seam=full_disk.seam) as h:
            chip = talker(1)
            await chip.come_online(h.link)
            await chip.until(lambda: len(chip.events) > 1)
            full_disk.full = True
            asked = asyncio.create_task(h.downlink.put(order()))
            await eventually(lambda: bool(h.writer.trouble))
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked
            full_disk.full = False
            await chip.until(lambda: ORDER in chip.events)
            chip.send(chip.frame(1))
            await chip.acked(1)
            assert (h.writer.alive, len(h.downlink)) == (True, 1)

    asyncio.run(scene())
