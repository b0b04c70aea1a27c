"""Signatures by SM2 with SM3 at the edges: Wycheproof's kinds, built from textbook affine arithmetic.

`cases()` gives (name, public key, message, signature, good?), `hashed_cases()` the same with e = SM3(ZA ‖ message) in
the message's place: a hash cannot be chosen, a number can, and only so do the sums degenerate. Nothing here comes from
the product; SM3 is gmalg's, and `build_crypto.py` asks gmalg about each case.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import gmalg
from textbook import Point, Textbook, b32, pair

P = 2**256 - 2**224 - 2**96 + 2**64 - 1
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
ID = b"1234567812345678"
CURVE = Textbook(P, N, B, G)
Case = tuple[str, bytes, bytes, bytes, bool]

# Scalars that a comb, a window or a sloppy reduction stumbles over.
SCALARS = (1, 2, 3, 4, 7, 1 << 37, (1 << 37) + 1, 1 << 222, 1 << 255, N - 1, N - 2, N // 2, N // 2 + 1, N >> 1 ^ 3)


def sm3(data: bytes) -> bytes:
    """Hash."""
    made = gmalg.SM3()
    made.update(data)
    return bytes(made.value())


def sha256(data: bytes) -> bytes:
    """Hash as the other suite does."""
    return hashlib.sha256(data).digest()


def za(public: bytes, id_: bytes = ID) -> bytes:
    """Return ZA."""
    return sm3((8 * len(id_)).to_bytes(2, "big") + id_ + b32(P - 3) + b32(B) + b32(G[0]) + b32(G[1]) + public)


def sign_hash(d: int, e: int, k: int) -> bytes:
    """Sign e with a given nonce."""
    point = CURVE.times(k, G)
    if point is None:
        raise ValueError("nonce 0")
    r = (e + point[0]) % N
    return pair(r, pow(1 + d, -1, N) * (k - r * d) % N)


def sign(d: int, message: bytes, k: int, *, hash_: Callable[[bytes], bytes] = sm3, first: bytes | None = None) -> bytes:
    """Sign a message; `first` stands in ZA's place."""
    head = za(CURVE.public(d)) if first is None else first
    return sign_hash(d, int.from_bytes(hash_(head + message), "big"), k)


def summed(q: Point, s: int, t: int, shift: int = 0) -> tuple[bytes, bytes, bytes] | None:
    """Return key, e and signature whose check computes s·G + t·Q; it is good where shift is 0."""
    point = CURVE.add(CURVE.times(s, G), CURVE.times(t, q))
    r = (t - s) % N
    if q is None or point is None or r == 0:
        return None
    return pair(*q), b32((r - point[0] + shift) % N), pair(r, s)


