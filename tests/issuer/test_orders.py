"""Issued orders and key sets pass the chip's verifier; what a chip would refuse is not issued."""

from typing import Any

import pytest

from weldgate_issuer import Issuer, IssuerError, SigningKey, issue_key_set, issue_order
from weldgate_protocol import claims, keyset, order, reasons
from weldgate_protocol.errors import Refused

NOW = 1795500000
DEVICE = bytes(7) + b"\x07"
LOCK, ALARM = b"lock-001", b"alarm-01"
ISSUER = Issuer.generate(NOW)

ORDERS: list[tuple[bytes, dict[str, Any]]] = [
    (order.RELEASE, {"lock": LOCK}),
    (order.CLEAR_ALARM, {"alarms": [ALARM]}),
    (order.CONFIG, {"settings": {1: 300, 7: "x"}}),
    (order.REVOCATIONS, {"tokens": [b"token-01"], "kids": [b"key-0001"]}),
    (order.LOCK, {"lock": LOCK, "mode": order.MODE_SOFT}),
]


def context() -> claims.Context:
    """Return a chip's circumstances."""
    return claims.Context(
        DEVICE,
        "411081102",
        keyset.decode(ISSUER.issue_key_set(issued_s=NOW)),
        NOW,
        claims.QUALITY_SYNCED,
        lambda _: False,
        roots=ISSUER.root_publics,
        locks=(LOCK,),
        alarms=(ALARM,),
    )


@pytest.mark.parametrize(("kind", "body"), ORDERS)
def test_chip_accepts_what_is_issued(kind: bytes, body: dict[str, Any]) -> None:
    """Each kind of order comes out of the chip's verifier with what it was given."""
    got = order.verify(kind, ISSUER.issue_order(kind, device=DEVICE, issued_s=NOW, **body), context())

    assert (got.kind, got.device, got.expires_s) == (kind, DEVICE, NOW + 604800)
    assert all(getattr(got, name) == value for name, value in body.items())


@pytest.mark.parametrize("root", ["online", "offline"])
def test_chip_accepts_a_key_set_of_either_root(root: str) -> None:
    """M-KEYSET-01: both root keys sign key sets that a chip takes."""
    got = order.verify(order.KEY_SET, ISSUER.issue_key_set(issued_s=NOW, root=root), context())

    assert got.key_set is not None
    assert [key.scopes for key in got.key_set.keys] == [1, 6, 16]


def test_versions_rise_whatever_the_clock_does() -> None:
    """M-KEYSET-02: a version is the time of signing, or one above the last where that is higher."""
    issuer = Issuer.generate(NOW)
    versions = [issuer.next_version(order.CONFIG, now_s) for now_s in (NOW, NOW, NOW - 50, NOW + 9, NOW + 9)]

    assert versions == [NOW, NOW + 1, NOW + 2, NOW + 9, NOW + 10]
    assert issuer.next_version(order.REVOCATIONS, NOW) == NOW


@pytest.mark.parametrize(
    ("kind", "changes", "code"),
    [
        (order.RELEASE, {}, reasons.ORDER_MISSING_CLAIM),
        (order.RELEASE, {"lock": LOCK, "mode": 1}, reasons.ORDER_UNKNOWN_CLAIM),
        (order.RELEASE, {"lock": b"short"}, reasons.ORDER_CLAIM_RANGE),
        (order.RELEASE, {"lock": LOCK, "device": None}, reasons.ORDER_MISSING_CLAIM),
        (order.CLEAR_ALARM, {"alarms": []}, reasons.ORDER_CLAIM_RANGE),
        (order.CONFIG, {"settings": {}}, reasons.ORDER_CLAIM_RANGE),
        (order.CONFIG, {"settings": {1: "x" * 1000}}, reasons.ORDER_TOO_LONG),
        (order.LOCK, {"lock": LOCK, "mode": 3}, reasons.ORDER_CLAIM_RANGE),
        (order.LOCK, {"lock": LOCK, "mode": 1, "life_s": 31 * 86400 + 1}, reasons.ORDER_CLAIM_RANGE),
        (order.UPDATE, {}, reasons.ORDER_UNSUPPORTED),
        (order.REKEY, {"version": 1, "wrapped": bytes(111)}, reasons.ORDER_CLAIM_RANGE),
        (order.PLANNED_REMOVAL, {"leave_s": 259201}, reasons.ORDER_CLAIM_RANGE),
    ],
)
def test_what_a_chip_would_refuse_is_not_issued(kind: bytes, changes: dict[str, Any], code: int) -> None:
    """M-ORD-01: the issuer refuses with the reason that a chip would give."""
    with pytest.raises(IssuerError) as caught:
        ISSUER.issue_order(kind, **{"device": DEVICE, "issued_s": NOW, **changes})

    assert caught.value.code == code


def test_key_orders_only_within_its_scope() -> None:
    """A start key signs no release."""
    with pytest.raises(IssuerError) as caught:
        issue_order(order.RELEASE, ISSUER.key_for(keyset.SCOPE_START), device=DEVICE, issued_s=NOW, lock=LOCK)

    assert caught.value.code == reasons.ORDER_SCOPE


def test_key_set_with_too_many_keys_is_not_issued() -> None:
    """A set that does not fit into one object is refused by the issuer already."""
    keys = [keyset.Key(k.kid, k.public64, 1, "", 3600, NOW, NOW + 9, -7) for k in map(_key, range(9))]

    with pytest.raises(IssuerError) as caught:
        issue_key_set(SigningKey.generate(), keys, version=1, issued_s=NOW)

    assert caught.value.code == reasons.KEY_SET_MALFORMED


def _key(_: int) -> SigningKey:
    return SigningKey.generate()


def test_key_set_of_a_foreign_root_is_refused() -> None:
    """M-KEYSET-01: another site's root says nothing to this site's chips."""
    with pytest.raises(Refused) as caught:
        order.verify(order.KEY_SET, Issuer.generate(NOW).issue_key_set(issued_s=NOW), context())

    assert caught.value.code == reasons.KEY_SET_SIGNATURE
