"""A collector in wrong hands, with all that one has (K_up, K_down, every frame ever seen), against the firmware.

A test for each thing it must not get: start a machine, clear an alarm, raise an allowance, push configuration, drop
or invent a record unnoticed. The chip is the real app on the simulator's board, over a real socket.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from weldgate_firmware import gate
from weldgate_firmware.acts import RELEASED_MS
from weldgate_firmware.app import App
from weldgate_firmware.meter import dc_hall_1000a
from weldgate_issuer import (
    BROKEN,
    PROVEN,
    ChipSecrets,
    Issuer,
    SigningKey,
    answer_challenge,
    judge_seals,
    seal_keys,
    token_text,
)
from weldgate_protocol import conversation as c
from weldgate_protocol import conversation_collector as ends
from weldgate_protocol import frame, messages, order, reasons
from weldgate_protocol.keys import ChipKeys, HmacKey
from weldgate_protocol.stream import FrameStream
from weldgate_simulator.board import Board
from weldgate_simulator.chip import Chip
from weldgate_simulator.clock import HostClock
from weldgate_simulator.phone import Phone
from weldgate_simulator.provision import GENERATION, identity_of, new_flash, provision

DEVICE = (7).to_bytes(8, "big")
OTHER = (8).to_bytes(8, "big")
HOLDER = b"holder01"
NOW_S = int(time.time())
ISSUER = Issuer.generate(NOW_S)
THIEF = Issuer.generate(NOW_S)  # keys of his own making
ORDER_MESSAGES = {
    order.RELEASE: messages.RELEASE,
    order.CLEAR_ALARM: messages.CLEAR_ALARM,
    order.CONFIG: messages.CONFIG,
    order.REVOCATIONS: messages.REVOCATIONS,
    order.REKEY: messages.REKEY,
    order.PLANNED_REMOVAL: messages.PLANNED_REMOVAL,
}


class Collector:
    """The hostile one: it speaks for a chip's collector, and holds no more than one is given."""

    def __init__(self) -> None:
        secrets = ISSUER.chip_secrets(DEVICE, GENERATION)
        self.keys = ChipKeys(GENERATION, secrets.up, secrets.down)
        self.up = HmacKey(secrets.up)
        self.stored: list[bytes] = []
        self.challenges: list[dict[Any, Any]] = []
        self.diagnostics = 0
        self.online = asyncio.Event()
        self._end: Any = None
        self._writer: asyncio.StreamWriter | None = None
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen and return the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close everything."""
        assert self._server is not None
        if self._writer is not None:
            self._writer.close()
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._end = ends.CollectorConversation(
            lambda _device: self.keys,
            lambda _device, _epoch: len(self.stored),
            lambda: (int(time.time()), 0, 2),
            os.urandom,
            lambda _device: (c.STATUS_ACCEPTED, 0, 0),
        )
        stream = FrameStream()
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(4096):
                stream.feed(data)
                while (raw := stream.take()) is not None:
                    for event in self._end.receive(raw):
                        self._take(event, writer)
        writer.close()

    def _take(self, event: Any, writer: asyncio.StreamWriter) -> None:
        kind = event[0]
        if kind == ends.SEND:
            writer.write(event[1])
        elif kind in (ends.DURABLE, ends.BRIDGE):
            self.stored.append(event[2])
            writer.write(self._end.acknowledge(frame.parse(event[2]).epoch, event[1]))
        elif kind == ends.CAME_ONLINE:
            self.online.set()
        elif kind == ends.VOLATILE:
            self.diagnostics += event[1].type == messages.DIAGNOSTICS
            if event[1].type == messages.CHALLENGE:
                self.challenges.append(event[2])

    def send(self, type_: int, fields: dict[str, Any]) -> None:
        """Send any downlink message, rightly tagged."""
        assert self._writer is not None
        self._writer.write(self._end.downlink(type_, fields))

    def of(self, type_: int) -> list[dict[Any, Any]]:
        """Return the fields of what it was sent, by type."""
        frames = [frame.parse(raw) for raw in self.stored if raw[1] == type_]
        return [messages.decode(type_, one.payload) for one in frames]

    async def answered(self, type_: int, count: int) -> list[dict[Any, Any]]:
        """Wait until so many records of a type are here."""
        await until(lambda: len(self.of(type_)) >= count)
        return self.of(type_)


class Scene:
    """A chip in the hands of that collector."""

    def __init__(self, collector: Collector, chip: Chip, board: Board) -> None:
        self.collector = collector
        self.chip = chip
        self.board = board

    @property
    def app(self) -> App:
        """The running firmware."""
        assert self.chip.app is not None
        return self.chip.app

    async def quiet(self) -> None:
        """Wait until the chip has written and sent all that it has to say."""
        core = self.app.driver.core
        await until(lambda: not len(core.recorder) and self.app.driver.spool.acked == self.app.driver.spool.highest > 0)

    async def start(self, **claims: Any) -> None:
        """Let the welder himself start a session at the machine."""
        claims = {"life_s": 3600, "limit_s": 3600, "offline_s": 600, **claims}
        text = token_text(ISSUER.issue_token(device=DEVICE, holder=HOLDER, issued_s=NOW_S, **claims))
        await self.scan(text)
        await until(lambda: self.board.relay_closed)

    async def scan(self, text: str) -> None:
        """Show a code to the machine's own scanner."""
        self.board.scanner.put(text.encode() + b"\r")
        await asyncio.sleep(0)


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0)


