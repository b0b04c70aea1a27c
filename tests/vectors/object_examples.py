"""Envelopes, key sets, tokens and orders, good and bad, for the vectors.

Built with cbor2, `cryptography` and RFC 6979 nonces (so that they are the same bytes each time); from the product
comes only the register of reasons, for the numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from build_wire import code, dumps
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from p256_examples import number
from sm2_examples import CURVE as SM2
from sm2_examples import sign as sm2_sign

Case = dict[str, Any]
Claims = dict[int, Any]

NOW = 1795500000
DAY = 86400
DEVICE = bytes.fromhex("0010000000000001")
HOLDER = bytes.fromhex("a1a2a3a4a5a6a7a8")
TOKEN_ID = bytes.fromhex("0102030405060708")
ORDER_ID = bytes.fromhex("1112131415161718")
LOCK_ID = bytes.fromhex("2122232425262728")
ALARM_ID = bytes.fromhex("3132333435363738")
PERMIT = bytes.fromhex("4142434445464748")
ABSENT: Any = object()  # "take this claim away"


class Key:
    """A fixed key pair."""

    def __init__(self, name: str) -> None:
        self.private = ec.derive_private_key(number(name), ec.SECP256R1())
        point = self.private.public_key().public_numbers()
        self.x, self.y = point.x.to_bytes(32, "big"), point.y.to_bytes(32, "big")
        self.public = self.x + self.y
        self.kid = hashlib.sha256(dumps({1: 2, -1: 1, -2: self.x, -3: self.y})).digest()[:8]

    def sign(self, data: bytes) -> bytes:
        """Sign, r ‖ s."""
        der = self.private.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        r, s = utils.decode_dss_signature(der)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class NationalKey(Key):
    """A fixed key pair of SM2; its nonces are fixed too."""

    def __init__(self, name: str) -> None:
        self.d = SM2.number(name)
        self.public = SM2.public(self.d)
        self.x, self.y = self.public[:32], self.public[32:]
        self.kid = hashlib.sha256(dumps({1: 2, -1: -65537, -2: self.x, -3: self.y})).digest()[:8]

    def sign(self, data: bytes) -> bytes:
        """Sign, r ‖ s."""
        return sm2_sign(self.d, data, SM2.number(data.hex()))


ROOT, ROOT_2, STRANGER = Key("root"), Key("root 2"), Key("stranger")
START, SERVICE, EMERGENCY, TOWN, SHORT, LATER = (
    Key(n) for n in ("start", "service", "emergency", "town", "short", "sm2")
)


NATIONAL = NationalKey("national")


def tbs(protected: bytes, payload: bytes, kind: str) -> bytes:
    """Return the Sig_structure."""
    return dumps(["Signature1", protected, b"weldgate/" + kind.encode() + b"/1", payload])


def headers(key: Key, alg: int = -7) -> bytes:
    """Return the protected header."""
    return dumps({1: alg, 4: key.kid})


def envelope(key: Key, kind: str, payload: bytes, protected: bytes | None = None) -> bytes:
    """Return a signed object over any payload and header."""
    head = headers(key) if protected is None else protected
    return dumps([head, {}, payload, key.sign(tbs(head, payload, kind))])


def signed(key: Key, kind: str, claims: Claims) -> bytes:
    """Return a signed object."""
    return envelope(key, kind, dumps(claims))


def flipped(data: bytes, at: int) -> bytes:
    """Return the bytes with one bit turned round."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def with_claims(base: Claims, changes: Claims) -> Claims:
    """Return the claims with some changed, added or taken away."""
    return {label: value for label, value in {**base, **changes}.items() if value is not ABSENT}


# key sets


def entry(
    key: Key, scopes: int, area: str = "", life: int = 259200, begin: int = NOW - 30 * DAY, **other: Any
) -> Claims:
    """Return a key's map."""
    end = other.get("end", NOW + 700 * DAY)
    return {1: key.kid, 2: key.public, 3: scopes, 4: area, 5: life, 6: begin, 7: end, 8: other.get("alg", -7)}


SET_CLAIMS: Claims = {
    4: NOW + 300 * DAY,
    6: NOW - DAY,
    7: bytes.fromhex("5152535455565758"),
    18: NOW - DAY,
    20: [
        entry(START, 1),
        entry(SERVICE, 6, "4110"),
        entry(EMERGENCY, 16, life=14400),
        entry(TOWN, 31, "411081102"),
        entry(SHORT, 7, life=3600, begin=NOW - 3600, end=NOW + 7200),
        entry(LATER, 31, alg=-65000),
    ],
}
SET = signed(ROOT, "key-set", SET_CLAIMS)


