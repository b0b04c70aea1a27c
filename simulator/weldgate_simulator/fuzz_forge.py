"""Keys, good objects and forgeries of them: what the fuzzer's signed input is made of.

The keys are derived from constants, signatures from RFC 6979 or their own message, so that a seed gives the same bytes
again.
"""

import hashlib
from random import Random
from typing import Any

import cbor2
import gmalg
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from weldgate_protocol import cose, keyset, order, token
from weldgate_simulator import fuzz_bytes
from weldgate_simulator.fuzz_parsers import KINDS

__all__ = [
    "ISSUER",
    "NATIONAL",
    "NOW_S",
    "ROOT",
    "ROOT_KID",
    "STRANGER",
    "WORLD",
    "Signer",
    "dumps",
    "forged",
    "order_claims",
    "other_payload",
    "other_signature",
    "set_claims",
    "token_claims",
]

NOW_S = 1_795_500_000
_DAY_S = 86_400
_DEVICE = bytes.fromhex("0010000000000001")
_LOCK = b"lock-001"
_ALARM = b"alarm-01"
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # the curve's order, SEC 2


class Signer:
    """A fixed key pair."""

    alg = cose.ES256

    def __init__(self, secret: int) -> None:
        self._private = ec.derive_private_key(secret, ec.SECP256R1())
        point = self._private.public_key().public_numbers()
        self.public = point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big")
        self.kid = cose.key_id(self.public)

    def head(self) -> bytes:
        """Return the protected header that names this key."""
        return cbor2.dumps({1: self.alg, 4: self.kid}, canonical=True)

    def sign(self, kind: bytes, payload: bytes, protected: bytes | None = None) -> bytes:
        """Return a signed object over any payload."""
        head = self.head() if protected is None else protected
        covered = cbor2.dumps(["Signature1", head, b"weldgate/" + kind + b"/1", payload])
        return cbor2.dumps([head, {}, payload, self._signature(covered)])

    def _signature(self, covered: bytes) -> bytes:
        der = self._private.sign(covered, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        r, s = utils.decode_dss_signature(der)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class _NationalSigner(Signer):
    """A fixed key pair of SM2."""

    alg = cose.SM2_SM3

    def __init__(self, secret: int) -> None:
        self._secret = secret.to_bytes(32, "big")
        self.public = bytes(gmalg.SM2().generate_pk(self._secret)[-64:])
        self.kid = cose.key_id(self.public, self.alg)

    def _signature(self, covered: bytes) -> bytes:
        nonces = Random(hashlib.sha256(self._secret + covered).digest())  # noqa: S311 - a seed gives the same bytes
        signer = gmalg.SM2(self._secret, b"1234567812345678", b"\x04" + self.public, rnd_fn=nonces.getrandbits)
        r, s = signer.sign(covered)  # each without the zeros it begins with
        return bytes(r.rjust(32, b"\0") + s.rjust(32, b"\0"))


ROOT, ISSUER, _SHORT, STRANGER = (Signer(secret) for secret in (0x5EED01, 0x5EED02, 0x5EED03, 0x5EED04))
NATIONAL = _NationalSigner(0x5EED05)
ROOT_KID = ROOT.kid


def _entry(signer: Signer, scopes: int, **other: Any) -> dict[int, Any]:
    return {
        1: signer.kid,
        2: signer.public,
        3: scopes,
        4: other.get("area", ""),
        5: 259_200,
        6: NOW_S - 30 * _DAY_S,
        7: NOW_S + 700 * _DAY_S,
        8: signer.alg,
    }


def set_claims(version: int, id_: bytes) -> dict[int, Any]:
    """Return a key set's claims with the three issuer keys."""
    keys = [_entry(ISSUER, 31), _entry(_SHORT, 2, area="99"), _entry(NATIONAL, 31)]
    return {4: NOW_S + 300 * _DAY_S, 6: NOW_S - _DAY_S, 7: id_, 18: version, 20: keys}


WORLD = {
    "device": _DEVICE.hex(),
    "root": ROOT.public.hex(),
    "now": NOW_S.to_bytes(4, "big").hex(),
    "lock": _LOCK.hex(),
    "alarm": _ALARM.hex(),
    "k_down": (b"d" * 32).hex(),
    "key_set": ROOT.sign(keyset.KIND, cbor2.dumps(set_claims(5, b"key-set0"), canonical=True)).hex(),
}


# -- good objects -------------------------------------------------------------------------


def token_claims(draw: Random) -> dict[int, Any]:
    """Return the claims of a good token."""
    issued_s = NOW_S - draw.randrange(3600)
    found: dict[int, Any] = {2: draw.randbytes(8), 3: _DEVICE, 4: issued_s + draw.randint(7200, _DAY_S), 6: issued_s}
    found |= {7: draw.randbytes(8), 13: draw.randint(1, _DAY_S), 14: draw.randrange(3600)}
    if draw.random() < 0.3:
        found |= {9: draw.randrange(65536), 10: draw.randbytes(8), 24: draw.randrange(9)}
    return found


def order_claims(draw: Random, kind: bytes) -> dict[int, Any]:
    """Return the claims of a good order of a kind."""
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


def dumps(claims: dict[int, Any]) -> bytes:
    """Return the deterministic CBOR of claims."""
    return cbor2.dumps(claims, canonical=True)


# -- forgeries ------------------------------------------------------------------------------


def other_signature(draw: Random, good: bytes) -> bytes:
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


def other_payload(draw: Random, good: bytes, other: bytes) -> bytes:
    """Return the object with a claim's bit turned, under its old signature; or with another one's signature."""
    if draw.random() < 0.4:
        return good[:-64] + other[-64:]
    begin = good.index(b"\xa0", 2) + 3  # after the payload's head
    out = bytearray(good)
    out[draw.randrange(begin, len(good) - 66)] ^= 1 << draw.randrange(8)
    return bytes(out)


def _by_another(draw: Random, kind: bytes, payload: bytes) -> bytes:
    """Return what somebody without the key signs in the name of the key, or a key of the other suite does."""
    mixed = {1: draw.choice((cose.ES256, cose.SM2_SM3)), 4: draw.choice((ISSUER, NATIONAL)).kid}
    signer, head = draw.choice(
        (
            (STRANGER, ISSUER.head()),
            (STRANGER, NATIONAL.head()),
            (ISSUER, NATIONAL.head()),
            (NATIONAL, ISSUER.head()),
            (STRANGER, dumps(mixed)),
        )
    )
    return signer.sign(kind, payload, head)


def forged(draw: Random, good: bytes, other: bytes, kind: bytes, rows: fuzz_bytes.Rows) -> bytes:
    """Return an object that must not be taken."""
    dice = draw.randrange(20)
    if dice < 8:
        return other_signature(draw, good)
    if dice < 12:
        return other_payload(draw, good, other)
    if dice == 12:
        return _by_another(draw, kind, cbor2.loads(good)[2])
    if dice == 13:
        return _SHORT.sign(kind, cbor2.loads(good)[2])  # another area, and hardly a scope
    if dice == 14:
        return ISSUER.sign(draw.choice([one for one in (*KINDS, token.KIND) if one != kind]), cbor2.loads(good)[2])
    if dice == 15:
        return ISSUER.sign(kind, _bad_claims(draw, cbor2.loads(cbor2.loads(good)[2]), rows))
    return fuzz_bytes.damage(draw, good, other)


def _bad_claims(draw: Random, claims: dict[int, Any], rows: fuzz_bytes.Rows) -> bytes:
    """Return claims that even the right key must not get through: for another chip, ended, unknown, or no CBOR."""
    dice = draw.randrange(6)
    if dice == 0:
        return dumps({**claims, 3: draw.randbytes(8)})
    if dice == 1:
        return dumps({**claims, 4: NOW_S - draw.randrange(1, 3600), 6: NOW_S - 7200})
    if dice == 2:
        return dumps({**claims, 6: NOW_S + 601, 4: NOW_S + 7200})
    if dice == 3:
        return dumps({**claims, draw.choice((0, 1, 15, 64, 99)): 1})
    if dice == 4:
        key, _, kind, _, low, high = draw.choice([row for row in rows if row[3]])
        wrong = low - 1 if kind == "uint" else b"" if kind != "bytes" else draw.randbytes(high + 1)
        return dumps({**claims, key: wrong})
    return dumps(claims) + draw.randbytes(1)
