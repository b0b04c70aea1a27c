"""Silence in a live session: when it is an alarm, when it is none, and that a restart or a clock makes none."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from weldgate_collector.chips import remove_chips
from weldgate_collector.store import OWN, PRESENCE
from weldgate_protocol import messages, reasons
from weldgate_protocol.collector_record import Record as OwnRecord
from weldgate_protocol.collector_record import decode_record
from weldgate_protocol.frame import parse

IDLE, LIVE, ENDING, SUSPENDED = 2, 5, 6, 7
TOKEN = b"token-01"
START = {
    "token": TOKEN, "kid": b"k" * 8, "holder": b"h" * 8, "act": 2, "via": 3, "purpose": 1, "domain": 0, "issued_s": 1,
    "expires_s": 2, "limit_s": 3, "offline_s": 4,
}  # fmt: skip
STOP = {
    "token": TOKEN, "cause": reasons.END_WELDER, "powered_s": 1, "arc_ms": 0, "arcs": 0, "strikes": 0, "peak_ma": 0,
    "charge_mah": 0, "synthesised": False,
}  # fmt: skip
SUSPEND = {"token": TOKEN, "cause": reasons.END_POWER_LOSS, "powered_s": 1, "arc_ms": 0}


class World:
    """A house on a clock of its own, and what its store says."""

    def __init__(self, house: Callable[..., Any]) -> None:
        self._house = house
        self.clock_s = 1000.0

    @asynccontextmanager
    async def run(self, **more: Any) -> AsyncIterator[Any]:
        """Start the collector, which learns from its store; stop it at the end."""
        async with self._house(clock_s=lambda: self.clock_s, **more) as h:
            await h.hub.recall()
            yield h

    async def pass_s(self, h: Any, seconds: int) -> None:
        """Let time pass as the service does: a sweep each second."""
        for _ in range(seconds):
            self.clock_s += 1
            h.hub.sweep()
            await asyncio.sleep(0)
        await asyncio.wrap_future(h.writer.submit(lambda _connection: None))


@pytest.fixture
def world(house: Any) -> World:
    """Return the world."""
    return World(house)


def presences(h: Any) -> list[OwnRecord]:
    """Return the presence records in order."""
    return [decode_record(record.raw) for record in h.records(kind=OWN, types=(PRESENCE,))]


def alarms(h: Any) -> int:
    """Return how many alarms for silence are on record."""
    return sum(record.reason == reasons.ALARM_SILENT for record in presences(h))


async def live(h: Any, chip: Any, gate: int = LIVE, **more: Any) -> None:
    """Bring a chip online that says so of its gate."""
    await chip.connect(h.link, highest=more.get("highest", 0))
    chip.heartbeat(gate=gate, token=TOKEN, **more)
    await chip.until(lambda: len(chip.events) > 1)


async def say(chip: Any, seq: int, type_: int, **fields: Any) -> None:
    """Send a durable frame and wait for its ack."""
    chip.send(chip.frame(seq, type_=type_, **fields))
    await chip.acked(seq)


def test_s5_silence_in_a_live_session_is_an_alarm(world: World, talker: Any) -> None:
    """M-PACK-11: 90 s of silence are one record with the latest heartbeat; the chip's next word ends it."""

    async def scene() -> None:
        async with world.run() as h:
            chip = talker(1)
            await live(h, chip)
            await world.pass_s(h, 90)
            assert alarms(h) == 0
            await world.pass_s(h, 300)
            assert alarms(h) == 1
            record = presences(h)[-1]
            assert (record.device, record.online) == (chip.device, False)
            frame = parse(record.frame)
            assert messages.decode(frame.type, frame.payload)["token"] == TOKEN
            assert h.hub.silence.silent == [chip.device]

            back = talker(1)
            await live(h, back)
            await asyncio.wrap_future(h.writer.submit(lambda _connection: None))
            assert h.hub.silence.silent == []
            assert (presences(h)[-1].online, presences(h)[-1].reason) == (True, 0)
            await world.pass_s(h, 91)
            assert alarms(h) == 2

    asyncio.run(scene())


