"""Tokens, good and bad, each with the circumstances it is judged in; see `object_examples`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from build_wire import code, dumps
from object_examples import (
    ABSENT,
    BOTH_SET,
    DAY,
    DEVICE,
    EMERGENCY,
    HOLDER,
    LATER,
    NATIONAL,
    NOW,
    PERMIT,
    SERVICE,
    SHORT,
    START,
    STRANGER,
    TOKEN_ID,
    TOWN,
    Case,
    Claims,
    Key,
    envelope,
    flipped,
    headers,
    signed,
    tbs,
    with_claims,
)
from sm2_examples import CURVE as SM2
from sm2_examples import sha256, za
from sm2_examples import sign as sm2_sign

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
CLAIMS: Claims = {2: HOLDER, 3: DEVICE, 4: NOW + 12 * 3600, 6: NOW, 7: TOKEN_ID, 13: 28800, 14: 3600}
TOKEN = signed(START, "token", CLAIMS)
FULL: Claims = {
    **CLAIMS,
    5: NOW,
    9: 3,
    10: PERMIT,
    11: NOW,
    12: NOW + 8 * 3600,
}


def base45(data: bytes) -> str:
    """Return Base45 by the book (RFC 9285 §4)."""
    text = ""
    for i in range(0, len(data), 2):
        part = data[i : i + 2]
        value = int.from_bytes(part, "big")
        for _ in range(3 if len(part) == 2 else 2):
            value, digit = divmod(value, 45)
            text += ALPHABET[digit]
    return text


def base45_cases() -> Iterator[Case]:
    """Yield texts and their bytes; the first four are RFC 9285's own."""
    for data, text in (
        (b"AB", "BB8"),
        (b"Hello!!", "%69 VD92EX0"),
        (b"base-45", "UJCLQE7W581"),
        (b"ietf!", "QED8WEX0"),
    ):
        yield {"name": f"RFC 9285 {data.decode()}", "text": text, "expect": data.hex()}
    for data in (b"", b"\x00", b"\x00\x00", b"\xff", b"\xff\xff", b"\x00\xff", bytes(range(256)), TOKEN, bytes(3)):
        yield {"name": f"{len(data)} bytes, {data[:4].hex()}", "text": base45(data), "expect": data.hex()}
    for name, text in (
        ("one character", "A"),
        ("four characters", "BB8A"),
        ("lower case", "bb8"),
        ("full width", "\uff22\uff228"),
        ("Chinese", "焊机"),
        ("comma", "BB,"),
        ("underscore", "B_8"),
        ("newline", "BB8\r\n"),
        ("line end in place of a digit", "BB\n"),
        ("NUL", "BB\0"),
        ("triple worth 65536", "GGW"),
        ("triple worth 91124", ":::"),
        ("pair worth 256", "V5"),
        ("pair worth 2024", "::"),
        ("second group above its range", "BB8GGW"),
        ("pair above its range after a triple", "BB8::"),
    ):
        yield {"name": name, "text": text, "error": code("BASE45_MALFORMED")}


def case(name: str, data: bytes | str, error: str | None = None, clock_s: int = 0, **circumstances: Any) -> Case:
    """Return a token's case; the circumstances are those that differ from the test's own."""
    made: Case = {"name": name, "context": circumstances}
    made |= {"text": data} if isinstance(data, str) else {"hex": data.hex()}
    return made | ({"error": code(error)} if error else {"expect": {"clock_s": clock_s}})


def changed(changes: Claims, key: Key = START, base: Claims = CLAIMS) -> bytes:
    """Return a signed token with some claims changed."""
    return signed(key, "token", with_claims(base, changes))


def padded(size: int) -> bytes:
    """Return a good token of exactly so many bytes."""
    return changed({24: bytes(size - len(changed({24: bytes(30)})) + 30)})


