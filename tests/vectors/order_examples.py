"""Signed orders, good and bad, each with the circumstances it is judged in; see `object_examples`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from build_wire import code, dumps
from object_examples import (
    ABSENT,
    ALARM_ID,
    BOTH_SET,
    DAY,
    DEVICE,
    LATER,
    LOCK_ID,
    NATIONAL,
    NOW,
    ORDER_ID,
    ROOT,
    SERVICE,
    SET,
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
    with_claims,
)

COMMON: Claims = {3: DEVICE, 4: NOW + 7 * DAY, 6: NOW, 7: ORDER_ID}
BODIES: dict[str, Claims] = {
    "release": {**COMMON, 16: LOCK_ID},
    "clear-alarm": {**COMMON, 17: [ALARM_ID]},
    "config": {**COMMON, 18: NOW, 19: {1: 300, 2: "x", 3: True, 4: [1, 2]}},
    "revocations": {4: NOW + 7 * DAY, 6: NOW, 7: ORDER_ID, 18: NOW, 21: [TOKEN_ID], 22: [START.kid]},
    "lock": {**COMMON, 16: LOCK_ID, 23: 1},
    "rekey": {**COMMON, 9: bytes(112), 18: 1},
    "planned-removal": {**COMMON, 10: 3600},
}
OTHER_ALARM = bytes.fromhex("3132333435363739")


def case(name: str, kind: str, data: bytes, error: str | None = None, **circumstances: Any) -> Case:
    """Return an order's case; the circumstances are those that differ from the test's own."""
    made: Case = {"name": f"{kind}: {name}", "kind": kind, "hex": data.hex(), "context": circumstances}
    return made | ({"error": code(error)} if error else {"expect": {}})


def changed(kind: str, changes: Claims, key: Key = SERVICE) -> bytes:
    """Return a signed order with some claims changed."""
    return signed(key, kind, with_claims(BODIES[kind], changes))


def answer_cases() -> Iterator[Case]:
    """Yield bytes that came as an order and were not verified, with what names them in the answer (M-ORD-15)."""
    good = changed("release", {})
    for name, data in (
        ("a signed order", good),
        ("one bit of it changed", flipped(good, 30)),
        ("cut off", good[:-1]),
        ("no object", b"noise"),
        ("one byte", b"\x00"),
        ("1000 bytes", bytes(1000)),
    ):
        yield {"name": name, "hex": data.hex(), "expect": {"answer": hashlib.sha256(data).digest()[:8].hex()}}


def good_cases() -> Iterator[Case]:
    """Yield orders that are to be carried out."""
    for kind in BODIES:
        yield case("plain", kind, changed(kind, {}))
        yield case("key of the chip's own town", kind, changed(kind, {}, TOWN))
        yield case("issued 10 minutes ahead", kind, changed(kind, {6: NOW + 600}))
        yield case("31 days to reach the chip", kind, changed(kind, {4: NOW + 31 * DAY}))
        yield case("a claim that may be ignored", kind, changed(kind, {24: [1], 63: "x"}))
        yield case("on a floor", kind, changed(kind, {6: NOW + 2 * DAY}), quality=0)
        yield case("no clock at all", kind, changed(kind, {}), quality=0, now_s=None)
    yield case("one of two locks", "release", changed("release", {}), locks=[TOKEN_ID.hex(), LOCK_ID.hex()])
    yield case(
        "two alarms",
        "clear-alarm",
        changed("clear-alarm", {17: [ALARM_ID, OTHER_ALARM]}),
        alarms=[OTHER_ALARM.hex(), ALARM_ID.hex()],
    )
    yield case(
        "the clock's alarm, whatever the clock says",
        "clear-alarm",
        changed("clear-alarm", {}),
        clock_alarm=ALARM_ID.hex(),
        alarms=[],
        now_s=NOW + 4000 * DAY,
        pruned_expiry_s=NOW + 4000 * DAY,
    )
    yield case("one above the version in force", "config", changed("config", {}), versions={"config": NOW - 1})
    yield case("id used before does not matter", "config", changed("config", {}), used=[ORDER_ID.hex()])
    yield case("other version does not matter", "config", changed("config", {}), versions={"revocations": NOW})
    yield case("empty lists", "revocations", changed("revocations", {21: [], 22: []}))
    yield case("for this device", "revocations", changed("revocations", {3: DEVICE}))
    yield case("90 tokens", "revocations", changed("revocations", {21: [bytes(7) + bytes([i]) for i in range(90)]}))
    yield case("now", "lock", changed("lock", {23: 2}))
    yield case("one above the generation in force", "rekey", changed("rekey", {18: 8}), versions={"rekey": 7})
    yield case("72 h", "planned-removal", changed("planned-removal", {10: 259200}))
    yield case("while that lock does not hold", "lock", changed("lock", {}), locks=[])
    yield case("a key set as an order", "key-set", SET)


def envelope_cases() -> Iterator[Case]:
    """Yield what is no order of its kind."""
    for kind in ("update", "token", ""):
        yield case("unsupported", kind, signed(SERVICE, kind, BODIES["release"]), "ORDER_UNSUPPORTED")
    for kind in BODIES:
        good = changed(kind, {})
        body = dumps(BODIES[kind])
        other = "release" if kind != "release" else "clear-alarm"
        yield case("one bit of the claims", kind, flipped(good, 30), "ORDER_SIGNATURE")
        yield case("one bit of the signature", kind, flipped(good, len(good) - 1), "ORDER_SIGNATURE")
        yield case("signed as another kind", kind, signed(SERVICE, other, BODIES[kind]), "ORDER_SIGNATURE")
        yield case("signed as a token", kind, signed(SERVICE, "token", BODIES[kind]), "ORDER_SIGNATURE")
        stranger = envelope(STRANGER, kind, body, headers(SERVICE))
        yield case("stranger in the key's name", kind, stranger, "ORDER_SIGNATURE")
        yield case("unknown key", kind, changed(kind, {}, STRANGER), "ORDER_UNKNOWN_KEY")
        yield case("by a root", kind, changed(kind, {}, ROOT), "ORDER_UNKNOWN_KEY")
        yield case("key revoked", kind, good, "ORDER_UNKNOWN_KEY", revoked_keys=[SERVICE.kid.hex()])
        yield case("no key set", kind, good, "ORDER_UNKNOWN_KEY", key_set=False)
        yield case("start key", kind, changed(kind, {}, START), "ORDER_SCOPE")
        yield case("other area", kind, changed(kind, {}, TOWN), "ORDER_SCOPE", area="411081103")
        yield case("ends after its key", kind, changed(kind, {4: NOW + 7201}, SHORT), "ORDER_SCOPE")
        yield case("empty", kind, b"", "ORDER_MALFORMED")
        yield case("tag 18", kind, b"\xd2" + good, "ORDER_MALFORMED")
        yield case(
            "1001 bytes",
            kind,
            changed(kind, {24: bytes(1001 - len(changed(kind, {24: bytes(300)})) + 300)}),
            "ORDER_TOO_LONG",
        )
    yield case(
        "algorithm of a later suite",
        "release",
        envelope(LATER, "release", b"\xa0", headers(LATER, -65000)),
        "ORDER_SIGNATURE",
    )
    yield case(
        "other algorithm named",
        "release",
        envelope(SERVICE, "release", dumps(BODIES["release"]), headers(SERVICE, -35)),
        "ORDER_SIGNATURE",
    )
    yield case(
        "used, but forged", "release", flipped(changed("release", {}), 30), "ORDER_SIGNATURE", used=[ORDER_ID.hex()]
    )
    yield case("claims are a list", "release", envelope(SERVICE, "release", dumps([1])), "ORDER_MALFORMED")
    yield case("claim twice", "release", envelope(SERVICE, "release", b"\xa2\x04\x00\x04\x00"), "ORDER_MALFORMED")
    yield case("signed by an issuer key", "key-set", changed("config", {}), "KEY_SET_SIGNATURE")


def claim_cases() -> Iterator[Case]:
    """Yield orders that are signed well and refused for what they say."""
    for kind, body in BODIES.items():
        for label in body:
            yield case(f"no claim {label}", kind, changed(kind, {label: ABSENT}), "ORDER_MISSING_CLAIM")
        for label in (1, 20, 23 if kind != "lock" else 19, 64, -1):
            yield case(f"unknown claim {label}", kind, changed(kind, {label: 1}), "ORDER_UNKNOWN_CLAIM")
        yield case("id of 7 bytes", kind, changed(kind, {7: ORDER_ID[:7]}), "ORDER_CLAIM_RANGE")
        yield case("ends when issued", kind, changed(kind, {4: NOW}), "ORDER_CLAIM_RANGE")
        yield case("31 days and a second", kind, changed(kind, {4: NOW + 31 * DAY + 1}), "ORDER_CLAIM_RANGE")
        yield case("other device", kind, changed(kind, {3: bytes(8)}), "ORDER_OTHER_DEVICE")
        yield case("expired", kind, changed(kind, {}), "ORDER_EXPIRED", now_s=NOW + 7 * DAY)
        yield case("expired by the floor", kind, changed(kind, {}), "ORDER_EXPIRED", now_s=NOW + 7 * DAY, quality=0)
        yield case("issued more than 10 minutes ahead", kind, changed(kind, {6: NOW + 601}), "ORDER_FROM_FUTURE")
        late = changed(kind, {6: NOW + 299 * DAY, 4: NOW + 301 * DAY})
        yield case("key set ended", kind, late, "KEY_SET_EXPIRED", now_s=NOW + 300 * DAY)
        if 18 in body:
            yield case("version in force", kind, changed(kind, {}), "ORDER_VERSION_OLD", versions={kind: NOW})
            yield case("older version", kind, changed(kind, {}), "ORDER_VERSION_OLD", versions={kind: NOW + 5})
            yield case("version 0", kind, changed(kind, {18: 0}), "ORDER_CLAIM_RANGE")
        else:
            yield case("carried out before", kind, changed(kind, {}), "ORDER_USED", used=[ORDER_ID.hex()])
            yield case(
                "ends with forgotten ones", kind, changed(kind, {}), "ORDER_EXPIRED", pruned_expiry_s=NOW + 7 * DAY
            )
    for kind, name, changes in (
        ("release", "lock id as a number", {16: 1}),
        ("clear-alarm", "no alarm", {17: []}),
        ("clear-alarm", "17 alarms", {17: [ALARM_ID] * 17}),
        ("clear-alarm", "alarm of 4 bytes", {17: [ALARM_ID[:4]]}),
        ("clear-alarm", "alarms as one", {17: ALARM_ID}),
        ("config", "no settings", {19: {}}),
        ("config", "settings as a list", {19: [1]}),
        ("config", "65 settings", {19: dict.fromkeys(range(65), 0)}),
        ("revocations", "a token of 7 bytes", {21: [TOKEN_ID[:7]]}),
        ("revocations", "keys as a map", {22: {1: START.kid}}),
        ("lock", "mode 0", {23: 0}),
        ("lock", "mode 3", {23: 3}),
        ("rekey", "111 bytes of keys", {9: bytes(111)}),
        ("rekey", "generation after the next", {18: 2}),
        ("planned-removal", "59 seconds", {10: 59}),
        ("planned-removal", "72 h and a second", {10: 259201}),
    ):
        yield case(name, kind, changed(kind, changes), "ORDER_CLAIM_RANGE")
    yield case("no such lock", "release", changed("release", {}), "ORDER_UNKNOWN_LOCK", locks=[TOKEN_ID.hex()])
    yield case("no lock", "release", changed("release", {}), "ORDER_UNKNOWN_LOCK", locks=[])
    yield case("no such alarm", "clear-alarm", changed("clear-alarm", {}), "ORDER_UNKNOWN_ALARM", alarms=[])
    yield case(
        "the clock's alarm and another",
        "clear-alarm",
        changed("clear-alarm", {17: [ALARM_ID, OTHER_ALARM]}),
        "ORDER_EXPIRED",
        clock_alarm=ALARM_ID.hex(),
        alarms=[OTHER_ALARM.hex()],
        now_s=NOW + 40 * DAY,
    )
    yield case(
        "one of two is not latched",
        "clear-alarm",
        changed("clear-alarm", {17: [ALARM_ID, OTHER_ALARM]}),
        "ORDER_UNKNOWN_ALARM",
    )


def suite_cases() -> Iterator[Case]:
    """Yield orders by SM2, before a key set with a key of each suite."""
    both = {"key_set": BOTH_SET.hex()}
    payload, sm2 = dumps(BODIES["release"]), headers(NATIONAL, -65537)
    good = envelope(NATIONAL, "release", payload, sm2)
    yield case("by SM2", "release", good, **both)
    yield case("by SM2, a bit of r", "release", flipped(good, len(good) - 64), "ORDER_SIGNATURE", **both)
    yield case(
        "by SM2, signed as a lock", "release", envelope(NATIONAL, "lock", payload, sm2), "ORDER_SIGNATURE", **both
    )
    named = envelope(NATIONAL, "release", payload, headers(NATIONAL))
    yield case("by SM2, ES256 named", "release", named, "ORDER_SIGNATURE", **both)


def order_cases() -> Iterator[Case]:
    """Yield all of them."""
    yield from good_cases()
    yield from envelope_cases()
    yield from claim_cases()
    yield from suite_cases()