# A site that moves from one suite to the other.
BOTH_CLAIMS: Claims = {**SET_CLAIMS, 20: [entry(START, 1), entry(NATIONAL, 7, alg=-65537)]}
BOTH_SET = signed(ROOT, "key-set", BOTH_CLAIMS)


def _first(changes: Claims) -> list[Claims]:
    """Return a list of one key with changes."""
    return [with_claims(entry(START, 1), changes)]


def _thumbprint(key: Key, curve: int) -> bytes:
    """Return the id of a key as if it were on another curve."""
    return hashlib.sha256(dumps({1: 2, -1: curve, -2: key.x, -3: key.y})).digest()[:8]


def key_set_cases() -> Iterator[Case]:
    """Yield key sets."""

    def case(name: str, data: bytes, error: str | None = None, **circumstances: Any) -> Case:
        made: Case = {"name": name, "hex": data.hex(), "context": circumstances}
        return made | ({"error": code(error)} if error else {"expect": {}})

    def changed(changes: Claims, key: Key = ROOT) -> bytes:
        return signed(key, "key-set", with_claims(SET_CLAIMS, changes))

    yield case("six keys", SET)
    yield case("the other root", changed({}, ROOT_2))
    yield case("one key", changed({20: _first({})}))
    yield case("for this device", changed({3: DEVICE}))
    yield case("one above the version in force", SET, versions={"key-set": NOW - DAY - 1})
    yield case("clock has no idea", SET, now_s=None, quality=0)
    yield case("issued 10 minutes ahead", changed({6: NOW + 600}))
    yield case("issued far ahead of a floor", changed({6: NOW + 100 * DAY}), quality=0)
    yield case("a claim that may be ignored", changed({24: "note", 63: 1}))
    yield case("a key with a claim that may be ignored", changed({20: _first({40: b"x"})}))
    yield case("all scopes", changed({20: _first({3: 31})}))
    yield case("area of 32 characters", changed({20: _first({4: "4" * 32})}))
    yield case("a key of each suite", BOTH_SET)
    yield case("eight keys", changed({20: [entry(Key(f"k{i}"), 1) for i in range(7)]}))

    yield case("one bit of the payload", flipped(SET, 40), "KEY_SET_SIGNATURE")
    yield case("one bit of the signature", flipped(SET, len(SET) - 1), "KEY_SET_SIGNATURE")
    yield case("signed by an issuer key", changed({}, START), "KEY_SET_SIGNATURE")
    yield case("signed by a stranger", changed({}, STRANGER), "KEY_SET_SIGNATURE")
    named_root = envelope(STRANGER, "key-set", dumps(SET_CLAIMS), headers(ROOT))
    yield case("signed by a stranger in the root's name", named_root, "KEY_SET_SIGNATURE")
    yield case(
        "other algorithm named", envelope(ROOT, "key-set", dumps(SET_CLAIMS), headers(ROOT, -35)), "KEY_SET_SIGNATURE"
    )
    yield case("signed as configuration", signed(ROOT, "config", SET_CLAIMS), "KEY_SET_SIGNATURE")
    yield case("no roots known", SET, "KEY_SET_SIGNATURE", roots=[])
    yield case("version in force", SET, "KEY_SET_VERSION", versions={"key-set": NOW - DAY})
    yield case("older version", SET, "KEY_SET_VERSION", versions={"key-set": NOW})
    yield case("ended", SET, "KEY_SET_EXPIRED", now_s=NOW + 300 * DAY)
    yield case("ended, by the floor", SET, "KEY_SET_EXPIRED", now_s=NOW + 300 * DAY, quality=0)
    yield case("issued more than 10 minutes ahead", changed({6: NOW + 601}), "ORDER_FROM_FUTURE")
    yield case("for another device", changed({3: bytes(8)}), "ORDER_OTHER_DEVICE")
    for name, changes in (
        ("no expiry", {4: ABSENT}),
        ("no issued-at", {6: ABSENT}),
        ("no id", {7: ABSENT}),
        ("no version", {18: ABSENT}),
        ("version 0", {18: 0}),
        ("version of 33 bits", {18: 1 << 32}),
        ("no keys", {20: ABSENT}),
        ("empty list of keys", {20: []}),
        ("a key that is a number", {20: [1]}),
        ("unknown claim", {16: LOCK_ID}),
        ("unknown claim 64", {64: 1}),
        ("negative claim", {-1: 1}),
        ("ends when issued", {4: NOW - DAY}),
        ("key twice", {20: _first({}) + _first({3: 2})}),
        ("key not named by its thumbprint", {20: _first({1: SERVICE.kid})}),
        ("key off the curve", {20: _first({2: START.x + START.x})}),
        ("key of 63 bytes", {20: _first({2: START.public[:63]})}),
        ("key without scopes", {20: _first({3: ABSENT})}),
        ("scopes 0", {20: _first({3: 0})}),
        ("scopes 32", {20: _first({3: 32})}),
        ("scopes true", {20: _first({3: True})}),
        ("area that is no text", {20: _first({4: b"4110"})}),
        ("area of 33 characters", {20: _first({4: "4" * 33})}),
        ("longest life 72 h and a second", {20: _first({5: 259201})}),
        ("key ends when it begins", {20: _first({7: NOW - 30 * DAY})}),
        ("key without algorithm", {20: _first({8: ABSENT})}),
        ("algorithm 7", {20: _first({8: 7})}),
        ("key with an unknown claim", {20: _first({9: 1})}),
    ):
        yield case(name, changed(changes), "KEY_SET_MALFORMED")
    for name, wrong in (
        ("SM2 key named by P-256's thumbprint", {1: _thumbprint(NATIONAL, 1), 2: NATIONAL.public, 8: -65537}),
        ("P-256 key named by SM2's thumbprint", {1: _thumbprint(START, -65537)}),
        ("SM2 key that is a point of P-256", {1: _thumbprint(START, -65537), 8: -65537}),
        ("P-256 key that is a point of SM2's curve", {1: _thumbprint(NATIONAL, 1), 2: NATIONAL.public}),
    ):
        yield case(name, changed({20: _first(wrong)}), "KEY_SET_MALFORMED")
    off = entry(START, 1)
    bad_point = START.x + bytes(32)
    off[2], off[1] = bad_point, hashlib.sha256(dumps({1: 2, -1: 1, -2: START.x, -3: bytes(32)})).digest()[:8]
    yield case("key off the curve, thumbprint right", changed({20: [off]}), "KEY_SET_MALFORMED")
    yield case("tag 18", b"\xd2" + SET, "KEY_SET_MALFORMED")
    sizes = {len(data): data for data in (changed({24: bytes(n), 25: 0}) for n in range(230, 270))}
    yield case("1001 bytes", sizes[1001], "KEY_SET_MALFORMED")
    yield case("1000 bytes", sizes[1000])
    yield case("claims are a list", envelope(ROOT, "key-set", dumps([])), "KEY_SET_MALFORMED")
    yield case("claims not deterministic", envelope(ROOT, "key-set", b"\xa1\x18\x04\x00"), "KEY_SET_MALFORMED")
    yield case("empty", b"", "KEY_SET_MALFORMED")


