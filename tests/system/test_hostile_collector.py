"""A collector in wrong hands, with all that one has (K_up, K_down, every frame ever seen), against the firmware.

A test for each thing it must not get: start a machine, clear an alarm, raise an allowance, push configuration. What it
does to records: ``test_hostile_records.py``.
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package; the world stands here

from hostile_world import DEVICE, HOLDER, ISSUER, NOW_S, Scene, play, until

from weldgate_firmware import gate
from weldgate_firmware.acts import RELEASED_MS
from weldgate_issuer import Issuer, SigningKey, answer_challenge, token_text
from weldgate_protocol import messages, order, reasons
from weldgate_simulator.phone import Phone
from weldgate_simulator.provision import GENERATION

OTHER = (8).to_bytes(8, "big")
THIEF = Issuer.generate(NOW_S)  # keys of his own making
ORDER_MESSAGES = {
    order.RELEASE: messages.RELEASE,
    order.CLEAR_ALARM: messages.CLEAR_ALARM,
    order.CONFIG: messages.CONFIG,
    order.REVOCATIONS: messages.REVOCATIONS,
    order.REKEY: messages.REKEY,
    order.PLANNED_REMOVAL: messages.PLANNED_REMOVAL,
}


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
