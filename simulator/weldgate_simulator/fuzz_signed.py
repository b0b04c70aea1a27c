"""Forgeries for the fuzzer: tokens, orders and key sets, signed by fixed keys and then not quite what was signed.

The keys are derived from constants and signatures from RFC 6979, so that a seed gives the same bytes again. A case
carries the bytes that may be taken; anything else that a parser takes is a forgery that passed.
"""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from weldgate_protocol import base45, cose, keyset, order, token
from weldgate_simulator import fuzz_bytes
from weldgate_simulator.fuzz_parsers import KINDS
from weldgate_simulator.fuzz_wire import Case, Target

__all__ = ["ROOT_KID", "WORLD", "signed_targets"]

NOW_S = 1_795_500_000
_DAY_S = 86_400
_DEVICE = bytes.fromhex("0010000000000001")
_LOCK = b"lock-001"
_ALARM = b"alarm-01"
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # the curve's order, SEC 2
_BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_POOL = 24  # good objects that a batch's forgeries are made of


class _Signer:
    """A fixed key pair."""

    def __init__(self, secret: int) -> None:
        self._private = ec.derive_private_key(secret, ec.SECP256R1())
        point = self._private.public_key().public_numbers()
        self.public = point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big")
        self.kid = cose.key_id(self.public)

    def sign(self, kind: bytes, payload: bytes, protected: bytes | None = None) -> bytes:
        """Return a signed object over any payload."""
        head = cbor2.dumps({1: -7, 4: self.kid}, canonical=True) if protected is None else protected
        covered = cbor2.dumps(["Signature1", head, b"weldgate/" + kind + b"/1", payload])
        der = self._private.sign(covered, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        r, s = utils.decode_dss_signature(der)
        return cbor2.dumps([head, {}, payload, r.to_bytes(32, "big") + s.to_bytes(32, "big")])


_ROOT, _ISSUER, _SHORT, _STRANGER = (_Signer(secret) for secret in (0x5EED01, 0x5EED02, 0x5EED03, 0x5EED04))
ROOT_KID = _ROOT.kid


def _entry(signer: _Signer, scopes: int, **other: Any) -> dict[int, Any]:
    return {
        1: signer.kid,
        2: signer.public,
        3: scopes,
        4: other.get("area", ""),
        5: 259_200,
        6: NOW_S - 30 * _DAY_S,
        7: NOW_S + 700 * _DAY_S,
        8: -7,
    }


def _set_claims(version: int, id_: bytes) -> dict[int, Any]:
    keys = [_entry(_ISSUER, 31), _entry(_SHORT, 2, area="99")]
    return {4: NOW_S + 300 * _DAY_S, 6: NOW_S - _DAY_S, 7: id_, 18: version, 20: keys}


WORLD = {
    "device": _DEVICE.hex(),
    "root": _ROOT.public.hex(),
    "now": NOW_S.to_bytes(4, "big").hex(),
    "lock": _LOCK.hex(),
    "alarm": _ALARM.hex(),
    "k_down": (b"d" * 32).hex(),
    "key_set": _ROOT.sign(keyset.KIND, cbor2.dumps(_set_claims(5, b"key-set0"), canonical=True)).hex(),
}


# -- good objects -------------------------------------------------------------------------


def _token_claims(draw: Random) -> dict[int, Any]:
    issued_s = NOW_S - draw.randrange(3600)
    found: dict[int, Any] = {2: draw.randbytes(8), 3: _DEVICE, 4: issued_s + draw.randint(7200, _DAY_S), 6: issued_s}
    found |= {7: draw.randbytes(8), 13: draw.randint(1, _DAY_S), 14: draw.randrange(3600)}
    if draw.random() < 0.3:
        found |= {9: draw.randrange(65536), 10: draw.randbytes(8), 24: draw.randrange(9)}
    return found


def _order_claims(draw: Random, kind: bytes) -> dict[int, Any]:
    found: dict[int, Any] = {3: _DEVICE, 4: NOW_S + 3600, 6: NOW_S - 60, 7: draw.randbytes(8)}
    if kind == order.RELEASE:
        found[16] = _LOCK
    elif kind == order.CLEAR_ALARM:
        found[17] = [_ALARM]
    elif kind == order.LOCK:
        found |= {16: draw.randbytes(8), 23: draw.choice((1, 2))}
    elif kind == order.CONFIG:
        found |= {18: draw.randint(6, 99), 19: {1: draw.randint(5, 600)}}
    else:
        found |= {18: draw.randint(6, 99), 21: [draw.randbytes(8)], 22: []}
    return found


def _dumps(claims: dict[int, Any]) -> bytes:
    return cbor2.dumps(claims, canonical=True)


# -- forgeries ------------------------------------------------------------------------------


def _signature(draw: Random, good: bytes) -> bytes:
    """Return the object with another signature, of the right length."""
    kind = draw.randrange(5)
    if kind == 0:
        new = draw.randbytes(64)
    elif kind == 1:
        r, s = (draw.choice((0, 1, 2, _N - 1, _N, _N + 1, 2**256 - 1, draw.randrange(2**256))) for _ in range(2))
        new = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    elif kind == 2:
        new = good[-32:] + good[-64:-32]
    else:
        flipped = bytearray(good[-64:])
        flipped[draw.randrange(64)] ^= 1 << draw.randrange(8)
        new = bytes(flipped)
    return good[:-64] + new


def _payload(draw: Random, good: bytes, other: bytes) -> bytes:
    """Return the object with a claim's bit turned, under its old signature; or with another one's signature."""
    if draw.random() < 0.4:
        return good[:-64] + other[-64:]
    begin = good.index(b"\xa0", 2) + 3  # after the payload's head
    out = bytearray(good)
    out[draw.randrange(begin, len(good) - 66)] ^= 1 << draw.randrange(8)
    return bytes(out)


def _by_stranger(kind: bytes, payload: bytes) -> bytes:
    """Return what somebody without the key signs in the name of the key."""
    return _STRANGER.sign(kind, payload, cbor2.dumps({1: -7, 4: _ISSUER.kid}, canonical=True))


def _forged(draw: Random, good: bytes, other: bytes, kind: bytes, rows: fuzz_bytes.Rows) -> bytes:
    """Return an object that must not be taken."""
    dice = draw.randrange(20)
    if dice < 8:
        return _signature(draw, good)
    if dice < 12:
        return _payload(draw, good, other)
    if dice == 12:
        return _by_stranger(kind, cbor2.loads(good)[2])
    if dice == 13:
        return _SHORT.sign(kind, cbor2.loads(good)[2])  # another area, and hardly a scope
    if dice == 14:
        return _ISSUER.sign(draw.choice([one for one in (*KINDS, token.KIND) if one != kind]), cbor2.loads(good)[2])
    if dice == 15:
        return _ISSUER.sign(kind, _bad_claims(draw, cbor2.loads(cbor2.loads(good)[2]), rows))
    return fuzz_bytes.damage(draw, good, other)


def _bad_claims(draw: Random, claims: dict[int, Any], rows: fuzz_bytes.Rows) -> bytes:
    """Return claims that even the right key must not get through: for another chip, ended, unknown, or no CBOR."""
    dice = draw.randrange(6)
    if dice == 0:
        return _dumps({**claims, 3: draw.randbytes(8)})
    if dice == 1:
        return _dumps({**claims, 4: NOW_S - draw.randrange(1, 3600), 6: NOW_S - 7200})
    if dice == 2:
        return _dumps({**claims, 6: NOW_S + 601, 4: NOW_S + 7200})
    if dice == 3:
        return _dumps({**claims, draw.choice((0, 1, 15, 64, 99)): 1})
    if dice == 4:
        key, _, kind, _, low, high = draw.choice([row for row in rows if row[3]])
        wrong = low - 1 if kind == "uint" else b"" if kind != "bytes" else draw.randbytes(high + 1)
        return _dumps({**claims, key: wrong})
    return _dumps(claims) + draw.randbytes(1)


# -- targets --------------------------------------------------------------------------------------


def _token_pool(draw: Random) -> list[bytes]:
    return [_ISSUER.sign(token.KIND, _dumps(_token_claims(draw))) for _ in range(_POOL)]


def _tokens(draw: Random) -> Iterator[Case]:
    while True:
        pool = _token_pool(draw)
        allowed = set(pool)
        for _ in range(8 * _POOL):
            good, other = draw.choice(pool), draw.choice(pool)
            data = good if draw.random() < 0.04 else _forged(draw, good, other, token.KIND, token.TABLE)
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
            data = good if draw.random() < 0.1 else _forged(draw, good, draw.choice(pool), token.KIND, token.TABLE)
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
        pool = [(kind, _ISSUER.sign(kind, _dumps(_order_claims(draw, kind)))) for kind in kinds * 4]
        allowed = {bytes([KINDS.index(kind)]) + one for kind, one in pool}
        for _ in range(8 * _POOL):
            (kind, good), (_, other) = draw.choice(pool), draw.choice(pool)
            data = good if draw.random() < 0.04 else _forged(draw, good, other, kind, order.TABLES[kind][1])
            came_as = KINDS.index(kind) if draw.random() < 0.9 else draw.randrange(256)
            yield Case(bytes([came_as]) + data, {bytes([came_as % len(KINDS)]) + one[1:] for one in allowed} & allowed)


def _order_wrong(case: Case, _taken: bytes) -> bool:
    return bytes([case.data[0] % len(KINDS)]) + case.data[1:] not in case.allowed


def _key_sets(draw: Random) -> Iterator[Case]:
    while True:
        pool = [_ROOT.sign(keyset.KIND, _dumps(_set_claims(draw.randint(6, 99), draw.randbytes(8)))) for _ in range(6)]
        allowed = set(pool)
        for _ in range(8 * _POOL):
            good, other = draw.choice(pool), draw.choice(pool)
            dice = draw.randrange(20)
            if dice == 0:
                data = good
            elif dice == 1:
                data = _ISSUER.sign(keyset.KIND, cbor2.loads(good)[2])  # an issuer makes itself a root
            elif dice == 2:
                data = _STRANGER.sign(keyset.KIND, cbor2.loads(good)[2], cbor2.loads(good)[0])
            elif dice == 3:
                data = _ROOT.sign(keyset.KIND, _bad_set(draw, cbor2.loads(cbor2.loads(good)[2])))
            elif dice < 12:
                data = _signature(draw, good) if draw.random() < 0.6 else _payload(draw, good, other)
            else:
                data = fuzz_bytes.damage(draw, good, other)
            yield Case(data, allowed)


def _bad_set(draw: Random, claims: dict[int, Any]) -> bytes:
    """Return a set that even the root must not get through."""
    dice = draw.randrange(5)
    if dice == 0:
        return _dumps({**claims, 18: draw.randint(1, 5)})  # older than the one in force
    if dice == 1:
        return _dumps({**claims, 4: NOW_S - 1})
    key = dict(claims[20][0])
    if dice == 2:
        key[2] = draw.randbytes(64)
        key[1] = cose.key_id(key[2])  # named by its thumbprint, and no point of the curve
    elif dice == 3:
        key[1] = draw.randbytes(8)
    return _dumps({**claims, 20: [key, key] if dice == 4 else [key, *claims[20][1:]]})


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


def _envelope_wrong(case: Case, taken: bytes) -> bool:
    """The one shape, each part in its shortest form."""
    protected, unprotected, payload, signature = cbor2.loads(case.data)
    headers = cbor2.loads(protected)
    shape = cbor2.dumps([protected, {}, payload, signature]) == case.data == taken
    good = type(headers[1]) is int and isinstance(headers[4], bytes) and len(headers[4]) == 8 and len(headers) == 2
    return not (shape and unprotected == {} and good and _dumps(headers) == protected and len(signature) == 64)


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
        ("cose", 4, _envelopes, _envelope_wrong),
        ("token", 2, _tokens, _not_allowed),
        ("scanner", 1, _scans, _scan_wrong),
        ("key_set", 1, _key_sets, _not_allowed),
        ("key_set_slot", 1, _stored_sets, _stored_wrong),
        ("order", 2, _orders, _order_wrong),
    ]
    return [Target(*one) for one in make]