def play(scene: Callable[[Scene], Awaitable[None]]) -> Collector:
    """Run a provisioned chip that believes this collector to be its own, and a scene beside them."""
    collector = Collector()

    async def whole() -> None:
        port = await collector.start()
        flash = new_flash()
        provision(flash, identity_of(ISSUER, DEVICE, "127.0.0.1", port), ISSUER.issue_key_set(issued_s=NOW_S))
        board = Board(HostClock(), dc_hall_1000a(), flash)
        chip = Chip(board)
        running = asyncio.create_task(chip.run())
        try:
            await collector.online.wait()
            found = Scene(collector, chip, board)
            await found.quiet()
            await scene(found)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await collector.stop()

    asyncio.run(whole())
    return collector


def forged_orders() -> list[tuple[int, bytes]]:
    """Return what somebody without the issuer's keys can make: orders by keys of his own, for this chip and others."""
    claims: dict[bytes, dict[str, Any]] = {
        order.RELEASE: {"lock": bytes(8)},
        order.CONFIG: {"settings": {2: 300}},
        order.REVOCATIONS: {"tokens": [], "kids": []},
        order.PLANNED_REMOVAL: {"leave_s": 3600},
    }
    made = [
        (ORDER_MESSAGES[kind], THIEF.issue_order(kind, device=DEVICE, issued_s=NOW_S, **more))
        for kind, more in claims.items()
    ]
    made.append((messages.KEY_SET, THIEF.issue_key_set(issued_s=NOW_S + 60)))
    made.append((messages.REKEY, THIEF.issue_rekey(DEVICE, GENERATION, issued_s=NOW_S)))
    return made


def test_it_cannot_start_a_machine() -> None:
    """Tokens of every kind, sent from afar: the best of them only arms, and nothing it can send is a local act."""

    async def scene(found: Scene) -> None:
        collector = found.collector
        good = ISSUER.issue_token(device=DEVICE, holder=HOLDER, issued_s=NOW_S, life_s=3600)
        wrong = (
            (THIEF.issue_token(device=DEVICE, holder=HOLDER, issued_s=NOW_S), reasons.TOKEN_UNKNOWN_KEY),
            (ISSUER.issue_token(device=OTHER, holder=HOLDER, issued_s=NOW_S), reasons.TOKEN_OTHER_DEVICE),
            (good[:-1] + bytes([good[-1] ^ 1]), reasons.TOKEN_SIGNATURE),
        )
        for number, (data, reason) in enumerate(wrong, 1):
            collector.send(messages.TOKEN, {"token": data})
            assert (await collector.answered(messages.REFUSAL, number))[-1]["reason"] == reason
        collector.send(messages.TOKEN, {"token": good})
        await until(lambda: found.app.driver.state == gate.ARMED)
        collector.send(messages.IDENTIFY, {"seconds": 1})
        collector.send(messages.CHALLENGE_ANSWER, {"answer": bytes(64), "public": bytes(64)})
        collector.send(messages.QUERY, {"query": bytes(8), "what": 1})
        for type_, data in forged_orders():
            collector.send(type_, {"object": data})
            await found.quiet()
        moves = found.app.driver.core.moves
        collector.send(messages.TOKEN, {"token": good})
        await until(lambda: found.app.driver.core.moves != moves)  # armed anew
        assert found.app.driver.state == gate.ARMED
        assert not found.board.relay_changes

    collector = play(scene)

    assert collector.of(messages.SESSION_START) == []