# envelopes


def cose_cases() -> Iterator[Case]:
    """Yield envelopes: what is one, and what its signature covers."""
    payload = dumps({7: TOKEN_ID})
    for kind in ("token", "release", "key-set"):
        head = headers(START)
        data = envelope(START, kind, payload)
        expect = {
            "alg": -7,
            "kid": START.kid.hex(),
            "payload": payload.hex(),
            "signature": data[-64:].hex(),
            "tbs": tbs(head, payload, kind).hex(),
            "key": START.public.hex(),
        }
        yield {"name": f"as {kind}", "kind": kind, "hex": data.hex(), "expect": expect}
    head, sig = headers(START), bytes(64)
    for name, parts, error in (
        ("empty payload", [head, {}, b"", sig], None),
        ("payload that is no CBOR", [head, {}, b"\xff\xff", sig], None),
        ("other algorithm", [headers(START, -257), {}, payload, sig], None),
        ("unprotected key id", [head, {4: START.kid}, payload, sig], "COSE_HEADERS"),
        ("unprotected is a list", [head, [], payload, sig], "COSE_HEADERS"),
        ("unprotected is null", [head, None, payload, sig], "COSE_HEADERS"),
        ("unprotected is bytes", [head, b"\xa0", payload, sig], "COSE_HEADERS"),
        ("protected empty string", [b"", {}, payload, sig], "COSE_HEADERS"),
        ("protected empty map", [dumps({}), {}, payload, sig], "COSE_HEADERS"),
        ("protected without algorithm", [dumps({4: START.kid}), {}, payload, sig], "COSE_HEADERS"),
        ("protected without key id", [dumps({1: -7}), {}, payload, sig], "COSE_HEADERS"),
        ("protected with a third", [dumps({1: -7, 4: START.kid, 16: 1}), {}, payload, sig], "COSE_HEADERS"),
        ("protected with crit", [dumps({1: -7, 2: [4], 4: START.kid}), {}, payload, sig], "COSE_HEADERS"),
        ("protected is a list", [dumps([1, 4]), {}, payload, sig], "COSE_HEADERS"),
        ("algorithm as text", [dumps({1: "ES256", 4: START.kid}), {}, payload, sig], "COSE_HEADERS"),
        ("algorithm true", [dumps({1: True, 4: START.kid}), {}, payload, sig], "COSE_HEADERS"),
        ("key id of 7 bytes", [dumps({1: -7, 4: START.kid[:7]}), {}, payload, sig], "COSE_HEADERS"),
        ("key id of 9 bytes", [dumps({1: -7, 4: START.kid + b"0"}), {}, payload, sig], "COSE_HEADERS"),
        ("key id as text", [dumps({1: -7, 4: "12345678"}), {}, payload, sig], "COSE_HEADERS"),
        ("protected not in order", [b"\xa2\x04\x48" + START.kid + b"\x01\x26", {}, payload, sig], "COSE_HEADERS"),
        ("protected with a key twice", [b"\xa2\x01\x26\x01\x26", {}, payload, sig], "COSE_HEADERS"),
        ("protected not shortest", [b"\xa2\x01\x38\x06\x04\x48" + START.kid, {}, payload, sig], "COSE_HEADERS"),
        ("protected with a tail", [head + b"\x00", {}, payload, sig], "COSE_HEADERS"),
        ("protected of 22 bytes", [bytes(22), {}, payload, sig], "COSE_HEADERS"),
        ("algorithm of nine bytes", [headers(START, -(2**63)), {}, payload, sig], None),
        ("payload of 24 bytes", [head, {}, bytes(24), sig], None),
        ("payload of 256 bytes", [head, {}, bytes(256), sig], None),
        ("payload as text", [head, {}, "x" * 30, sig], "COSE_MALFORMED"),
        ("three parts", [head, {}, payload], "COSE_MALFORMED"),
        ("five parts", [head, {}, payload, sig, b""], "COSE_MALFORMED"),
        ("signature of 63 bytes", [head, {}, payload, sig[:63]], "COSE_MALFORMED"),
        ("signature of 65 bytes", [head, {}, payload, sig + b"\x00"], "COSE_MALFORMED"),
        ("signature is null", [head, {}, payload, None], "COSE_MALFORMED"),
        ("detached payload", [head, {}, None, sig], "COSE_MALFORMED"),
        ("protected is a map", [{1: -7, 4: START.kid}, {}, payload, sig], "COSE_MALFORMED"),
        ("a map", {1: -7}, "COSE_MALFORMED"),
        ("a number", 5, "COSE_MALFORMED"),
    ):
        made: Case = {"name": name, "kind": "token", "hex": dumps(parts).hex()}
        yield made | ({"error": code(error)} if error else {"expect": {}})
    data = envelope(START, "token", payload)
    for name, broken in (
        ("tag 18", b"\xd2" + data),
        ("tag 61 and 18", b"\xd8\x3d\xd2" + data),
        ("a byte after it", data + b"\x00"),
        ("cut by one", data[:-1]),
        ("empty", b""),
        ("indefinite array", b"\x9f" + data[1:] + b"\xff"),
        ("array head not shortest", b"\x98\x04" + data[1:]),
        ("signature length not shortest", data[:-66] + b"\x59\x00\x40" + data[-64:]),
        ("payload length of 24 on two bytes", data.replace(b"\xa0", b"\xa0\x59\x00\x18" + bytes(24), 1)),
        ("payload length of 11 on one byte", data.replace(b"\xa0\x4b", b"\xa0\x58\x0b", 1)),
        ("payload length on four bytes", data.replace(b"\xa0\x4b", b"\xa0\x5a\x00\x00\x00\x0b", 1)),
        ("payload in pieces", data.replace(b"\xa0\x4b", b"\xa0\x5f\x4b", 1)),
        ("length cut off", b"\x84\x58"),
        ("billion items", b"\x9a\x3b\x9a\xca\x00"),
        ("nested deeply", b"\x81" * 100),
        ("string of 2^64 bytes", b"\x84\x5b" + b"\xff" * 8),
    ):
        yield {"name": name, "kind": "token", "hex": broken.hex(), "error": code("COSE_MALFORMED")}
