"""The downlink: orders reach chips at once or wait, results come from chips, repeats and restarts change nothing."""

import asyncio
from typing import Any

import pytest

from weldgate_collector.downlink import APPLIED, EXPIRED, REFUSED, SENT, WAITING, Order, lock_order, signed_order
from weldgate_collector.errors import OrderError
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
            await eventually(lambda: bool(reported))
            assert (reported[0].state, len(h.downlink)) == (APPLIED, 0)

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
            await eventually(lambda: bool(reported))
            again = await h.downlink.put(order())
            assert (again.state, again.reason) == (REFUSED, 41)
            assert len(reported) == 2

    asyncio.run(scene())


def test_order_expires_and_says_so(house: Any, talker: Any, eventually: Any) -> None:
    """What waited too long is not handed over late."""

    async def scene() -> None:
        async with house() as h:
            ended: list[Order] = []
            h.downlink.report = ended.append
            await h.downlink.put(signed_order(DEVICE, messages.RELEASE, order().object, "mqtt:test", NOW_S, wait_s=0))
            h.downlink.sweep()
            await eventually(lambda: bool(ended))
            chip = talker(1)
            await chip.come_online(h.link)
            await chip.until(lambda: len(chip.events) > 1)
            assert ended[0].state == EXPIRED
            assert ORDER not in chip.events

    asyncio.run(scene())


def test_token_ends_by_session_start_or_refusal(house: Any, talker: Any, eventually: Any) -> None:
    """A token's result is the session it started, or the chip's reason."""

    async def scene() -> None:
        async with house() as h:
            ended: list[Order] = []
            h.downlink.report = ended.append
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


@pytest.mark.parametrize(
    ("type_", "obj", "code"),
    [
        (messages.IDENTIFY, signed({3: DEVICE, 4: 4_000_000_000, 7: b"1" * 8}), reasons.TOOL_BAD_INPUT),
        (messages.RELEASE, b"", reasons.COSE_MALFORMED),
        (messages.RELEASE, b"noise" * 12, reasons.COSE_MALFORMED),
        (messages.RELEASE, signed({3: DEVICE, 4: 4_000_000_000}), reasons.ORDER_MISSING_CLAIM),
        (messages.RELEASE, signed({3: bytes(8), 4: 4_000_000_000, 7: b"1" * 8}), reasons.ORDER_OTHER_DEVICE),
        (messages.RELEASE, signed({3: DEVICE, 4: NOW_S, 7: b"1" * 8}), reasons.ORDER_EXPIRED),
        (messages.RELEASE, signed({3: DEVICE, 7: b"1" * 8}), reasons.ORDER_EXPIRED),
        (messages.LOCK, signed({3: DEVICE, 4: 4_000_000_000, 7: b"1" * 8}), reasons.ORDER_MISSING_CLAIM),
        (messages.RELEASE, signed({3: DEVICE, 4: 4_000_000_000, 7: b"1" * 8, 19: "x" * 1000}), reasons.ORDER_TOO_LONG),
    ],
    ids=["identify", "empty", "noise", "no id", "other chip", "ended", "no end", "lock without a lock", "too long"],
)
def test_what_can_not_be_carried_is_refused(type_: int, obj: bytes, code: int) -> None:
    """What isn't a signed object for this chip, or doesn't fit a frame, is told at once."""
    with pytest.raises(OrderError) as caught:
        signed_order(DEVICE, type_, obj, "mqtt:test", NOW_S)

    assert caught.value.code == code


def test_too_many_orders_for_one_chip_are_refused(house: Any) -> None:
    """The queue is bounded."""

    async def scene() -> None:
        async with house() as h:
            for number in range(64):
                await h.downlink.put(order(number))
            with pytest.raises(OrderError, match="too many"):
                await h.downlink.put(order(64))

    asyncio.run(scene())


def test_repr_shows_no_object() -> None:
    """A token's body is in no log line by accident."""
    assert order().object.hex() not in repr(order())
    assert str(order().object) not in repr(order())