def test_it_cannot_start_with_a_used_token() -> None:
    """A token that the welder used, which it saw go by, starts nothing again, not even with somebody at the button."""

    async def scene(found: Scene) -> None:
        data = ISSUER.issue_token(device=DEVICE, holder=HOLDER, issued_s=NOW_S, life_s=3600)
        await found.scan(token_text(data))
        await until(lambda: found.board.relay_closed)
        found.app.driver.stop()
        await until(lambda: not found.board.relay_closed)
        await found.quiet()
        found.collector.send(messages.TOKEN, {"token": data})
        refused = await found.collector.answered(messages.REFUSAL, 1)
        assert refused[-1]["reason"] == reasons.TOKEN_USED
        await until(lambda: found.app.driver._button._released_ms >= RELEASED_MS)
        found.board.button_down = True
        pressed = await found.collector.answered(messages.REFUSAL, 2)

        assert pressed[-1]["reason"] == reasons.GATE_NO_SESSION
        assert not found.board.relay_closed

    play(scene)


def test_a_copied_code_with_a_live_code_starts_nothing() -> None:
    """It has token and challenge, and someone at the machine's scanner; without the holder's key that is nothing."""
    phone = Phone(HOLDER)
    thief = SigningKey.generate()

    async def scene(found: Scene) -> None:
        collector = found.collector
        _data, text = phone.ask(ISSUER, device=DEVICE, issued_s=NOW_S, life_s=3600)
        await found.scan(text)
        await until(lambda: bool(collector.challenges))
        asked = collector.challenges[-1]
        answer = answer_challenge(thief, asked["challenge"], asked["token"], DEVICE)
        collector.send(messages.CHALLENGE_ANSWER, {"answer": answer, "public": thief.public64})
        collector.send(messages.CHALLENGE_ANSWER, {"answer": answer, "public": phone.public64})
        await until(lambda: found.app.driver.core.last_reason == reasons.TOKEN_LIVE_CODE_WRONG)
        await found.scan(text)
        await until(lambda: len(collector.challenges) > 1)
        assert not found.board.relay_changes
        asked = collector.challenges[-1]
        await found.scan(phone.confirm(asked["challenge"], asked["token"], DEVICE))
        await until(lambda: found.board.relay_closed)

    play(scene)


def test_it_cannot_clear_an_alarm() -> None:
    """Forged clears, for this alarm and another, and the old clear of an older alarm leave the machine latched."""

    async def scene(found: Scene) -> None:
        collector = found.collector

        async def latch() -> bytes:
            found.app.driver.core.latch(reasons.ALARM_BYPASS)
            await found.quiet()
            return bytes(collector.of(messages.ALARM)[-1]["id"])

        def clear(issuer: Issuer, alarm: bytes) -> bytes:
            return issuer.issue_order(order.CLEAR_ALARM, device=DEVICE, issued_s=NOW_S, alarms=[alarm])

        first = await latch()
        honest = clear(ISSUER, first)
        collector.send(messages.CLEAR_ALARM, {"object": honest})
        await until(lambda: found.app.driver.state == gate.IDLE)
        second = await latch()
        results = len(collector.of(messages.ORDER_RESULT))
        for number, data in enumerate((honest, clear(THIEF, second), clear(THIEF, first)), 1):
            collector.send(messages.CLEAR_ALARM, {"object": data})
            answers = await collector.answered(messages.ORDER_RESULT, results + number)
            assert answers[-1]["result"] == 1
        assert found.app.driver.state == gate.LATCHED
        assert found.app.driver.core.holds.latches.keys() == {second}

    play(scene)


def test_it_cannot_raise_an_allowance() -> None:
    """Limits stand in the signed token: bent ones do not verify, acks and welcomes lengthen neither limit nor life."""

    async def scene(found: Scene) -> None:
        collector = found.collector
        await found.start(limit_s=3, offline_s=60)
        session = found.app.driver.core.session
        assert session is not None
        granted = session.limit_s, session.life_s, session.offline_s
        long = ISSUER.issue_token(device=DEVICE, holder=HOLDER, issued_s=NOW_S, life_s=3600, limit_s=3)
        at = long.index(b"\x0d\x03")  # claim 13, the limit
        collector.send(messages.TOKEN, {"token": long[: at + 1] + b"\x17" + long[at + 2 :]})
        collector.send(messages.TOKEN, {"token": THIEF.issue_token(device=DEVICE, holder=HOLDER, issued_s=NOW_S)})
        await collector.answered(messages.REFUSAL, 1)
        while found.board.relay_closed:
            heard = collector.diagnostics
            collector.send(messages.QUERY, {"query": bytes(8), "what": 1})  # heard from all the time
            await until(lambda heard=heard: collector.diagnostics > heard)  # type: ignore[misc]
            assert (session.limit_s, session.life_s, session.offline_s) == granted
        await found.quiet()
        assert collector.of(messages.SESSION_STOP)[-1]["cause"] == reasons.END_SESSION_LIMIT

    play(scene)


