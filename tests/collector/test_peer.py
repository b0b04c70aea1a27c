"""One chip's connection: presence, a challenge, a chip that is behind the store, evidence before an acknowledgement."""

import asyncio
from types import SimpleNamespace
from typing import Any

from weldgate_protocol import messages, reasons
from weldgate_protocol.collector_record import decode_record

GAP, CONFLICT, PRESENCE = 1, 2, 3


def test_presence_is_recorded_on_change_only(house: Any, talker: Any) -> None:
    """Heartbeats are not stored; a change makes one record with the latest, and so does leaving."""

    async def scene() -> None:
        async with house() as h:
            chip = talker(1)
            await chip.come_online(h.link)
            chip.heartbeat(current_ma=5)
            chip.heartbeat(gate=5)
            await chip.until(lambda: len(chip.events) > 3)
            chip.connection.close()
            await chip.until(lambda: chip.is_closed)
        records = [decode_record(record.raw) for record in h.records(kind=2)]
        assert [record.kind for record in records] == [PRESENCE] * 3
        assert [record.online for record in records] == [True, True, False]
        assert records[1].frame == records[2].frame != records[0].frame

    asyncio.run(scene())


def test_a_challenge_is_passed_on_at_once(house: Any, talker: Any) -> None:
    """M-LIVE-01: a chip that waits for a live code makes a record of the collector's own, with the message."""
    fields = {"challenge": bytes(range(16)), "token": b"token-01"}

    async def scene() -> None:
        async with house() as h:
            chip = talker(1)
            await chip.come_online(h.link)
            chip.connection.send(chip.conversation.volatile(messages.CHALLENGE, fields, (1_795_500_000, 0, 2)))
            chip.heartbeat()
            chip.heartbeat()
            await chip.until(lambda: len(chip.events) > 3)
            chip.connection.close()
            await chip.until(lambda: chip.is_closed)
        (record,) = [one for one in map(decode_record, (row.raw for row in h.records(kind=2))) if one.kind == 5]

        assert record.device == (1).to_bytes(8, "big")
        assert messages.decode(messages.CHALLENGE, record.frame[26:-8]) == fields

    asyncio.run(scene())


def test_chip_behind_the_store_is_told_as_a_possible_clone(house: Any, talker: Any) -> None:
    """A chip that says it never sent what we hold leaves a record with the reason."""

    async def scene() -> None:
        async with house() as h:
            chip = talker(1)
            await chip.come_online(h.link)
            chip.send(chip.frame(1), chip.frame(2))
            await chip.acked(2)
            clone = talker(1)
            await clone.come_online(h.link, highest=1)
            await clone.until(lambda: len(clone.events) > 1)
        found = [decode_record(record.raw).reason for record in h.records(kind=2)]
        assert reasons.ALARM_IDENTITY_CLONED in found

    asyncio.run(scene())


def test_chip_that_is_behind_gives_what_it_holds_before_it_goes_on(house: Any, talker: Any) -> None:
    """M-CONV-19: an ack above the high-water says that duplicates, conflicts and late frames below it are durable."""

    async def scene() -> None:
        async with house() as h:
            clone, chip = talker(1), talker(1)
            await clone.come_online(h.link)
            theirs = [clone.frame(seq) for seq in (1, 2, 3)]
            gap = clone.frame(6, type_=messages.GAP, first=4, last=5, cause=2)
            clone.send(*theirs, gap)
            await clone.acked(6)
            await chip.come_online(h.link, highest=4)
            assert chip.conversation.high_water == 6
            mine = [theirs[1], chip.frame(3, mean_ma=99), chip.frame(4)]
            above = [chip.frame(7, type_=messages.GAP, first=5, last=6, cause=6), chip.frame(8)]
            chip.send(*mine, *above)
            await chip.acked(8)

            stored = sorted((record.seq, record.raw) for record in h.records(kind=1))
            (conflict,) = h.records(kind=2, types=(CONFLICT,))
            assert [raw for _, raw in stored] == [*theirs, mine[2], gap, *above]
            assert decode_record(conflict.raw).frame == mine[1]
        found = [decode_record(record.raw).reason for record in h.records(kind=2)]
        assert found.count(reasons.ALARM_IDENTITY_CLONED) == 1

    asyncio.run(scene())


def test_evidence_is_durable_before_a_heartbeat_acknowledges_it(
    house: Any, talker: Any, eventually: Any, full_disk: Any
) -> None:
    """M-CONV-20: a conflict that is not committed yet is not acknowledged, though its number is."""

    async def scene() -> None:
        async with house(seam=full_disk.seam) as h:
            clone, chip = talker(1), talker(1)
            await clone.come_online(h.link)
            await chip.connect(h.link, highest=2)
            clone.send(clone.frame(1), clone.frame(2))
            await clone.acked(2)
            chip.heartbeat()
            await chip.until(lambda: len(chip.events) > 1)
            full_disk.full = True
            sent: list[bytes] = []
            connection, chip.connection = chip.connection, SimpleNamespace(send=sent.append)
            chip.send(chip.frame(1, mean_ma=98), chip.frame(2, mean_ma=99))
            chip.heartbeat(gate=5)
            connection.send(b"".join(sent))
            await chip.until(lambda: len(chip.events) > 2)
            await eventually(lambda: bool(h.writer.trouble))
            assert chip.conversation.acked == 0
            full_disk.full = False
            await chip.acked(2)

            assert len(h.records(kind=2, types=(CONFLICT,))) == 2

    asyncio.run(scene())
