"""The hub and its peers: acks after commits, repeats and conflicts, gaps, supersession, throttling, back-pressure."""

import asyncio
import sqlite3
import time
from typing import Any

import pytest
from tests.collector.conftest import known

from weldgate_collector.chips import Chip, add_chips, remove_chips
from weldgate_collector.hub import Limits
from weldgate_collector.store import connect
from weldgate_protocol.collector_record import decode_record
from weldgate_protocol.conversation_chip import REJECTED, WELCOMED
from weldgate_protocol.frame import to_wire

GAP, CONFLICT, PRESENCE = 1, 2, 3


def test_frames_are_stored_then_acknowledged(house: Any, talker: Any) -> None:
    """What was acknowledged is in the store, byte for byte."""

    async def scene() -> None:
        async with house() as h:
            chip = talker(1)
            await chip.come_online(h.link)
            raws = [chip.frame(seq) for seq in range(1, 101)]
            chip.send(*raws)
            await chip.acked(100)

            assert [record.raw for record in h.records(kind=1)] == raws
            assert h.metrics.frames._value.get() == 100

    asyncio.run(scene())


def test_d2_no_ack_before_the_commit(house: Any, talker: Any, eventually: Any) -> None:
    """D2: while commits fail no ack leaves; when they succeed again it does, and nothing is lost."""
    failing = [True]

    class Failing(sqlite3.Connection):
        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            if sql == "COMMIT" and failing[0] and self.in_transaction and self.total_changes:
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorcode = sqlite3.SQLITE_FULL
                raise error
            return super().execute(sql, *args)

    async def scene() -> None:
        failing[0] = False
        async with house(seam=lambda path: connect(path, Failing)) as h:
            chip = talker(1)
            await chip.come_online(h.link)
            failing[0] = True
            chip.send(chip.frame(1), chip.frame(2))
            await eventually(lambda: bool(h.writer.trouble))
            assert chip.conversation.acked == 0

            failing[0] = False
            await chip.acked(2)
            assert [record.seq for record in h.records(kind=1)] == [1, 2]

    asyncio.run(scene())


def test_high_water_is_told_after_restart(house: Any, talker: Any) -> None:
    """The store's own rows tell a restarted collector where each line stands."""

    async def scene() -> None:
        async with house() as h:
            chip = talker(1)
            await chip.come_online(h.link)
            chip.send(*[chip.frame(seq) for seq in range(1, 8)])
            await chip.acked(7)
        async with house() as h:
            chip = talker(1)
            await chip.connect(h.link, highest=7)
            assert chip.events == [WELCOMED]
            assert chip.conversation.high_water == 7

    asyncio.run(scene())


def test_chip_that_a_rekey_has_not_reached_is_served(house: Any, talker: Any) -> None:
    """Its hello, its frames and its answers are under the keys of the generation before."""

    async def scene() -> None:
        async with house() as h:
            old = known(1)
            fresh = Chip("1", 2, "ab" * 32, "cd" * 32, old.up, old.down)
            add_chips(h.path / "chips.jsonl", [fresh])
            assert h.chips.reload()
            chip = talker(1, keys=old)
            await chip.come_online(h.link)
            chip.send(chip.frame(1))
            await chip.acked(1)

    asyncio.run(scene())


@pytest.mark.parametrize("year_s", [0xFFFFFFFF + 1, 9_000_000_000, -86_400])
def test_clock_that_a_header_can_not_hold_keeps_nobody_out(
    house: Any, talker: Any, monkeypatch: pytest.MonkeyPatch, year_s: int
) -> None:
    """Beyond 2106 or before 1970 the chip comes in, is acknowledged, and is told a time that it does not take."""

    async def scene() -> None:
        async with house() as h:
            monkeypatch.setattr(time, "time_ns", lambda: year_s * 1_000_000_000)
            chip = talker(1)
            await chip.come_online(h.link)
            chip.send(chip.frame(1))
            await chip.acked(1)
            assert (chip.events[0], chip.conversation.time_fresh) == (WELCOMED, False)

    asyncio.run(scene())