def good_cases() -> Iterator[Case]:
    """Yield tokens that are to be accepted."""
    yield case("plain", TOKEN)
    yield case("plain, as text", "WG1:" + base45(TOKEN))
    yield case("text as bytes", ("WG1:" + base45(TOKEN)).encode())
    yield case("all claims", signed(START, "token", FULL))
    yield case("200 bytes", padded(200))
    yield case("200 bytes, as text", "WG1:" + base45(padded(200)))
    yield case("purpose start named", changed({8: 1}))
    yield case("maintenance", changed({8: 2}, SERVICE))
    yield case("emergency", changed({8: 5, 4: NOW + 14400}, EMERGENCY))
    yield case("key of the chip's own town", changed({}, TOWN))
    yield case("life of 24 h", changed({4: NOW + DAY}))
    yield case("life of 72 h with a permit", changed({4: NOW + 3 * DAY}, base=FULL))
    yield case("permit without a window", changed({10: PERMIT}))
    yield case("first second of the permit", changed({11: NOW}, base=FULL))
    yield case("last second of the permit", changed({12: NOW + 1}, base=FULL))
    yield case("key's longest life", changed({4: NOW + 3600}, SHORT))
    yield case("claims that may be ignored", changed({24: "a", 63: [1, {2: b"x"}]}))
    yield case("issued 10 minutes ahead", changed({6: NOW + 600}))
    yield case("begins when issued, ahead of the clock", changed({5: NOW + 300, 6: NOW + 300}))
    yield case("last second", changed({4: NOW + 1, 6: NOW - 3600}))
    yield case("clock held", TOKEN, quality=1)
    yield case("on a floor, clock learns", TOKEN, clock_s=NOW, quality=0, now_s=NOW - 5 * DAY)
    yield case("on a floor that is ahead", TOKEN, quality=0, now_s=NOW + 60)
    yield case("no clock at all", TOKEN, clock_s=NOW, quality=0, now_s=None)
    far = changed({4: NOW + 300 * DAY + 3600, 6: NOW + 300 * DAY - 60}, TOWN)
    duty = changed({4: NOW + 301 * DAY, 6: NOW + 301 * DAY - 60, 8: 5}, EMERGENCY)
    yield case("emergency past the key set's end", duty, now_s=NOW + 301 * DAY - 30)
    yield case("emergency moves a floor only to the key set's end", duty, quality=0, clock_s=NOW + 300 * DAY)
    yield case("a minute before the key set's end", far, now_s=NOW + 300 * DAY - 50)
    yield case(
        "other ids used, revoked and pruned",
        TOKEN,
        used=[HOLDER.hex()],
        revoked_tokens=[HOLDER.hex()],
        revoked_keys=[SERVICE.kid.hex()],
        pruned_expiry_s=NOW + 12 * 3600 - 1,
        ids_from_s=NOW - 1,
    )
    yield case("longest limits", changed({13: 86400, 14: 259200}))
    yield case("no offline allowance", changed({14: 0}))
    yield case("names its holder's key", changed({15: bytes(range(16))}))
    yield case("domain 65535", changed({9: 65535}))


