"""What is signed, on its way into a chip: tokens, orders and key sets nearly as they were signed, and who judges.

A case carries the bytes that may be taken; anything else that a parser takes is a forgery that passed.
"""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import cbor2

from weldgate_protocol import base45, cose, keyset, live, order, token
from weldgate_simulator import fuzz_bytes
from weldgate_simulator.fuzz_forge import (
    ISSUER,
    NATIONAL,
    NOW_S,
    ROOT,
    ROOT_KID,
    STRANGER,
    dumps,
    forged,
    order_claims,
    other_payload,
    other_signature,
    set_claims,
    token_claims,
)
from weldgate_simulator.fuzz_parsers import KINDS
from weldgate_simulator.fuzz_wire import Case, Target

__all__ = ["signed_targets"]

_BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_POOL = 24  # good objects that a batch's forgeries are made of


def _token_pool(draw: Random) -> list[bytes]:
    signers = [ISSUER] * 5 + [NATIONAL]  # the oracle's signing by SM2 is slow
    return [draw.choice(signers).sign(token.KIND, dumps(token_claims(draw))) for _ in range(_POOL)]


def _tokens(draw: Random) -> Iterator[Case]:
    while True:
        pool = _token_pool(draw)
        allowed = set(pool)
        for _ in range(8 * _POOL):
            good, other = draw.choice(pool), draw.choice(pool)
            data = good if draw.random() < 0.04 else forged(draw, good, other, token.KIND, token.TABLE)
            if draw.random() < 0.3 and len(data) <= token.SIZE_MAX:
                yield Case(
                    token.to_text(data).encode(), {token.to_text(one).encode() for one in (good,) if data == good}
                )
            else:
                yield Case(data, allowed)


def _scans(draw: Random) -> Iterator[Case]:
    while True:
        pool = _token_pool(draw)
        ids = {cbor2.loads(cbor2.loads(one)[2])[7] for one in pool}
        for _ in range(8 * _POOL):
            good = draw.choice(pool)
            data = good if draw.random() < 0.1 else forged(draw, good, draw.choice(pool), token.KIND, token.TABLE)
            text = token.to_text(data[:210]).encode()
            if draw.random() < 0.3:
                text = fuzz_bytes.damage(draw, text)
            noise = draw.randbytes(draw.randrange(30)) if draw.random() < 0.2 else b""
            yield Case(noise + draw.choice((b"\r", b"\n")) + text + draw.choice((b"\r", b"\r\n", b"")), (ids, pool))


def _scan_wrong(case: Case, taken: bytes) -> bool:
    """Ids of good tokens whose whole text stands in what came, as far as backspaces leave it."""
    ids, pool = case.allowed
    good = {cbor2.loads(cbor2.loads(one)[2])[7]: token.to_text(one).encode() for one in pool} if taken else {}
    for at in range(0, len(taken), 8):
        one = taken[at : at + 8]
        if one not in ids or (good[one] not in case.data and not set(b"\x08\x7f") & set(case.data)):
            return True
    return False


def _orders(draw: Random) -> Iterator[Case]:
    while True:
        kinds = [kind for kind in KINDS if kind in order.TABLES]
        pool = [(kind, ISSUER.sign(kind, dumps(order_claims(draw, kind)))) for kind in kinds * 4]
        allowed = {bytes([KINDS.index(kind)]) + one for kind, one in pool}
        for _ in range(8 * _POOL):
            (kind, good), (_, other) = draw.choice(pool), draw.choice(pool)
            data = good if draw.random() < 0.04 else forged(draw, good, other, kind, order.TABLES[kind][1])
            came_as = KINDS.index(kind) if draw.random() < 0.9 else draw.randrange(256)
            yield Case(bytes([came_as]) + data, {bytes([came_as % len(KINDS)]) + one[1:] for one in allowed} & allowed)


def _order_wrong(case: Case, _taken: bytes) -> bool:
    return bytes([case.data[0] % len(KINDS)]) + case.data[1:] not in case.allowed


def _key_sets(draw: Random) -> Iterator[Case]:
    while True:
        pool = [ROOT.sign(keyset.KIND, dumps(set_claims(draw.randint(6, 99), draw.randbytes(8)))) for _ in range(6)]
        allowed = set(pool)
        for _ in range(8 * _POOL):
            good, other = draw.choice(pool), draw.choice(pool)
            dice = draw.randrange(20)
            if dice == 0:
                data = good
            elif dice == 1:
                data = ISSUER.sign(keyset.KIND, cbor2.loads(good)[2])  # an issuer makes itself a root
            elif dice == 2:
                data = STRANGER.sign(keyset.KIND, cbor2.loads(good)[2], cbor2.loads(good)[0])
            elif dice == 3:
                data = ROOT.sign(keyset.KIND, _bad_set(draw, cbor2.loads(cbor2.loads(good)[2])))
            elif dice < 12:
                data = other_signature(draw, good) if draw.random() < 0.6 else other_payload(draw, good, other)
            else:
                data = fuzz_bytes.damage(draw, good, other)
            yield Case(data, allowed)