def test_connection_that_ends_first_is_the_same_silence(world: World, talker: Any) -> None:
    """A lost connection alone is no alarm: only 90 s without the chip are, and one that is back by then is not late."""

    async def scene() -> None:
        async with world.run() as h:
            chip, other = talker(1), talker(2)
            await live(h, chip, ENDING)
            await live(h, other)
            chip.connection.close()
            other.connection.close()
            await world.pass_s(h, 60)
            await live(h, other)
            await world.pass_s(h, 60)
            assert h.hub.silence.silent == [chip.device]
            assert alarms(h) == 1

    asyncio.run(scene())


@pytest.mark.parametrize("gate", [1, IDLE, 3, SUSPENDED, 8])
def test_silence_without_a_live_session_is_none(world: World, talker: Any, gate: int) -> None:
    """The relay is open: silence is a presence record without a reason."""

    async def scene() -> None:
        async with world.run() as h:
            await live(h, talker(1), gate)
            await world.pass_s(h, 300)
            assert alarms(h) == 0
            assert presences(h)[-1].online is False

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("type_", "fields"),
    [
        (messages.POWER_OFF, {"token": TOKEN}),
        (messages.SESSION_STOP, STOP),
        (messages.SESSION_SUSPEND, SUSPEND),
    ],
    ids=["last gasp", "stop", "suspension"],
)
def test_silence_after_a_last_word_is_none(world: World, talker: Any, type_: int, fields: dict[str, Any]) -> None:
    """M-PACK-11: a planned power-off, a stop or a suspension that came after the last heartbeat, restart or not."""

    async def scene() -> None:
        async with world.run() as h:
            chip = talker(1)
            await live(h, chip)
            await say(chip, 1, type_, **fields)
            await world.pass_s(h, 300)
            assert alarms(h) == 0
        async with world.run() as h:
            await world.pass_s(h, 300)
            assert alarms(h) == 0

    asyncio.run(scene())


def test_a_start_is_live_before_the_next_heartbeat(world: World, talker: Any) -> None:
    """A session-start that is newer than the heartbeat counts, in this run and after a restart."""

    async def scene() -> None:
        async with world.run() as h:
            chip = talker(1)
            await live(h, chip, IDLE)
            await say(chip, 1, messages.SESSION_START, **START)
        async with world.run() as h:
            await world.pass_s(h, 91)
            assert alarms(h) == 1

    asyncio.run(scene())


def test_a_start_out_of_a_backlog_is_history(world: World, talker: Any) -> None:
    """M-PACK-11: numbers up to the heartbeat's highest say nothing of now, in this run and after a restart."""

    async def scene() -> None:
        async with world.run() as h:
            chip = talker(1)
            await live(h, chip, IDLE, highest=2)
            await say(chip, 1, messages.SESSION_START, **START)
            await world.pass_s(h, 300)
            assert alarms(h) == 0
        async with world.run() as h:
            await world.pass_s(h, 300)
            assert alarms(h) == 0

    asyncio.run(scene())


def test_restart_keeps_an_alarm_and_does_not_repeat_it(world: World, talker: Any) -> None:
    """M-PACK-11: raised once over three runs, and ended by the chip's return in the third."""

    async def scene() -> None:
        async with world.run() as h:
            await live(h, talker(1))
            await world.pass_s(h, 91)
        for _ in range(2):
            async with world.run() as h:
                assert h.hub.silence.silent == [talker(1).device]
                await world.pass_s(h, 300)
                assert alarms(h) == 1
        async with world.run() as h:
            await live(h, talker(1), IDLE)
            assert h.hub.silence.silent == []
        async with world.run() as h:
            assert h.hub.silence.silent == []
            assert alarms(h) == 1

    asyncio.run(scene())


def test_restart_does_not_lose_a_live_session(world: World, talker: Any) -> None:
    """M-PACK-11: a chip that was live when the collector stopped has the whole allowance from the start on."""

    async def scene() -> None:
        async with world.run() as h:
            chip, other = talker(1), talker(2)
            await live(h, chip)
            await live(h, other)
            await world.pass_s(h, 60)
        world.clock_s = 7.0  # another boot of the machine
        async with world.run() as h:
            await world.pass_s(h, 89)
            assert alarms(h) == 0
            await live(h, talker(2))
            await world.pass_s(h, 5)
            assert h.hub.silence.silent == [chip.device]

    asyncio.run(scene())


