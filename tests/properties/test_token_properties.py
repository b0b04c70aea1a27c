"""Any bytes into token, order and key set give claims or a numbered refusal; no claim outlives its rules."""

from collections.abc import Callable
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from weldgate_issuer import Issuer, IssuerError
from weldgate_protocol import cbor, claims, keyset, order, reason_texts, token
from weldgate_protocol.errors import Refused

NOW = 1795500000
DEVICE = bytes(7) + b"\x05"
ISSUER = Issuer.generate(NOW, "4110")
KEY_SET = keyset.decode(ISSUER.issue_key_set(issued_s=NOW))
GOOD = ISSUER.issue_token(device=DEVICE, holder=bytes(8), issued_s=NOW, token_id=bytes(8))
ORDERS = {
    order.RELEASE: ISSUER.issue_order(order.RELEASE, device=DEVICE, issued_s=NOW, lock=bytes(8)),
    order.CLEAR_ALARM: ISSUER.issue_order(order.CLEAR_ALARM, device=DEVICE, issued_s=NOW, alarms=[bytes(8)]),
    order.CONFIG: ISSUER.issue_order(order.CONFIG, device=DEVICE, issued_s=NOW, settings={1: 1}),
    order.REVOCATIONS: ISSUER.issue_order(order.REVOCATIONS, device=None, issued_s=NOW, tokens=[], kids=[]),
    order.LOCK: ISSUER.issue_order(order.LOCK, device=DEVICE, issued_s=NOW, lock=bytes(8), mode=1),
    order.KEY_SET: ISSUER.issue_key_set(issued_s=NOW),
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=20) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.integers(-70, 70), inner, max_size=3),
    max_leaves=6,
)


def _context(quality: int = 2, now_s: int | None = NOW) -> claims.Context:
    return claims.Context(
        DEVICE,
        "411081102",
        KEY_SET,
        now_s,
        quality,
        lambda _: False,
        roots=ISSUER.root_publics,
        locks=(bytes(8),),
        alarms=(bytes(8),),
    )


def _mutate(data: bytes, edits: list[tuple[int, int]], cut: int) -> bytes:
    changed = bytearray(data)
    for at, value in edits:
        changed[at % len(changed)] = value
    return bytes(changed[: len(changed) - cut])


EDITS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 255)), max_size=4)


def _refusal(judge: Callable[[], object]) -> int | None:
    """Return the number a judgement refuses with, None where it accepts; any other exception goes through."""
    try:
        judge()
    except Refused as e:
        return e.code
    return None


CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


@given(st.binary(max_size=400) | st.text(max_size=400) | st.text(CHARACTERS).map("WG1:".__add__))
def test_any_input_is_refused_with_a_reason(data: bytes | str) -> None:
    """M-TOK-21: whatever was never signed is refused with a reason of the register and no other exception."""
    assert _refusal(lambda: token.verify(data, _context())) in reason_texts.TEXTS


@given(EDITS, st.integers(0, 3))
def test_changed_token_is_never_accepted(edits: list[tuple[int, int]], cut: int) -> None:
    """M-TOK-07: a token with any of its bytes changed is refused, and never by a reason its claims would give."""
    data = _mutate(GOOD, edits, cut)

    code = _refusal(lambda: token.verify(data, _context()))

    assert code is None if data == GOOD else code in (1, 2, 3, 4, 5)


@given(st.sampled_from(sorted(ORDERS)), st.sampled_from(sorted(ORDERS)), EDITS, st.integers(0, 3))
def test_changed_or_exchanged_order_is_never_accepted(
    kind: bytes, source: bytes, edits: list[tuple[int, int]], cut: int
) -> None:
    """M-ORD-02: an order changed in any byte, or used as another kind, is refused with a reason."""
    data = _mutate(ORDERS[source], edits, cut)

    code = _refusal(lambda: order.verify(kind, data, _context()))

    assert code is None if kind == source and data == ORDERS[source] else code in reason_texts.TEXTS


@given(st.sampled_from([*sorted(ORDERS), b"rekey", b"update", b"token", b"\xff"]), st.binary(max_size=1100))
def test_any_bytes_as_an_order_are_refused(kind: bytes, data: bytes) -> None:
    """M-ORD-13: whatever was never signed is refused with a reason and no other exception."""
    assert _refusal(lambda: order.verify(kind, data, _context())) in reason_texts.TEXTS


@given(st.dictionaries(st.integers(-2, 70), VALUES, max_size=12))
def test_any_signed_claims_are_judged(pairs: dict[int, object]) -> None:
    """M-TOK-21: also what an issuer key signed by mistake gives claims or a reason, for each table."""
    payload = cbor.encode(pairs)  # type: ignore[arg-type]
    for table, codes in (
        (token.TABLE, token.CODES),
        (keyset.TABLE, keyset.CODES),
        (keyset.KEY_TABLE, keyset.CODES),
        *((table, order.CODES) for _, table in order.TABLES.values()),
    ):
        code = _refusal(partial(claims.read_payload, payload, table, codes))
        assert code is None or code in reason_texts.TEXTS


TIMES = st.integers(NOW - 400000, NOW + 400000)


@settings(max_examples=200)
@given(
    life=st.integers(1, 260000),
    begin=st.none() | TIMES,
    permit=st.booleans(),
    window=st.tuples(st.none() | TIMES, st.none() | TIMES),
    purpose=st.sampled_from([1, 2, 5]),
    now=TIMES,
    quality=st.sampled_from([0, 1, 2]),
)
def test_accepted_token_keeps_all_time_rules(
    life: int,
    begin: int | None,
    permit: bool,
    window: tuple[int | None, int | None],
    purpose: int,
    now: int,
    quality: int,
) -> None:
    """M-TOK-11 to M-TOK-18: whatever an issuer may sign, at whatever time it comes: accepted means within each rule."""
    try:
        data = ISSUER.issue_token(
            device=DEVICE,
            holder=bytes(8),
            issued_s=NOW,
            life_s=life,
            purpose=purpose,
            not_before_s=begin,
            permit=bytes(8) if permit else None,
            permit_from_s=window[0] if permit else None,
            permit_to_s=window[1] if permit else None,
        )
        granted = token.verify(data, _context(quality, now))
    except (IssuerError, Refused):
        return

    at = max(now, NOW)  # the token itself proves that its time of signing is past
    assert granted.expires_s > at
    assert granted.not_before_s <= at
    assert life <= (14400 if purpose == 5 else 259200 if permit else 86400)
    assert quality == 0 or now >= NOW - 600
    assert not permit or (window[0] or 0) <= at < (window[1] or at + 1)
    assert granted.clock_s == (NOW if quality == 0 and now < NOW else 0)