def envelope_cases() -> Iterator[Case]:
    """Yield what is no token of ours, or not signed as one."""
    payload = dumps(CLAIMS)
    yield case("201 bytes", padded(201), "TOKEN_TOO_LONG")
    yield case("201 bytes, as text", "WG1:" + base45(padded(201)), "TOKEN_TOO_LONG")
    yield case("305 characters", "WG1:" + "0" * 301, "TOKEN_TOO_LONG")
    yield case("a megabyte in spirit", bytes(5000), "TOKEN_TOO_LONG")
    yield case("empty", b"", "TOKEN_MALFORMED")
    yield case("empty text", "", "TOKEN_MALFORMED")
    yield case("prefix alone", "WG1:", "TOKEN_MALFORMED")
    yield case("other prefix", "HC1:" + base45(TOKEN), "TOKEN_MALFORMED")
    yield case("prefix in lower case", "wg1:" + base45(TOKEN), "TOKEN_MALFORMED")
    yield case("no prefix", base45(TOKEN), "TOKEN_MALFORMED")
    yield case("text that is no Base45", "WG1:焊机", "TOKEN_MALFORMED")
    yield case("a machine's label", "https://example.org/m/4503599627370497", "TOKEN_MALFORMED")
    yield case("cut by one", TOKEN[:-1], "TOKEN_MALFORMED")
    yield case("a byte after it", TOKEN + b"\x00", "TOKEN_MALFORMED")
    yield case("tag 18", b"\xd2" + TOKEN, "TOKEN_MALFORMED")
    yield case("unprotected not empty", TOKEN.replace(b"\xa0\x58", b"\xa1\x04\x40\x58", 1), "TOKEN_MALFORMED")
    three = dumps({1: -7, 4: START.kid, 16: 1})
    yield case("third header", envelope(START, "token", payload, three), "TOKEN_MALFORMED")
    yield case("no key set yet", TOKEN, "TOKEN_NO_KEY_SET", key_set=False)
    yield case("unknown key", changed({}, STRANGER), "TOKEN_UNKNOWN_KEY")
    yield case("key revoked", TOKEN, "TOKEN_KEY_REVOKED", revoked_keys=[START.kid.hex()])
    yield case("other algorithm named", envelope(START, "token", payload, headers(START, -257)), "TOKEN_ALGORITHM")
    yield case("algorithm none", envelope(START, "token", payload, headers(START, 0)), "TOKEN_ALGORITHM")
    yield case("key of a later suite", envelope(LATER, "token", payload, headers(LATER, -65000)), "TOKEN_ALGORITHM")
    yield case("ES256 named for a key of a later suite", changed({}, LATER), "TOKEN_ALGORITHM")
    yield case("one bit of the claims", flipped(TOKEN, 30), "TOKEN_SIGNATURE")
    yield case("one bit of the signature", flipped(TOKEN, len(TOKEN) - 1), "TOKEN_SIGNATURE")
    named = envelope(STRANGER, "token", payload, headers(START))
    yield case("stranger in the key's name", named, "TOKEN_SIGNATURE")
    yield case("other key named", envelope(START, "token", payload, headers(SERVICE)), "TOKEN_SIGNATURE")
    yield case("signed as a release", signed(START, "release", CLAIMS), "TOKEN_SIGNATURE")
    yield case("signed as a key set", signed(START, "key-set", CLAIMS), "TOKEN_SIGNATURE")
    yield case("signature of zeros", TOKEN[:-64] + bytes(64), "TOKEN_SIGNATURE")
    yield case("forged: never called used", flipped(TOKEN, len(TOKEN) - 1), "TOKEN_SIGNATURE", used=[TOKEN_ID.hex()])
    forged = envelope(STRANGER, "token", dumps(with_claims(CLAIMS, {3: bytes(8), 4: NOW - 1})), headers(START))
    yield case("forged: never called expired or another's", forged, "TOKEN_SIGNATURE")
    yield case("forged: claims that are none", envelope(STRANGER, "token", b"", headers(START)), "TOKEN_SIGNATURE")
    for name, content in (
        ("claims are a list", dumps([])),
        ("claims are empty bytes", b""),
        ("claims not shortest", b"\xa1\x18\x02\x00"),
        ("claims not in order", b"\xa2" + dumps(3) + dumps(DEVICE) + dumps(2) + dumps(HOLDER)),
        ("claim twice", b"\xa2" + (dumps(3) + dumps(DEVICE)) * 2),
        ("claims with a text key", b"\xa1\x61\x61\x00"),
        ("claims with a tail", payload + b"\x00"),
        ("claims with a float", b"\xa1\x02\xf9\x00\x00"),
    ):
        yield case(name, envelope(START, "token", content), "TOKEN_MALFORMED")


