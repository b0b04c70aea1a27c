"""Signatures over P-256 at the edges: what Wycheproof's collections look for, built from textbook affine arithmetic.

`cases()` gives (name, public key, digest, signature, good?). Nothing here comes from the product; `build_crypto.py`
asks `cryptography` about each of them as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from textbook import Point, Textbook, b32, pair

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_CURVE = Textbook(P, N, B, G)
number, add, times = _CURVE.number, _CURVE.add, _CURVE.times
negative, lift, public = _CURVE.negative, _CURVE.lift, _CURVE.public
Case = tuple[str, bytes, bytes, bytes, bool]

# Scalars that a comb, a window or a sloppy reduction stumbles over.
SCALARS = (0, 1, 2, 3, 4, 7, 1 << 37, (1 << 37) + 1, 1 << 222, 1 << 255, N - 1, N - 2, N // 2, N // 2 + 1, N >> 1 ^ 3)


def crafted(u1: int, u2: int, r_point: Point, r: int) -> tuple[bytes, bytes, bytes] | None:
    """Return key, digest and signature whose check computes u1·G + u2·Q = the given point, compared with r."""
    q = times(pow(u2, -1, N), add(r_point, negative(times(u1, G))))
    s = r * pow(u2, -1, N) % N
    if q is None:
        return None
    return pair(*q), b32(u1 * s % N), pair(r, s)


def keyed(d: int, u1: int, u2: int) -> tuple[bytes, bytes, bytes] | None:
    """Return key, digest and a good signature whose check computes u1·G + u2·Q, for a given private key."""
    point = times(u1 + u2 * d, G)
    if point is None or not point[0] % N:
        return None
    r = point[0] % N
    s = r * pow(u2, -1, N) % N
    return public(d), b32(u1 * s % N), pair(r, s)


def under(q: Point, u1: int, u2: int) -> tuple[bytes, bytes]:
    """Return digest and a good signature whose check computes u1·G + u2·Q, for a key whose private half is unknown."""
    point = add(times(u1, G), times(u2, q))
    if point is None:
        raise ValueError("sum at infinity")
    r = point[0] % N
    s = r * pow(u2, -1, N) % N
    return b32(u1 * s % N), pair(r, s)


def sign(d: int, digest: bytes, k: int) -> bytes:
    """Sign with a given nonce."""
    point = times(k, G)
    if point is None:
        raise ValueError("nonce 0")
    r = point[0] % N
    return pair(r, pow(k, -1, N) * (int.from_bytes(digest, "big") + r * d) % N)


def good_cases() -> Iterator[Case]:
    """Yield good signatures, ordinary and at the edges."""
    for i in range(6):
        d, k, digest = number(f"d{i}"), number(f"k{i}"), hashlib.sha256(b"%d" % i).digest()
        yield f"ordinary {i}", public(d), digest, sign(d, digest, k), True
        signature = sign(d, digest, k)
        s = int.from_bytes(signature[32:], "big")
        yield f"ordinary {i}, n - s", public(d), digest, signature[:32] + b32(N - s), True
    for d in (1, 2, 3, N - 1, N - 2, 1 << 37, 1 << 222, N // 2):
        digest = hashlib.sha256(b"key").digest()
        yield f"private key {d:#x}", public(d), digest, sign(d, digest, number("k")), True
    for value in (0, 1, N - 1, N, N + 1, 2**256 - 1):
        d, digest = number("d"), b32(value)
        yield f"digest {value:#x}", public(d), digest, sign(d, digest, number("k")), True
    for k in (1, 2, N - 1):
        d, digest = number("d"), hashlib.sha256(b"nonce").digest()
        yield f"nonce {k:#x}", public(d), digest, sign(d, digest, k), True
    point = times(number("r"), G)
    assert point is not None
    for u1 in SCALARS:
        made = crafted(u1, number("u2"), point, point[0] % N)
        if made:
            yield f"u1 = {u1:#x}", *made, True
    for u2 in SCALARS[1:]:
        made = crafted(number("u1"), u2, point, point[0] % N)
        if made:
            yield f"u2 = {u2:#x}", *made, True
    for u in SCALARS[1:]:
        made = crafted(u, u, point, point[0] % N)
        if made:
            yield f"u1 = u2 = {u:#x}", *made, True
    # u1·G = u2·Q: the last addition is a doubling. e = r·d, s = 2·e / k.
    d, k = number("double"), number("k")
    r_point = times(k, G)
    assert r_point is not None
    r = r_point[0] % N
    yield "u1 G = u2 Q", public(d), b32(r * d % N), pair(r, pow(k, -1, N) * 2 * r * d % N), True
    # Two summands agree or are opposite on the way, in one of the comb's columns, since Q's points are G's.
    for name, d in (("Q = G", 1), ("Q = -G", N - 1), ("Q = 2 G", 2), ("Q = -2 G", N - 2), ("Q = 2^37 G", 1 << 37)):
        for u1, u2 in ((number("u1"), number("u2")), (5, 3), (number("u1"), number("u1")), (N - 1, 1)):
            made = keyed(d, u1, u2)
            if made:
                yield f"{name}, u1 = {u1:#x}, u2 = {u2:#x}", *made, True
    small = next(p for p in (lift(i) for i in range(1, 100)) if p is not None)
    yield "key with a small x", pair(*small), *under(small, number("u1"), number("u2")), True
    # x of the sum in n .. p - 1: r = x - n, and only r + n matches.
    high = next(p for p in (lift(N + i) for i in range(100)) if p is not None)
    made = crafted(number("u1"), number("u2"), high, high[0] - N)
    assert made is not None
    yield "r + n is the x of the sum", *made, True


def bad_cases() -> Iterator[Case]:
    """Yield what must be a no."""
    d, digest = number("d"), hashlib.sha256(b"bad").digest()
    key, signature = public(d), sign(d, digest, number("k"))
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    top = 2**256 - 1
    for name, a, b in (
        ("r = 0", 0, s),
        ("s = 0", r, 0),
        ("r = s = 0", 0, 0),
        ("r = n", N, s),
        ("s = n", r, N),
        ("r = 0, s = n", 0, N),
        ("r = n, s = 0", N, 0),
        ("r = n + 1", N + 1, s),
        ("s = n + 1", r, N + 1),
        ("r = p", P, s),
        ("r = p - n", P - N, s),
        ("r = s = 2^256 - 1", top, top),
        ("r = 1, s = 0", 1, 0),
        ("r = 1, s = 1", 1, 1),
        ("r = n - 1", N - 1, s),
        ("s = n - 1", r, N - 1),
        ("r and s exchanged", s, r),
        ("r + 1", r + 1, s),
        ("s + 1", r, s + 1),
        ("n - r", N - r, s),
    ):
        yield name, key, digest, pair(a, b), False
    point = times(number("r"), G)
    assert point is not None
    for u in SCALARS:
        for name, made in (
            (f"u1 = {u:#x}, r is not the x of the sum", crafted(u, number("u2"), point, point[0] % N ^ 1)),
            (f"u2 = {u:#x}, r is not the x of the sum", crafted(number("u1"), u or 5, point, point[0] % N ^ 1)),
        ):
            if made:
                yield name, *made, False
    for at in (0, 31, 32, 63):
        flipped = bytearray(signature)
        flipped[at] ^= 1
        yield f"a bit of the signature's byte {at}", key, digest, bytes(flipped), False
    yield "another digest", key, hashlib.sha256(b"other").digest(), signature, False
    yield "digest 0 for another", key, bytes(32), signature, False
    yield "another key", public(number("other")), digest, signature, False
    yield (
        "opposite key",
        pair(int.from_bytes(key[:32], "big"), P - int.from_bytes(key[32:], "big")),
        digest,
        signature,
        False,
    )
    # u1·G = -u2·Q: the sum is the point at infinity, whose Z = 0 matches every r in a projective comparison.
    for name, r_ in (("", number("r")), (", r = 1", 1), (", r = p - n", P - N)):
        yield f"u1 G = -u2 Q{name}", key, b32(-r_ * d % N), pair(r_, s), False
    yield "Q = -G, u1 = u2", public(N - 1), b32(r), pair(r, s), False
    # x of the sum small: r + n = x + p matches modulo p only for who forgets that r + n must be below p.
    low = next(p for p in (lift(i) for i in range(1, 100)) if p is not None)
    made = crafted(number("u1"), number("u2"), low, low[0] + P - N)
    assert made is not None
    yield "r + n matches only modulo p", *made, False
    # x of the sum in n .. p - 1 and r = that x, unreduced.
    high = next(p for p in (lift(N + i) for i in range(100)) if p is not None)
    made = crafted(number("u1"), number("u2"), high, high[0] - N)
    assert made is not None
    yield "r unreduced", made[0], made[1], b32(high[0]) + made[2][32:], False


def broken_cases() -> Iterator[Case]:
    """Yield malformed arguments: points that are none, lengths."""
    d, digest = number("d"), hashlib.sha256(b"broken").digest()
    key, signature = public(d), sign(d, digest, number("k"))
    x, y = int.from_bytes(key[:32], "big"), int.from_bytes(key[32:], "big")
    low = next(p for p in (lift(i) for i in range(1, 100)) if p is not None)
    assert low is not None
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
        yield name, point, digest, signature, False
    made = under(low, number("u1"), number("u2"))
    yield "x + p of a key whose signature is good", pair(low[0] + P, low[1]), *made, False
    yield "signature of 63 bytes", key, digest, signature[:63], False
    yield "signature of 65 bytes", key, digest, signature + b"\x00", False
    yield "no signature", key, digest, b"", False
    yield "digest of 31 bytes", key, digest[:31], signature, False
    yield "digest of 33 bytes", key, digest + b"\x00", signature, False


def random_cases() -> Iterator[Case]:
    """Yield 240 signatures by six arbitrary keys, whole and bent in every part."""
    for i in range(6):
        d = number(f"random key {i}")
        key = public(d)
        for j in range(20):
            digest = hashlib.sha256(f"random {i} {j}".encode()).digest()
            signature = sign(d, digest, number(f"random nonce {i} {j}"))
            yield f"key {i}, signature {j}", key, digest, signature, True
            bent = bytearray(digest + signature)
            at = number(f"random place {i} {j}") % (8 * len(bent))
            bent[at // 8] ^= 1 << at % 8
            yield f"key {i}, signature {j}, its bit {at} bent", key, bytes(bent[:32]), bytes(bent[32:]), False


def cases() -> Iterator[Case]:
    """Yield all of them."""
    yield from good_cases()
    yield from bad_cases()
    yield from broken_cases()
