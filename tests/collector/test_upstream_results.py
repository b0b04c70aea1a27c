"""Results on their way to the platform, and the sign that none of them arrives."""

from dataclasses import replace

from weldgate_collector.orders import APPLIED, SENT, WAITING, Order
from weldgate_collector.upstream.results import Results
from weldgate_protocol.envelope import decode_result

KEY = b"k" * 32
ORDER = Order(b"order..1", b"chip...1", 133, b"", "mqtt:p", 1, 2, WAITING, 0, 3)


def tell(results: Results, *orders: Order) -> list[int]:
    """Let results out, and return the states that they tell."""
    for order in orders:
        results.add(order)
    states = []
    while (data := results.take()) is not None:
        states.append(decode_result(data, KEY).state)
    return states


def test_each_state_is_told_in_order() -> None:
    """Under the key, and nothing is a sign of anything."""
    results = Results(KEY)

    assert tell(results, ORDER, replace(ORDER, state=SENT), replace(ORDER, state=APPLIED)) == [WAITING, SENT, APPLIED]
    assert not results.lost


def test_end_that_is_asked_for_again_and_again_is_a_sign() -> None:
    """Once may be chance; a waiting order that is repeated says nothing. It stands for two minutes."""
    now_s = [0.0]
    results = Results(KEY, lambda: now_s[0])
    ended = replace(ORDER, state=APPLIED)

    tell(results, *[replace(ORDER, state=SENT)] * 9, ended, ended)
    assert not results.lost
    tell(results, replace(ended, id=b"order..2"), replace(ended, device=b"chip...2"))
    assert not results.lost
    tell(results, ended)
    assert results.lost
    now_s[0] = 119.0
    assert results.lost
    now_s[0] = 121.0
    assert not results.lost


def test_what_is_remembered_is_bounded() -> None:
    """Years of orders are no heap."""
    results = Results(KEY)
    for number in range(10_100):
        tell(results, replace(ORDER, state=APPLIED, id=number.to_bytes(8, "big")))

    assert len(results._told) == 10_000