def claim_cases() -> Iterator[Case]:
    """Yield tokens that are signed well and refused for what they say."""
    for label, name in (
        (2, "holder"),
        (3, "device"),
        (4, "expiry"),
        (6, "issued-at"),
        (7, "id"),
        (13, "limit"),
        (14, "offline"),
    ):
        yield case(f"no {name}", changed({label: ABSENT}), "TOKEN_MISSING_CLAIM")
    for label in (1, 16, 17, 23, 64, 1000, -1, 1 << 40):
        yield case(f"unknown claim {label}", changed({label: 1}), "TOKEN_UNKNOWN_CLAIM")
    for name, changes in (
        ("holder of 7 bytes", {2: HOLDER[:7]}),
        ("holder's key by 15 bytes", {15: bytes(15)}),
        ("holder as text", {2: "12345678"}),
        ("device as a number", {3: 4503599627370497}),
        ("device of 9 bytes", {3: DEVICE + b"\x00"}),
        ("expiry before 2020", {4: 1577836799}),
        ("expiry after 2106", {4: 1 << 32}),
        ("expiry true", {4: True}),
        ("expiry null", {4: None}),
        ("expiry negative", {4: -1}),
        ("id empty", {7: b""}),
        ("purpose 0", {8: 0}),
        ("purpose 3", {8: 3}),
        ("purpose 6", {8: 6}),
        ("domain 65536", {9: 65536}),
        ("permit of 16 bytes", {10: bytes(16)}),
        ("limit 0", {13: 0}),
        ("limit above 24 h", {13: 86401}),
        ("offline above 72 h", {14: 259201}),
        ("ends when issued", {4: NOW}),
        ("ends before issued", {6: NOW + 300, 4: NOW + 200}),
        ("ends when it begins", {5: NOW + 12 * 3600}),
        ("window without a permit", {11: NOW}),
        ("permit ends when it begins", {10: PERMIT, 11: NOW, 12: NOW}),
    ):
        yield case(name, changed(changes), "TOKEN_CLAIM_RANGE")
    yield case("life of 24 h and a second", changed({4: NOW + DAY + 1}), "TOKEN_LIFE_TOO_LONG")
    yield case(
        "life of 72 h and a second with a permit", changed({4: NOW + 3 * DAY + 1}, base=FULL), "TOKEN_LIFE_TOO_LONG"
    )
    yield case("emergency of 4 h and a second", changed({8: 5, 4: NOW + 14401}, EMERGENCY), "TOKEN_LIFE_TOO_LONG")
    long_permit = changed({8: 5, 4: NOW + 14401, 10: PERMIT}, EMERGENCY)
    yield case("emergency with a permit is no longer", long_permit, "TOKEN_LIFE_TOO_LONG")
    yield case("above the key's longest life", changed({4: NOW + 3601}, SHORT), "TOKEN_LIFE_TOO_LONG")
    yield case("other device", changed({3: bytes(7) + b"\x09"}), "TOKEN_OTHER_DEVICE")
    yield case("start by a service key", changed({}, SERVICE), "TOKEN_SCOPE")
    yield case("maintenance by a start key", changed({8: 2}), "TOKEN_SCOPE")
    yield case("emergency by a start key", changed({8: 5, 4: NOW + 3600}), "TOKEN_SCOPE")
    yield case("start by the emergency key", changed({4: NOW + 3600}, EMERGENCY), "TOKEN_SCOPE")
    yield case("other area", changed({}, TOWN), "TOKEN_AREA", area="411081103")
    yield case("area is not a prefix", changed({}, TOWN), "TOKEN_AREA", area="41108110")
    yield case("before the key's period", changed({6: NOW - 3601, 4: NOW - 3601 + 3600}, SHORT), "TOKEN_KEY_PERIOD")
    yield case("beyond the key's period", changed({6: NOW + 500, 4: NOW + 7201}, TOWN), None)
    yield case("ends after its key", changed({6: NOW, 4: NOW + 7201}, SHORT), "TOKEN_KEY_PERIOD")
    yield case("revoked", TOKEN, "TOKEN_REVOKED", revoked_tokens=[TOKEN_ID.hex()])


def clock_cases() -> Iterator[Case]:
    """Yield tokens that are refused by the clock or by what was used."""
    end = NOW + 12 * 3600
    yield case("expired this second", TOKEN, "TOKEN_EXPIRED", now_s=end)
    yield case("expired, clock held", TOKEN, "TOKEN_EXPIRED", now_s=end + 5, quality=1)
    yield case("expired by the floor", TOKEN, "TOKEN_EXPIRED", now_s=end, quality=0)
    yield case("issued more than 10 minutes ahead", changed({6: NOW + 601}), "TOKEN_FROM_FUTURE")
    yield case("issued ahead, clock held", changed({6: NOW + 601}), "TOKEN_FROM_FUTURE", quality=1)
    yield case("begins later", changed({5: NOW + 1}), "TOKEN_NOT_YET")
    yield case("begins later, on a floor", changed({5: NOW + 1}), "TOKEN_NOT_YET", quality=0, now_s=None)
    yield case("before the permit", changed({11: NOW + 1}, base=FULL), "TOKEN_PERMIT_WINDOW")
    yield case("after the permit", signed(START, "token", FULL), "TOKEN_PERMIT_WINDOW", now_s=NOW + 8 * 3600)
    ahead = NOW + 299 * DAY + 86399
    late = changed({6: ahead, 4: ahead + 3600})
    yield case("key set ended", late, "TOKEN_KEY_SET_EXPIRED", now_s=NOW + 300 * DAY)
    yield case("key set ended, by the floor", late, "TOKEN_KEY_SET_EXPIRED", now_s=NOW + 300 * DAY, quality=0)
    past = changed({6: NOW + 300 * DAY, 4: NOW + 300 * DAY + 3600})
    yield case("issued past the key set's end, on a floor", past, "TOKEN_KEY_SET_EXPIRED", quality=0)
    step = NOW - DAY + 400 * DAY
    moved = changed({6: step + 1, 4: step + 3601, 8: 5}, EMERGENCY)
    yield case("would move a floor by more than 400 days", moved, "TOKEN_CLOCK_UNSURE", quality=0, now_s=None)
    yield case(
        "moves a floor by 400 days",
        changed({6: step, 4: step + 3600, 8: 5}, EMERGENCY),
        None,
        clock_s=NOW + 300 * DAY,
        quality=0,
        now_s=None,
    )
    yield case("used", TOKEN, "TOKEN_USED", used=[TOKEN_ID.hex()])
    yield case("ends with forgotten ones", TOKEN, "TOKEN_EXPIRED", pruned_expiry_s=end)
    yield case("issued when used ids were lost", TOKEN, "TOKEN_EXPIRED", ids_from_s=NOW)
    yield case("issued before used ids were lost, on a floor", TOKEN, "TOKEN_EXPIRED", ids_from_s=NOW + 5, quality=0)
    yield case("ends before forgotten ones, on a floor", TOKEN, "TOKEN_EXPIRED", pruned_expiry_s=end + 5, quality=0)