def test_repeat_is_stored_once_and_acknowledged(house: Any, talker: Any) -> None:
    """A frame that comes again makes no second row, and its ack is sent again."""

    async def scene() -> None:
        async with house() as h:
            chip = talker(1)
            await chip.come_online(h.link)
            raws = [chip.frame(seq) for seq in range(1, 6)]
            chip.send(*raws)
            await chip.acked(5)
            chip.send(raws[2], raws[3])
            chip.connection.send(to_wire(chip.frame(6)))
            chip.conversation.sent(6)
            await chip.acked(6)

            assert [record.seq for record in h.records(kind=1)] == [1, 2, 3, 4, 5, 6]
            assert h.records(types=(CONFLICT,), kind=2) == []

    asyncio.run(scene())


def test_other_bytes_of_an_identity_are_kept_as_a_conflict(house: Any, talker: Any) -> None:
    """M-SEQ-04: the same identity with other bytes is evidence: both frames are kept, whoever repeats it."""

    async def scene() -> None:
        async with house() as h:
            chip = talker(1)
            await chip.come_online(h.link)
            chip.send(chip.frame(1), chip.frame(2))
            await chip.acked(2)
            other = chip.frame(2, mean_ma=99)
            for following in (3, 4):
                chip.send(other)
                chip.send(chip.frame(following))
                await chip.acked(following)

            (conflict,) = h.records(kind=2, types=(CONFLICT,))
            assert decode_record(conflict.raw).frame == other
            assert [record.raw for record in h.records(kind=1)][1] == chip.frame(2)
            assert h.metrics.conflicts._value.get() == 1

    asyncio.run(scene())


def test_lost_range_is_declared_once(house: Any, talker: Any) -> None:
    """What the chip no longer holds becomes the collector's own gap record, so that the line stays contiguous."""

    async def scene() -> None:
        async with house() as h:
            chip = talker(1)
            await chip.come_online(h.link, oldest=11, highest=11)
            chip.send(chip.frame(11))
            await chip.acked(11)
        async with house() as h:
            chip = talker(1)
            await chip.come_online(h.link, oldest=11, highest=11)
            await chip.until(lambda: len(chip.events) > 1)

            (gap,) = h.records(kind=2, types=(GAP,))
            record = decode_record(gap.raw)
            assert (record.first, record.last) == (1, 10)

    asyncio.run(scene())


def test_unknown_chip_is_rejected_and_its_frames_are_not_stored(house: Any, talker: Any) -> None:
    """A chip that isn't known gets a rejection and no more."""

    async def scene() -> None:
        async with house() as h:
            chip = talker(77)
            await chip.connect(h.link)
            await chip.until(lambda: chip.is_closed)

            assert chip.events == [REJECTED]
            assert h.records() == []

    asyncio.run(scene())


def test_newer_connection_supersedes_only_when_proved(house: Any, talker: Any) -> None:
    """A second connection of a chip closes the first after its heartbeat, not after its hello."""

    async def scene() -> None:
        async with house() as h:
            first, second = talker(1), talker(1)
            await first.come_online(h.link)
            await first.until(lambda: len(first.events) > 1)
            await second.connect(h.link)
            assert not first.is_closed

            second.heartbeat()
            await first.until(lambda: first.is_closed)
            second.send(second.frame(1))
            await second.acked(1)
            assert h.hub.online == 1

    asyncio.run(scene())


def test_bad_tags_close_and_throttle_their_source(house: Any, talker: Any) -> None:
    """Three bad tags end the connection; its source is refused for a while, others are not."""
    now = [0.0]

    async def scene() -> None:
        async with house(clock_s=lambda: now[0]) as h:
            chip = talker(1)
            await chip.connect(h.link, source="10.0.0.9")
            chip.heartbeat()
            forged = bytearray(chip.frame(1))
            forged[-1] ^= 1
            chip.connection.send(to_wire(bytes(forged)) * 3)
            await chip.until(lambda: chip.is_closed)
            assert h.metrics.bad_tags._value.get() == 3
            assert h.records(kind=1) == []

            refused = talker(2)
            await refused.connect(h.link, source="10.0.0.9")
            assert refused.events == []
            assert refused.is_closed
            other = talker(3)
            await other.connect(h.link, source="10.0.0.10")
            assert other.events == [WELCOMED]
            now[0] = 31.0
            late = talker(2)
            await late.connect(h.link, source="10.0.0.9")
            assert late.events == [WELCOMED]

    asyncio.run(scene())