def test_it_cannot_push_configuration() -> None:
    """Forged settings, keys and lists, and its own copy of an older configuration, change nothing that is in force."""

    async def scene(found: Scene) -> None:
        collector = found.collector

        def config(settings: dict[int, object], version: int) -> bytes:
            return ISSUER.issue_order(order.CONFIG, device=DEVICE, issued_s=NOW_S, settings=settings, version=version)

        older, newer = config({2: 300}, NOW_S + 1), config({2: 30}, NOW_S + 2)
        collector.send(messages.CONFIG, {"object": newer})
        await until(lambda: found.app.driver.config.telemetry_s == 30)
        await found.quiet()
        before = dict(found.app.driver._trust.in_force)
        results = len(collector.of(messages.ORDER_RESULT))
        tried = [(messages.CONFIG, older), *forged_orders()]
        for number, (type_, data) in enumerate(tried, 1):
            collector.send(type_, {"object": data})
            answers = await collector.answered(messages.ORDER_RESULT, results + number)
            assert answers[-1]["result"] == 1, type_
        assert found.app.driver._trust.in_force == before
        assert found.app.driver.config.telemetry_s == 30
        assert found.app.identity.generation == GENERATION

    play(scene)


@pytest.fixture(scope="module")
def recorded() -> list[bytes]:
    """All durable frames of a chip with a whole session, as the hostile collector got them."""

    async def scene(found: Scene) -> None:
        await found.start()
        found.app.driver.stop()
        await until(lambda: not found.board.relay_closed)
        for number in range(3):
            found.app.driver.core.alarm(reasons.ALARM_EXCEPTION, bytes(7) + bytes([number]), 1, False)
        await found.quiet()
        await found.start()
        found.app.driver.stop()
        await until(lambda: not found.board.relay_closed)
        await found.quiet()

    return play(scene).stored


def states(raws: list[bytes]) -> set[str]:
    """Judge what a store holds, by whoever has the root secret."""
    return {one.state for one in judge_seals(raws, seal_keys(ISSUER.root_secret, DEVICE, GENERATION))}


def test_what_it_keeps_is_proven(recorded: list[bytes]) -> None:
    """As long as it leaves the records alone, everything through the last stop is proved."""
    last = max(at for at, raw in enumerate(recorded) if raw[1] == messages.SESSION_STOP)

    assert sum(raw[1] == messages.SESSION_STOP for raw in recorded) == 2
    assert states(recorded[: last + 1]) == {PROVEN}


def test_it_cannot_drop_a_record_unnoticed(recorded: list[bytes]) -> None:
    """Whichever record it leaves out, or replaces by one of its own making, somebody with K_seal sees it."""
    up = HmacKey(ISSUER.chip_secrets(DEVICE, GENERATION).up)
    last = max(at for at, raw in enumerate(recorded) if raw[1] == messages.SESSION_STOP)
    for at in range(last):
        dropped = recorded[:at] + recorded[at + 1 : last + 1]
        body = recorded[at][:24] + b"\0\1\xa0"
        other = frame.seal(body[:1] + bytes([messages.POWER_OFF]) + body[2:], up)
        replaced = [*recorded[:at], other, *recorded[at + 1 : last + 1]]

        assert BROKEN in states(dropped), at
        assert BROKEN in states(replaced), at


def test_it_cannot_invent_a_session(recorded: list[bytes]) -> None:
    """A session-start and stop of its own making, rightly tagged and numbered, bear no seal that holds."""
    up = HmacKey(ISSUER.chip_secrets(DEVICE, GENERATION).up)
    stop = next(raw for raw in reversed(recorded) if raw[1] == messages.SESSION_STOP)
    invented = stop[:14] + (len(recorded) + 1).to_bytes(4, "big") + stop[18:-8]

    assert frame.tag_matches(frame.seal(invented, up), up)
    assert BROKEN in states([*recorded, frame.seal(invented, up)])


def test_its_keys_give_away_no_seal_and_no_later_generation() -> None:
    """K_up and K_down are not K_seal, and the wrapped keys of a rekey that it carries stay closed to it."""
    secrets: ChipSecrets = ISSUER.chip_secrets(DEVICE, GENERATION)
    wrapped = ISSUER.issue_rekey(DEVICE, GENERATION, issued_s=NOW_S)
    new = ISSUER.chip_secrets(DEVICE, GENERATION + 1)

    assert secrets.seal not in (secrets.up, secrets.down)
    for key in (new.up, new.down, new.seal):
        assert key not in wrapped