def suite_cases() -> Iterator[Case]:
    """Yield tokens by SM2, and what mixes the suites up, before a key set with a key of each."""
    both = {"key_set": BOTH_SET.hex()}
    payload = dumps(CLAIMS)
    sm2 = headers(NATIONAL, -65537)
    good = envelope(NATIONAL, "token", payload, sm2)
    signed_part = tbs(sm2, payload, "token")
    nonce = SM2.number("mixed up")

    def with_signature(signature: bytes) -> bytes:
        return good[:-64] + signature

    yield case("by SM2", good, **both)
    yield case("by SM2, as text", "WG1:" + base45(good), **both)
    yield case("by ES256 beside a key of SM2", TOKEN, **both)
    yield case(
        "by SM2, ES256 named", envelope(NATIONAL, "token", payload, headers(NATIONAL)), "TOKEN_ALGORITHM", **both
    )
    named = envelope(START, "token", payload, headers(START, -65537))
    yield case("by ES256, SM2 named", named, "TOKEN_ALGORITHM", **both)
    named = envelope(NATIONAL, "token", payload, headers(START, -65537))
    yield case("by SM2, in the name of a key of ES256", named, "TOKEN_ALGORITHM", **both)
    named = envelope(NATIONAL, "token", payload, headers(START))
    yield case("by SM2, all of it in the name of ES256", named, "TOKEN_SIGNATURE", **both)
    yield case("by ES256, in the name of SM2", with_signature(START.sign(signed_part)), "TOKEN_SIGNATURE", **both)
    for name, options in (
        ("by SM2 over SHA-256", {"hash_": sha256}),
        ("by SM2 without ZA", {"first": b""}),
        ("by SM2 under another id", {"first": za(NATIONAL.public, b"ALICE123@YAHOO.COM")}),
    ):
        signature = sm2_sign(NATIONAL.d, signed_part, nonce, **options)  # type: ignore[arg-type]
        yield case(name, with_signature(signature), "TOKEN_SIGNATURE", **both)
    yield case("by SM2 as a release", envelope(NATIONAL, "release", payload, sm2), "TOKEN_SIGNATURE", **both)
    for name, at in (("r", -64), ("s", -1), ("the claims", 30)):
        yield case(
            f"by SM2, a bit of {name}", flipped(good, len(good) + at if at < 0 else at), "TOKEN_SIGNATURE", **both
        )
    r, n = int.from_bytes(good[-64:-32], "big"), SM2.n
    for name, signature in (
        ("r = 0", bytes(32) + good[-32:]),
        ("s = 0", good[-64:-32] + bytes(32)),
        ("r + s = n", good[-64:-32] + (n - r).to_bytes(32, "big")),
    ):
        yield case(f"by SM2, {name}", with_signature(signature), "TOKEN_SIGNATURE", **both)


def token_cases() -> Iterator[Case]:
    """Yield all of them."""
    yield from good_cases()
    yield from envelope_cases()
    yield from claim_cases()
    yield from clock_cases()
    yield from suite_cases()