def cases() -> Iterator[Case]:
    """Yield messages with signatures."""
    number = CURVE.number
    for i in range(6):
        d, message = number(f"d{i}"), b"message %d" % i * (i * 7)
        yield f"ordinary {i}", CURVE.public(d), message, sign(d, message, number(f"k{i}")), True
    for d in (1, 2, 3, N - 2, N - 3, 1 << 37, 1 << 222, N // 2):
        yield f"private key {d:#x}", CURVE.public(d), b"key", sign(d, b"key", number("k")), True
    for size in (0, 1, 22, 23, 24, 31, 32, 87, 88, 1000):
        d, message = number("sizes"), bytes(range(256))[: size % 256] * (1 if size < 256 else 5)
        message = (message + bytes(size))[:size]
        yield f"message of {size} bytes", CURVE.public(d), message, sign(d, message, number("k")), True
    d, message = number("d"), b"bad"
    key, signature = CURVE.public(d), sign(d, message, number("k"))
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    top = 2**256 - 1
    for name, a, b in (
        ("r = 0", 0, s),
        ("s = 0", r, 0),
        ("r = s = 0", 0, 0),
        ("r = n", N, s),
        ("s = n", r, N),
        ("r + n", (r + N) % (1 << 256), s),
        ("s + n", r, (s + N) % (1 << 256)),
        ("r = p - n", P - N, s),
        ("r = s = 2^256 - 1", top, top),
        ("r = 1, s = 1", 1, 1),
        ("r = n - 1", N - 1, s),
        ("s = n - 1", r, N - 1),
        ("r and s exchanged", s, r),
        ("r + 1", r + 1, s),
        ("s + 1", r, s + 1),
        ("n - r", N - r, s),
        ("n - s", r, N - s),
        ("r + s = n", N - s, s),
    ):
        yield name, key, message, pair(a, b), False
    yield "another message", key, b"good", signature, False
    yield "another key", CURVE.public(number("other")), message, signature, False
    x, y = int.from_bytes(key[:32], "big"), int.from_bytes(key[32:], "big")
    yield "opposite key", pair(x, P - y), message, signature, False
    yield "hashed by SHA-256", key, message, sign(d, message, number("k"), hash_=sha256), False
    yield "without ZA", key, message, sign(d, message, number("k"), first=b""), False
    yield "another id", key, message, sign(d, message, number("k"), first=za(key, b"ALICE123@YAHOO.COM")), False
    yield "ZA of another key", key, message, sign(d, message, number("k"), first=za(CURVE.public(5))), False
    for name, point in (
        ("off the curve, y + 1", pair(x, y + 1)),
        ("off the curve, x + 1", pair(x + 1, y)),
        ("x and y exchanged", pair(y, x)),
        ("point 0, 0", bytes(64)),
        ("x = p", pair(P, y)),
        ("y = p", pair(x, P)),
        ("all ones", b"\xff" * 64),
        ("key of 63 bytes", key[:63]),
        ("key of 65 bytes", b"\x04" + key),
        ("no key", b""),
    ):
        yield name, point, message, signature, False
    yield "signature of 63 bytes", key, message, signature[:63], False
    yield "signature of 65 bytes", key, message, signature + b"\x00", False
    yield "no signature", key, message, b"", False
    for i in range(20):
        d, message = number(f"random key {i % 4}"), b"%064d" % number(f"message {i}")
        signature = sign(d, message, number(f"random nonce {i}"))
        yield f"random {i}", CURVE.public(d), message, signature, True
        bent = bytearray(signature)
        at = number(f"random place {i}") % 512
        bent[at // 8] ^= 1 << at % 8
        yield f"random {i}, bit {at} bent", CURVE.public(d), message, bytes(bent), False


def hashed_cases() -> Iterator[Case]:
    """Yield hashes with signatures: sums that degenerate, and x at the ends of its range."""
    number = CURVE.number
    for e in (0, 1, N - 1, N, N + 1, 2**256 - 1):
        d = number("d")
        yield f"e = {e:#x}", CURVE.public(d), b32(e), sign_hash(d, e, number("k")), True
    q = CURVE.times(number("q"), G)
    for name, s, t in (
        *((f"s = {s:#x}", s, number("t")) for s in SCALARS),
        *((f"t = {t:#x}", number("s"), t) for t in SCALARS),
    ):
        for told, shift in (("", 0), (", x is another", 1)):
            made = summed(q, s, t, shift)
            if made:
                yield name + told, *made, not shift
    # s·G = t·Q: the last addition is a doubling.
    d, t = number("double"), number("t")
    made = summed(CURVE.times(d, G), t * d % N, t)
    assert made is not None
    yield "s G = t Q", *made, True
    # Two summands agree or are opposite on the way, in one of the comb's columns, since Q's points are G's.
    for name, d in (("Q = G", 1), ("Q = -G", N - 1), ("Q = 2 G", 2), ("Q = -2 G", N - 2), ("Q = 2^37 G", 1 << 37)):
        for s, t in ((number("s"), number("t")), (5, 3), (N - 1, 1), (3, 5)):
            made = summed(CURVE.times(d, G), s, t)
            if made:
                yield f"{name}, s = {s:#x}, t = {t:#x}", *made, True
    # Out of range, and right in everything else: only the question about the range says no.
    key = CURVE.public(number("range"))
    q = CURVE.times(number("range"), G)
    for name, r, s in (
        ("s = 0", number("r"), 0),
        ("s = n", number("r"), N),
        ("r = 0", 0, number("s")),
        ("r = n", N, number("s")),
        ("r + n", 12345 + N, number("s")),
        ("s + n", number("r"), 12345 + N),
    ):
        point = CURVE.add(CURVE.times(s, G), CURVE.times(r + s, q))
        assert point is not None
        yield f"{name}, all else is right", key, b32((r - point[0]) % N), pair(r, s), False
    # s·G = -t·Q: the sum is the point at infinity, whose Z = 0 matches every x in a projective comparison.
    d, t = number("infinity"), number("t")
    s = -t * d % N
    r = (t - s) % N
    for name, e in (("", number("e")), (", e = r", r), (", e = 0", 0), (", r - e = p - n", (r - (P - N)) % N)):
        yield f"s G = -t Q{name}", CURVE.public(d), b32(e), pair(r, s), False
    yield "r + s = n, x is that of s G", *_without_key(), False
    # x of the sum in n .. p - 1: r - e = x - n, and only x - n + n matches.
    high = next(point for point in (CURVE.lift(N + i) for i in range(100)) if point is not None)
    s, t = number("s"), number("t")
    q = CURVE.times(pow(t, -1, N), CURVE.add(high, CURVE.negative(CURVE.times(s, G))))
    assert q is not None
    r = (t - s) % N
    yield "x of the sum is above n", pair(*q), b32((r - high[0]) % N), pair(r, s), True
    # x small: r - e + n = x + p matches modulo p only for who forgets that it must be below p.
    low = next(point for point in (CURVE.lift(i) for i in range(1, 100)) if point is not None)
    q = CURVE.times(pow(t, -1, N), CURVE.add(low, CURVE.negative(CURVE.times(s, G))))
    assert q is not None
    yield "x + n matches only modulo p", pair(*q), b32((r - low[0] - (P - N)) % N), pair(r, s), False


def _without_key() -> tuple[bytes, bytes, bytes]:
    """Return what t = 0 would accept from anybody: the key has no part in s·G + 0·Q."""
    s = CURVE.number("s")
    point = CURVE.times(s, G)
    assert point is not None
    r = N - s
    return CURVE.public(CURVE.number("victim")), b32((r - point[0]) % N), pair(r, s)