def test_chip_that_is_back_before_the_store_was_read_is_not_silent(house: Any, talker: Any, world: World) -> None:
    """What was heard since the start is newer than what the store says."""

    async def scene() -> None:
        async with world.run() as h:
            await live(h, talker(1))
            await world.pass_s(h, 91)
        async with house(clock_s=lambda: world.clock_s) as h:
            await live(h, talker(1), IDLE)
            await h.hub.recall()
            await world.pass_s(h, 300)
            assert h.hub.silence.silent == []
            assert alarms(h) == 1

    asyncio.run(scene())


@pytest.mark.parametrize("jump_s", [86_400, -86_400, -1_800_000_000])
def test_a_clock_that_is_set_raises_no_alarm(
    world: World, talker: Any, monkeypatch: pytest.MonkeyPatch, jump_s: int
) -> None:
    """M-PACK-11: a day forward, a day back, and 1970: chips that speak are not silent, one that does not is, once."""

    async def scene() -> None:
        async with world.run() as h:
            chip = talker(1)
            await live(h, chip)
            now_ms = h.hub.now_ms()
            monkeypatch.setattr(h.hub, "now_ms", lambda: now_ms + jump_s * 1000)
            for _ in range(10):
                await world.pass_s(h, 30)
                heard = len(chip.events)
                chip.heartbeat(gate=LIVE, token=TOKEN)
                await chip.until(lambda: len(chip.events) > heard)  # noqa: B023
            assert alarms(h) == 0
            await world.pass_s(h, 200)
            assert alarms(h) == 1
        async with world.run() as h:
            assert h.hub.silence.silent == [chip.device]
            await live(h, talker(1))
            assert h.hub.silence.silent == []

    asyncio.run(scene())


def test_time_in_which_nobody_listened_does_not_count(world: World, talker: Any) -> None:
    """M-PACK-11: while chips are held back, or the program stood still, nobody is late."""

    async def scene() -> None:
        async with world.run() as h:
            chip = talker(1)
            await live(h, chip)
            (peer,) = h.hub._peers
            for _ in range(300):
                h.hub._held_back.add(peer)
                await world.pass_s(h, 1)
            h.hub._held_back.clear()
            assert not chip.is_closed
            await world.pass_s(h, 89)
            assert alarms(h) == 0
            h.hub.silence.deaf()
            await world.pass_s(h, 89)
            assert alarms(h) == 0
            await world.pass_s(h, 5)
            assert alarms(h) == 1

    asyncio.run(scene())


def test_chip_that_is_no_longer_known_is_not_missed(world: World, talker: Any) -> None:
    """A chip that was taken out of the known ones is no alarm, and an alarm of it does not stand."""

    async def scene() -> None:
        async with world.run() as h:
            await live(h, talker(1))
            await live(h, talker(2))
            await world.pass_s(h, 91)
            await live(h, talker(3))
            remove_chips(h.path.parent / "chips.jsonl" if h.path.is_file() else h.path / "chips.jsonl", ["1", "3"])
            h.chips.reload()
            h.hub.drop_unknown()
            await world.pass_s(h, 300)
            assert h.hub.silence.silent == [talker(2).device]
            assert alarms(h) == 2

    asyncio.run(scene())


def test_heartbeat_that_can_not_be_read_is_a_word_too(world: World, talker: Any) -> None:
    """A newer chip's heartbeat that this release can't read keeps the session live and the chip heard."""

    async def scene() -> None:
        async with world.run() as h:
            chip = talker(1)
            await live(h, chip)
            await world.pass_s(h, 60)
            h.hub.silence.heartbeat(chip.device, parse(chip.frame(9)), None)
            await world.pass_s(h, 60)
            assert h.hub.silence.silent == []
            await world.pass_s(h, 60)
            assert h.hub.silence.silent == [chip.device]

    asyncio.run(scene())
