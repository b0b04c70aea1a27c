"""The downlink: orders reach chips at once or wait, results come from chips, repeats and restarts change nothing."""

import asyncio
import itertools
import time
from typing import Any

import pytest

from weldgate_collector.orders import (
    APPLIED,
    EXPIRED,
    REFUSED,
    SENT,
    WAITING,
    Order,
    lock_order,
    object_name,
    signed_order,
)
from weldgate_protocol import cbor, messages, reasons
from weldgate_protocol.conversation_chip import LOCK, ORDER, TOKEN

DEVICE = (1).to_bytes(8, "big")
NOW_S = 1_790_000_000


def signed(claims: dict[int, Any]) -> bytes:
    """Return an object in a signed one's shape; the collector doesn't judge signatures."""
    protected = cbor.encode({1: -7, 4: b"k" * 8})
    return cbor.encode([protected, {}, cbor.encode(claims), bytes(64)])


def order(number: int = 1, expires_s: int = 4_000_000_000, type_: int = messages.RELEASE, **more: Any) -> Order:
    """Return an order for chip 1."""
    claims = {3: DEVICE, 4: expires_s, 7: bytes([number]) * 8, **{int(key[1:]): value for key, value in more.items()}}
    return signed_order(DEVICE, type_, signed(claims), "mqtt:test", NOW_S)


def answer(chip: Any, seq: int, name: bytes, reason: int) -> bytes:
    """Return a chip's order-result; reason 0 = applied."""
    result: dict[str, Any] = {"order": name, "type": messages.RELEASE, "result": int(reason > 0)}
    if reason:
        result["reason"] = reason
    frame: bytes = chip.frame(seq, type_=messages.ORDER_RESULT, **result)
    return frame


def test_order_reaches_a_connected_chip_at_once(house: Any, talker: Any, eventually: Any) -> None:
    """A chip that is there gets the signed object as it is, and its result ends the order."""

    async def scene() -> None:
        async with house() as h:
            reported: list[Order] = []
            h.downlink.report = reported.append
            chip = talker(1)
            await chip.come_online(h.link)
            await chip.until(lambda: len(chip.events) > 1)
            put = await h.downlink.put(order())
            await chip.until(lambda: ORDER in chip.events)
            assert put.state == SENT
            assert chip.got[-1] == (messages.RELEASE, {"object": order().object})

            chip.send(chip.frame(1, type_=messages.ORDER_RESULT, order=order().id, type=messages.RELEASE, result=0))
            await chip.acked(1)
            await eventually(lambda: bool(reported) and reported[-1].state > SENT)
            assert [one.state for one in reported] == [WAITING, SENT, APPLIED]  # M-PACK-08: at each change
            assert len(h.downlink) == 0
            assert h.downlink.ended == {APPLIED: 1, REFUSED: 0, EXPIRED: 0}

    asyncio.run(scene())


def test_order_waits_durably_for_its_chip(house: Any, talker: Any) -> None:
    """An order for a chip that is away survives a restart and is handed over when the chip comes."""

    async def scene() -> None:
        async with house() as h:
            assert (await h.downlink.put(order())).state == WAITING
        async with house() as h:
            assert len(h.downlink) == 1
            chip = talker(1)
            await chip.come_online(h.link)
            await chip.until(lambda: ORDER in chip.events)

    asyncio.run(scene())


def test_repeated_order_is_the_same_order(house: Any, talker: Any, eventually: Any) -> None:
    """M-PACK-09: an order is repeated until its result comes; the result is told again, nothing is sent twice."""

    async def scene() -> None:
        async with house() as h:
            reported: list[Order] = []
            h.downlink.report = reported.append
            chip = talker(1)
            await chip.come_online(h.link)
            await h.downlink.put(order())
            await h.downlink.put(order())
            assert len(h.downlink) == 1
            chip.send(
                chip.frame(1, type_=messages.ORDER_RESULT, order=order().id, type=messages.RELEASE, result=1, reason=41)
            )
            await chip.acked(1)
            await eventually(lambda: reported[-1].state == REFUSED)
            again = await h.downlink.put(order())
            assert (again.state, again.reason) == (REFUSED, 41)
            assert [one.state for one in reported] == [WAITING, SENT, SENT, REFUSED, REFUSED]

    asyncio.run(scene())


def test_order_expires_and_says_so(house: Any, talker: Any, eventually: Any) -> None:
    """What waited too long is not handed over late."""

    async def scene() -> None:
        async with house() as h:
            ended: list[Order] = []
            h.downlink.report = lambda one: ended.append(one) if one.state > SENT else None
            await h.downlink.put(signed_order(DEVICE, messages.RELEASE, order().object, "mqtt:test", NOW_S, wait_s=0))
            h.downlink.sweep()
            await eventually(lambda: bool(ended))
            chip = talker(1)
            await chip.come_online(h.link)
            await chip.until(lambda: len(chip.events) > 1)
            assert ended[0].state == EXPIRED
            assert ORDER not in chip.events

    asyncio.run(scene())