def test_silent_and_surplus_strangers_are_dropped(house: Any, talker: Any) -> None:
    """Whoever says no hello is closed in time, and the oldest of too many at once."""
    now = [0.0]

    async def scene() -> None:
        async with house(Limits(max_unauthenticated=2), clock_s=lambda: now[0]) as h:
            strangers = [talker(number) for number in (1, 2, 3)]
            for stranger in strangers:
                stranger.connection = h.link.connect(stranger)
            await strangers[0].until(lambda: strangers[0].is_closed)
            assert not strangers[1].is_closed

            now[0] = 11.0
            h.hub.sweep()
            await strangers[2].until(lambda: strangers[2].is_closed)
            assert strangers[1].is_closed
            assert h.hub.connections == 0

    asyncio.run(scene())


def test_noise_of_a_stranger_closes(house: Any, talker: Any) -> None:
    """Somebody who speaks another protocol is not listened to for long."""

    async def scene() -> None:
        async with house() as h:
            stranger = talker(1)
            stranger.connection = h.link.connect(stranger)
            stranger.connection.send(b"GET / HTTP/1.1\r\n\r\n~" * 400)
            await stranger.until(lambda: stranger.is_closed)

            assert h.metrics.noise_bytes._value.get() > 4096

    asyncio.run(scene())


def test_back_pressure_holds_and_releases(house: Any, talker: Any) -> None:
    """With a full backlog the chip is no longer read from; after the commit it is, and nothing is lost."""

    async def scene() -> None:
        async with house(Limits(backlog_rows=10)) as h:
            chip = talker(1)
            await chip.come_online(h.link)
            for start in range(1, 401, 40):
                chip.send(*[chip.frame(seq) for seq in range(start, start + 40)])
            await chip.acked(400)

            assert [record.seq for record in h.records(kind=1)] == list(range(1, 401))

    asyncio.run(scene())


def test_chip_that_is_no_longer_known_is_cut_off(house: Any, talker: Any) -> None:
    """Removing a chip ends its connection, not only its next one."""

    async def scene() -> None:
        async with house() as h:
            chip, other = talker(1), talker(2)
            for each in (chip, other):
                await each.come_online(h.link)
                await each.until(lambda each=each: len(each.events) > 1)
            half = talker(3)
            await half.connect(h.link)  # said hello, and has not proved yet that it is there
            remove_chips(h.path / "chips.jsonl", ["1", "3"])
            h.chips.reload()
            h.hub.drop_unknown()
            await chip.until(lambda: chip.is_closed)
            await half.until(lambda: half.is_closed)
            assert not other.is_closed

    asyncio.run(scene())


def test_rows_in_the_queue_are_not_doubled_by_a_reconnect(
    house: Any, talker: Any, eventually: Any, full_disk: Any
) -> None:
    """A chip that reconnects while its frames still wait for a commit sends them again; each is stored once."""

    async def scene() -> None:
        async with house(seam=full_disk.seam) as h:
            first, second = talker(1), talker(1)
            await first.come_online(h.link)
            await first.until(lambda: len(first.events) > 1)
            full_disk.full = True
            raws = [first.frame(seq) for seq in range(1, 4)]
            first.send(*raws)
            await eventually(lambda: bool(h.writer.trouble))
            await second.come_online(h.link, highest=3)
            assert second.conversation.high_water == 0
            second.send(raws[0], second.frame(2, mean_ma=7), raws[2], second.frame(4))
            await first.until(lambda: first.is_closed)
            full_disk.full = False
            await second.acked(4)

            assert [record.raw for record in h.records(kind=1)] == [*raws, second.frame(4)]
            assert len(h.records(kind=2, types=(CONFLICT,))) == 1

    asyncio.run(scene())