def _bad_set(draw: Random, claims: dict[int, Any]) -> bytes:
    """Return a set that even the root must not get through."""
    dice = draw.randrange(5)
    if dice == 0:
        return dumps({**claims, 18: draw.randint(1, 5)})  # older than the one in force
    if dice == 1:
        return dumps({**claims, 4: NOW_S - 1})
    key = dict(claims[20][0])
    if dice == 2:
        key[2] = draw.randbytes(64)
        key[1] = cose.key_id(key[2])  # named by its thumbprint, and no point of the curve
    elif dice == 3:
        key[1] = draw.randbytes(8)
    return dumps({**claims, 20: [key, key] if dice == 4 else [key, *claims[20][1:]]})


def _stored_sets(draw: Random) -> Iterator[Case]:
    """Make what a slot's CRC lets through: sets of every shape, their signatures not looked at."""
    for case in _key_sets(draw):
        body = fuzz_bytes.pairs(draw, keyset.TABLE)
        body[20] = [fuzz_bytes.pairs(draw, keyset.KEY_TABLE) for _ in range(draw.randrange(3))]
        head = cbor2.dumps({1: -7, 4: ROOT_KID}, canonical=True)
        built = fuzz_bytes.encode(draw, [head, {}, fuzz_bytes.encode(draw, body), bytes(64)], 0.01)
        yield Case(case.data if draw.random() < 0.5 else built)


def _stored_wrong(case: Case, taken: bytes) -> bool:
    """Deterministic CBOR throughout, and no key that is not named by its thumbprint."""
    protected, unprotected, payload, signature = cbor2.loads(case.data)
    found = cbor2.loads(payload)
    kept = all(one[8] != -7 or one[1] == cose.key_id(one[2]) for one in found[20])
    shape = cbor2.dumps([protected, {}, payload, signature]) == case.data and unprotected == {}
    return not (kept and shape and cbor2.dumps(found, canonical=True) == payload and found[7] == taken)


def _envelopes(draw: Random) -> Iterator[Case]:
    while True:
        good = _token_pool(draw)
        for _ in range(40 * _POOL):
            head = {1: fuzz_bytes.number(draw, -7, -7), 4: draw.randbytes(8)}
            parts = [cbor2.dumps(head, canonical=True), {}, draw.randbytes(draw.choice((0, 23, 24, 300))), bytes(64)]
            built = fuzz_bytes.encode(draw, parts, 0.03)
            yield Case(fuzz_bytes.damage(draw, draw.choice(good), built) if draw.random() < 0.6 else built)


def _base45s(draw: Random) -> Iterator[Case]:
    while True:
        data = base45.encode(draw.randbytes(draw.choice((0, 1, 2, 3, 20, 200)))).encode()
        yield Case(data if draw.random() < 0.4 else fuzz_bytes.damage(draw, data))


def _lives(draw: Random) -> Iterator[Case]:
    while True:
        text = live.to_text(draw.randbytes(64), draw.randbytes(draw.choice((64, 64, 64, 63, 65, 0)))).encode()
        yield Case(text if draw.random() < 0.4 else fuzz_bytes.damage(draw, text))


def _live_wrong(case: Case, taken: bytes) -> bool:
    """Exactly 128 bytes behind four characters that the caller has looked at; one text for each."""
    return len(taken) != 196 or taken[4:] != case.data[4:]


def _envelope_wrong(case: Case, taken: bytes) -> bool:
    """The one shape, each part in its shortest form."""
    protected, unprotected, payload, signature = cbor2.loads(case.data)
    headers = cbor2.loads(protected)
    shape = cbor2.dumps([protected, {}, payload, signature]) == case.data == taken
    good = type(headers[1]) is int and isinstance(headers[4], bytes) and len(headers[4]) == 8 and len(headers) == 2
    return not (shape and unprotected == {} and good and dumps(headers) == protected and len(signature) == 64)


def _base45_wrong(case: Case, taken: bytes) -> bool:
    """Groups of three and perhaps a last one of two, none above what its bytes can hold (RFC 9285)."""
    digits = [_BASE45.index(chr(byte)) for byte in case.data]
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    worth = [sum(digit * 45**place for place, digit in enumerate(group)) for group in groups]
    most = [{3: 0xFFFF, 2: 0xFF}.get(len(group), -1) for group in groups]
    return taken != case.data or any(one > high for one, high in zip(worth, most, strict=True))


def _not_allowed(case: Case, _taken: bytes) -> bool:
    return case.data not in case.allowed


def signed_targets() -> list[Target]:
    """Return the targets of everything that is signed, and of the text it travels as."""
    make: list[tuple[str, int, Callable[[Random], Iterator[Case]], Callable[[Case, bytes], bool]]] = [
        ("base45", 5, _base45s, _base45_wrong),
        ("live", 2, _lives, _live_wrong),
        ("cose", 4, _envelopes, _envelope_wrong),
        ("token", 2, _tokens, _not_allowed),
        ("scanner", 1, _scans, _scan_wrong),
        ("key_set", 1, _key_sets, _not_allowed),
        ("key_set_slot", 1, _stored_sets, _stored_wrong),
        ("order", 2, _orders, _order_wrong),
    ]
    return [Target(*one) for one in make]