def test_clock_that_is_set_ahead_for_a_while_expires_nothing(
    house: Any, talker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day ahead and back again: the order is still there; a clock that stays ahead is believed after ten minutes."""
    clock_s, ahead_s, real_s = [0.0], [0.0], time.time()
    monkeypatch.setattr(time, "time", lambda: real_s + clock_s[0] + ahead_s[0])

    async def scene() -> None:
        async with house(clock_s=lambda: clock_s[0]) as h:
            h.downlink._now_s = time.time
            h.downlink.sweep()
            await h.downlink.put(order(expires_s=int(real_s) + 3_600))
            for ahead, passed_s, left in (
                (86_400, 1, 1),
                (86_400, 300, 1),
                (0, 1, 1),
                (86_400, 1, 1),
                (86_400, 600, 0),
            ):
                ahead_s[0] = float(ahead)
                clock_s[0] += passed_s
                h.downlink.sweep()
                assert len(h.downlink) == left

    asyncio.run(scene())


def test_token_ends_by_session_start_or_refusal(house: Any, talker: Any, eventually: Any) -> None:
    """A token's result is the session it started, or the chip's reason."""

    async def scene() -> None:
        async with house() as h:
            ended: list[Order] = []
            h.downlink.report = lambda one: ended.append(one) if one.state > SENT else None
            chip = talker(1)
            await chip.come_online(h.link)
            for number in (1, 2):
                await h.downlink.put(order(number, type_=messages.TOKEN))
            await chip.until(lambda: chip.events.count(TOKEN) == 2)
            chip.send(
                chip.frame(1, type_=messages.REFUSAL, reason=reasons.TOKEN_USED, token=b"\1" * 8, via=3, count=1),
                chip.frame(
                    2, type_=messages.SESSION_START, token=b"\2" * 8, kid=b"k" * 8, holder=b"h" * 8, act=2, via=3,
                    purpose=1, domain=0, issued_s=1, expires_s=2, limit_s=3, offline_s=4,
                ),
            )  # fmt: skip
            await chip.acked(2)
            await eventually(lambda: not (len(ended) < 2))
            assert [(done.state, done.reason) for done in ended] == [(REFUSED, reasons.TOKEN_USED), (APPLIED, 0)]

    asyncio.run(scene())


def test_operators_lock_is_applied_when_the_chip_names_it(house: Any, talker: Any, eventually: Any) -> None:
    """A lock needs no signature; the chip's heartbeat says that it holds."""

    async def scene() -> None:
        async with house() as h:
            chip = talker(1)
            await chip.come_online(h.link)
            await h.downlink.put(lock_order(DEVICE, 2, b"L" * 8, 125, "operator:test", NOW_S, 4_000_000_000))
            await chip.until(lambda: LOCK in chip.events)
            assert chip.got[-1] == (messages.LOCK, {"mode": 2, "id": b"L" * 8, "reason": 125})
            chip.heartbeat(lock_ids=[b"L" * 8])
            await eventually(lambda: not (len(h.downlink)))

    asyncio.run(scene())


def test_signed_lock_carries_its_order(house: Any, talker: Any) -> None:
    """Mode and id come from the signed claims, and the order travels inside."""

    async def scene() -> None:
        async with house() as h:
            chip = talker(1)
            await chip.come_online(h.link)
            locking = order(type_=messages.LOCK, c16=b"M" * 8, c23=1)
            await h.downlink.put(locking)
            await chip.until(lambda: LOCK in chip.events)
            assert chip.got[-1][1] == {
                "mode": 1, "id": b"M" * 8, "reason": reasons.END_LOCK_SOFT, "order": locking.object,
            }  # fmt: skip

    asyncio.run(scene())


def test_refusal_under_the_name_of_its_bytes_is_final(house: Any, talker: Any, eventually: Any) -> None:
    """M-PACK-10: an order that the chip could not verify is refused under its SHA-256, once, and stays refused."""
    clock_s = [0.0]

    async def scene() -> None:
        async with house(clock_s=lambda: clock_s[0]) as h:
            reported: list[Order] = []
            h.downlink.report = lambda one: reported.append(one) if one.state > SENT else None
            chip = talker(1)
            await chip.come_online(h.link)
            await h.downlink.put(order())
            await chip.until(lambda: ORDER in chip.events)
            chip.send(answer(chip, 1, object_name(order().object), reasons.ORDER_SIGNATURE))
            await chip.acked(1)
            await eventually(lambda: bool(reported))
            clock_s[0] += 10_000
            h.downlink.sweep()
            assert (reported[0].id, reported[0].state, reported[0].reason) == (
                order().id, REFUSED, reasons.ORDER_SIGNATURE,
            )  # fmt: skip
        async with house() as h:
            assert len(h.downlink) == 0
            again = await h.downlink.put(order())
            assert (again.state, again.reason) == (REFUSED, reasons.ORDER_SIGNATURE)
            assert chip.events.count(ORDER) == 1

    asyncio.run(scene())


def test_applied_is_never_taken_by_the_name_of_bytes(house: Any, talker: Any) -> None:
    """An unverified order can't have been applied: such an answer ends nothing."""

    async def scene() -> None:
        async with house() as h:
            chip = talker(1)
            await chip.come_online(h.link)
            await h.downlink.put(order())
            name = object_name(order().object)
            chip.send(chip.frame(1, type_=messages.ORDER_RESULT, order=name, type=messages.RELEASE, result=0))
            await chip.acked(1)
            assert len(h.downlink) == 1

    asyncio.run(scene())


def test_refused_token_is_known_by_its_bytes(house: Any, talker: Any, eventually: Any) -> None:
    """A token that did not verify is refused under the name of its bytes, and not sent again."""

    async def scene() -> None:
        async with house() as h:
            ended: list[Order] = []
            h.downlink.report = lambda one: ended.append(one) if one.state > SENT else None
            chip = talker(1)
            await chip.come_online(h.link)
            token = order(type_=messages.TOKEN)
            await h.downlink.put(token)
            await chip.until(lambda: TOKEN in chip.events)
            chip.send(
                chip.frame(
                    1, type_=messages.REFUSAL, reason=reasons.TOKEN_SIGNATURE, token=object_name(token.object), via=3,
                    count=1,
                )
            )  # fmt: skip
            await chip.acked(1)
            await eventually(lambda: bool(ended))
            assert (ended[0].state, ended[0].reason) == (REFUSED, reasons.TOKEN_SIGNATURE)

    asyncio.run(scene())


@pytest.mark.parametrize("reason", [reasons.GATE_BUSY, reasons.GATE_NOT_READY, reasons.ORDER_IN_SESSION])
def test_an_answer_that_means_later_is_tried_again(house: Any, talker: Any, eventually: Any, reason: int) -> None:
    """M-PACK-10: a chip that can't take an order now gets it again, each time after twice as long; a restart too."""
    clock_s = [0.0]
    sent_s: list[float] = []

    async def scene() -> None:
        async with house(clock_s=lambda: clock_s[0]) as h:
            chip = talker(1)
            await chip.come_online(h.link)
            await h.downlink.put(order())
            for number in range(1, 10):
                await chip.until(lambda: chip.events.count(ORDER) == number)  # noqa: B023
                sent_s.append(clock_s[0])
                chip.send(answer(chip, number, object_name(order().object), reason))
                await chip.acked(number)
                while chip.events.count(ORDER) == number and clock_s[0] < 5_000:
                    clock_s[0] += 1
                    h.downlink.sweep()
                    await asyncio.sleep(0)
                    await asyncio.sleep(0)
            again = await h.downlink.put(order())
            assert chip.events.count(ORDER) == 10
            assert again.state == SENT
        async with house() as h:
            assert len(h.downlink) == 1

    asyncio.run(scene())
    waits = [after - before for before, after in itertools.pairwise(sent_s)]
    assert waits == pytest.approx([5, 10, 20, 40, 80, 160, 300, 300], abs=2)


def test_busy_chip_gets_the_next_order_when_it_is_done(house: Any, talker: Any) -> None:
    """Of several orders at once a chip takes one and is too busy for the others: they follow one by one."""

    async def scene() -> None:
        async with house() as h:
            chip = talker(1)
            await chip.come_online(h.link)
            await chip.until(lambda: len(chip.events) > 1)
            for number in (1, 2):
                await h.downlink.put(order(number))
            await chip.until(lambda: chip.events.count(ORDER) == 2)
            chip.send(answer(chip, 1, object_name(order(2).object), reasons.GATE_BUSY), answer(chip, 2, order(1).id, 0))
            await chip.until(lambda: chip.events.count(ORDER) == 3)
            assert chip.got[-1][1] == {"object": order(2).object}
            assert len(h.downlink) == 1

    asyncio.run(scene())


def test_unanswered_token_is_not_sent_while_it_may_wait_for_the_act(house: Any, talker: Any) -> None:
    """Sent again within the 120 s for the local act a token would wait anew, and never end."""
    clock_s = [0.0]

    async def scene() -> None:
        async with house(clock_s=lambda: clock_s[0]) as h:
            chip = talker(1)
            await chip.come_online(h.link)
            await h.downlink.put(order(type_=messages.TOKEN))
            for clock_s[0] in (60, 200, 299):
                h.downlink.sweep()
            chip.heartbeat()
            await chip.until(lambda: len(chip.events) > 3)
            assert chip.events.count(TOKEN) == 1

    asyncio.run(scene())
