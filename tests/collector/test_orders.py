"""Orders as the collector carries them: what they say of themselves, and what can't be carried."""

import json
from pathlib import Path
from typing import Any

import pytest

from weldgate_collector.errors import OrderError
from weldgate_collector.orders import REFUSED, object_name, refused_order, signed_order
from weldgate_protocol import cbor, messages, reasons

DEVICE = (1).to_bytes(8, "big")
VECTORS = Path(__file__).parents[1] / "vectors/answer.json"
NOW_S = 1_790_000_000


def signed(claims: Any) -> bytes:
    """Return an object in a signed one's shape; the collector doesn't judge signatures."""
    protected = cbor.encode({1: -7, 4: b"k" * 8})
    return cbor.encode([protected, {}, cbor.encode(claims), bytes(64)])


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
        (messages.RELEASE, signed({3: DEVICE, 4: 1 << 32, 7: b"1" * 8}), reasons.ORDER_CLAIM_RANGE),
        (messages.RELEASE, signed({3: DEVICE, 4: (1 << 64) - 1, 7: b"1" * 8}), reasons.ORDER_CLAIM_RANGE),
    ],
    ids=[
        "identify",
        "empty",
        "noise",
        "no id",
        "other chip",
        "ended",
        "no end",
        "lock without a lock",
        "too long",
        "ends too late",
        "ends beyond the store's numbers",
    ],
)
def test_what_can_not_be_carried_is_refused(type_: int, obj: bytes, code: int) -> None:
    """What isn't a signed object for this chip, or doesn't fit a frame, is told at once."""
    with pytest.raises(OrderError) as caught:
        signed_order(DEVICE, type_, obj, "mqtt:test", NOW_S)

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("obj", "name"),
    [
        (signed({4: 1, 7: b"1" * 8}), b"1" * 8),
        (signed({4: 1, 7: b"1"}), None),
        (signed([1]), None),
        (b"noise", None),
        (b"", None),
    ],
    ids=["its own id", "no id", "no claims", "no object", "nothing"],
)
def test_what_is_refused_here_is_answered(obj: bytes, name: bytes | None) -> None:
    """M-PACK-10: an object that the collector does not carry is answered under its id, else under its SHA-256."""
    answer = refused_order(DEVICE, messages.RELEASE, obj, "mqtt:test", NOW_S, reasons.ORDER_EXPIRED)

    assert answer.id == (name or object_name(obj))
    assert (answer.state, answer.reason, answer.changed_s) == (REFUSED, reasons.ORDER_EXPIRED, NOW_S)


def test_an_object_is_named_as_the_vectors_say() -> None:
    """M-ORD-15: what is not verified is named by the first 8 bytes of its SHA-256, on either side."""
    for case in json.loads(VECTORS.read_text("utf-8")):
        assert object_name(bytes.fromhex(case["hex"])).hex() == case["expect"]["answer"], case["name"]


def test_repr_shows_no_object() -> None:
    """A token's body is in no log line by accident."""
    taken = signed_order(DEVICE, messages.RELEASE, signed({4: 4_000_000_000, 7: b"1" * 8}), "mqtt:test", NOW_S)

    assert taken.object.hex() not in repr(taken)
    assert str(taken.object) not in repr(taken)
