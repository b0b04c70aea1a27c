"""One example a message, keys and names written out by hand from SPEC.md: the oracle for `messages.json`.

Nothing here is taken from the product's tables, so that a number changed there turns a vector red.
A field is (key, name, value), with OPTIONAL as a fourth item where the message may do without it.
"""

from typing import Any

OPTIONAL = "optional"

NONCE = bytes(range(16))
TOKEN = bytes.fromhex("7e7d017d02a0a1a2")  # full of what stuffing has to touch
KID = bytes.fromhex("c0c1c2c3c4c5c6c7")
HOLDER = bytes.fromhex("d0d1d2d3d4d5d6d7")
PERMIT = bytes.fromhex("e0e1e2e3e4e5e6e7")
ALARM = bytes.fromhex("a0a0a0a0a0a0a0a0")
LOCK = bytes.fromhex("b0b0b0b0b0b0b0b0")
ORDER = bytes.fromhex("f0f1f2f3f4f5f6f7")
OBJECT = bytes.fromhex("0102030405060708")
QUERY = bytes.fromhex("1112131415161718")
EPOCH = bytes.fromhex("5e6f7081")
SEAL = bytes(range(32))

# One line a field.
# fmt: off
EXAMPLES: list[tuple[int, str, list[tuple[Any, ...]]]] = [
    (0x01, "hello", [
        (1, "nonce", NONCE),
        (2, "oldest", 18),
        (3, "highest", 4200),
        (4, "boot", 12),
        (5, "firmware", "0.1.0"),
        (6, "profile", "bx1-primary"),
        (7, "key_set_version", 1790000000),
        (8, "config_version", 1790000100),
        (9, "revocations_version", 1790000200),
        (10, "reset_cause", 1, OPTIONAL),
    ]),
    (0x02, "heartbeat", [
        (1, "gate", 5),
        (2, "token", TOKEN, OPTIONAL),
        (3, "alarms", [150, 154]),
        (4, "highest", 4200),
        (5, "acked", 4100),
        (6, "spool_permille", 37),
        (7, "current_ma", 42000),
        (8, "lock", 1, OPTIONAL),
        (9, "uptime_s", 86400),
        (10, "heap_free", 61440, OPTIONAL),
        (11, "key_set_days", 59, OPTIONAL),
        (12, "last_reason", 102, OPTIONAL),
        (13, "alarm_ids", [ALARM, OBJECT], OPTIONAL),
        (14, "lock_ids", [LOCK], OPTIONAL),
        (15, "signal", -71, OPTIONAL),
        (16, "skipped", 12, OPTIONAL),
    ]),
    (0x03, "part-status", [
        (1, "object", OBJECT),
        (2, "through", 4095),
        (3, "result", 1),
    ]),
    (0x04, "challenge", [
        (1, "challenge", NONCE),
        (2, "token", TOKEN),
    ]),
    (0x05, "diagnostics", [
        (1, "query", QUERY),
        (2, "what", 1),
        (3, "values", {1: 2, 2: b"\x00\xff", 3: [1, 2]}),
    ]),
    (0x06, "update-progress", [
        (1, "object", OBJECT),
        (2, "state", 1),
        (3, "done_bytes", 65536),
        (4, "reason", 50, OPTIONAL),
    ]),
    (0x40, "session-start", [
        (1, "token", TOKEN),
        (2, "kid", KID),
        (3, "holder", HOLDER),
        (4, "act", 2),
        (5, "via", 1),
        (6, "purpose", 1),
        (7, "domain", 3),
        (8, "permit", PERMIT, OPTIONAL),
        (9, "issued_s", 1795500000),
        (10, "expires_s", 1795528800),
        (11, "limit_s", 28800),
        (12, "offline_s", 14400),
    ]),
    (0x41, "session-suspend", [
        (1, "token", TOKEN),
        (2, "cause", 120),
        (3, "powered_s", 3601),
        (4, "arc_ms", 1234567),
    ]),
    (0x42, "session-resume", [
        (1, "token", TOKEN),
        (2, "act", 2),
        (3, "powered_s", 3601),
    ]),
    (0x43, "session-stop", [
        (1, "token", TOKEN),
        (2, "cause", 120),
        (3, "powered_s", 3601),
        (4, "arc_ms", 1234567),
        (5, "arcs", 41),
        (6, "strikes", 57),
        (7, "peak_ma", 344000),
        (8, "charge_mah", 41300),
        (9, "synthesised", False),
        (10, "extensions", 1, OPTIONAL),
    ]),
    (0x44, "arc", [
        (1, "token", TOKEN, OPTIONAL),
        (2, "index", 7),
        (3, "duration_ms", 61234),
        (4, "mean_ma", 120500),
        (5, "peak_ma", 344000),
        (6, "charge_mah", 41300),
        (7, "strikes", 57),
        (8, "source", 1),
    ]),
    (0x45, "telemetry", [
        (1, "token", TOKEN, OPTIONAL),
        (2, "window_s", 60),
        (3, "mean_ma", 120500),
        (4, "peak_ma", 344000),
        (5, "arc_ms", 1234567),
        (6, "gate", 5),
        (7, "source", 1),
        (8, "strikes", 57),
        (9, "skipped", 12, OPTIONAL),
        (10, "temperature_dc", -105, OPTIONAL),
        (11, "supply_mv", 23800, OPTIONAL),
    ]),
    (0x46, "refusal", [
        (1, "reason", 6),
        (2, "token", TOKEN, OPTIONAL),
        (3, "via", 1),
        (4, "kid", KID, OPTIONAL),
        (5, "holder", HOLDER, OPTIONAL),
        (6, "count", 3),
    ]),
    (0x47, "alarm", [
        (1, "alarm", 150),
        (2, "id", ALARM),
        (3, "state", 1),
        (4, "latched", True),
        (5, "current_ma", 42000, OPTIONAL),
        (6, "token", TOKEN, OPTIONAL),
        (7, "order", ORDER, OPTIONAL),
    ]),
    (0x48, "gap", [
        (1, "epoch", EPOCH, OPTIONAL),
        (2, "first", 18),
        (3, "last", 40, OPTIONAL),
        (4, "cause", 1),
    ]),
    (0x49, "order-result", [
        (1, "order", ORDER),
        (2, "type", 0x85),
        (3, "result", 1),
        (4, "reason", 6, OPTIONAL),
    ]),
    (0x4A, "config-report", [
        (1, "config_version", 1790000100),
        (2, "key_set_version", 1790000000),
        (3, "revocations_version", 1790000200),
        (4, "firmware", "0.1.0"),
        (5, "profile", "bx1-primary"),
        (6, "digest", OBJECT),
    ]),
    (0x4B, "removal", [
        (1, "kind", 1),
        (2, "order", ORDER, OPTIONAL),
    ]),
    (0x4C, "power-off", [
        (1, "token", TOKEN, OPTIONAL),
        (2, "powered_s", 3601, OPTIONAL),
        (3, "supply_mv", 23800, OPTIONAL),
    ]),
    (0x80, "welcome", [
        (1, "nonce", NONCE),
        (2, "status", 0),
        (3, "high_water", 4096),
        (4, "reason", 6, OPTIONAL),
        (5, "retry_s", 30, OPTIONAL),
    ]),
    (0x81, "ack", [
        (1, "epoch", EPOCH),
        (2, "through", 4095),
    ]),
    (0x82, "poll", [
        (1, "frames", 8),
    ]),
    (0x83, "token", [
        (1, "token", bytes(range(200))),
    ]),
    (0x84, "lock", [
        (1, "mode", 2),
        (2, "id", LOCK),
        (3, "reason", 6),
        (4, "order", bytes(range(225)) * 4, OPTIONAL),
    ]),
    (0x85, "release", [
        (1, "object", bytes(range(250)) * 4),
    ]),
    (0x86, "config", [
        (1, "object", bytes(range(250)) * 4),
    ]),
    (0x87, "key-set", [
        (1, "object", bytes(range(250)) * 4),
    ]),
    (0x88, "revocations", [
        (1, "object", bytes(range(250)) * 4),
    ]),
    (0x89, "clear-alarm", [
        (1, "object", bytes(range(250)) * 4),
    ]),
    (0x8A, "rekey", [
        (1, "object", bytes(range(250)) * 4),
    ]),
    (0x8B, "identify", [
        (1, "seconds", 10),
    ]),
    (0x8C, "challenge-answer", [
        (1, "answer", bytes(range(64))),
        (2, "public", bytes(range(64, 128))),
    ]),
    (0x8D, "query", [
        (1, "query", QUERY),
        (2, "what", 1),
    ]),
    (0x8E, "update", [
        (1, "object", bytes(range(250)) * 4),
    ]),
    (0x8F, "part", [
        (1, "object", OBJECT),
        (2, "total", 1900),
        (3, "offset", 900),
        (4, "data", bytes(range(100))),
        (5, "type", 0x85),
    ]),
    (0x90, "planned-removal", [
        (1, "object", bytes(range(250)) * 4),
    ]),
]
# fmt: on

# (type, key, value, reason): one field of the full example replaced.
# fmt: off
WRONG: list[tuple[int, int, Any, str]] = [
    (0x01, 1, bytes(15), "MESSAGE_FIELD_RANGE"),
    (0x01, 1, bytes(17), "MESSAGE_FIELD_RANGE"),
    (0x01, 1, "sixteen letters!", "MESSAGE_FIELD_TYPE"),
    (0x01, 2, 0, "MESSAGE_FIELD_RANGE"),
    (0x01, 2, -1, "MESSAGE_FIELD_RANGE"),
    (0x01, 3, 1 << 32, "MESSAGE_FIELD_RANGE"),
    (0x01, 3, True, "MESSAGE_FIELD_TYPE"),
    (0x01, 3, None, "MESSAGE_FIELD_TYPE"),
    (0x01, 5, "x" * 33, "MESSAGE_FIELD_RANGE"),
    (0x01, 5, "焊" * 11, "MESSAGE_FIELD_RANGE"),  # 33 bytes in 11 characters
    (0x01, 5, b"0.1.0", "MESSAGE_FIELD_TYPE"),
    (0x02, 1, 0, "MESSAGE_FIELD_RANGE"),
    (0x02, 3, 150, "MESSAGE_FIELD_TYPE"),
    (0x02, 3, [150, True], "MESSAGE_FIELD_TYPE"),
    (0x02, 3, [-1], "MESSAGE_FIELD_RANGE"),
    (0x02, 3, [65536], "MESSAGE_FIELD_RANGE"),
    (0x02, 3, [150] * 17, "MESSAGE_FIELD_RANGE"),
    (0x02, 6, 1001, "MESSAGE_FIELD_RANGE"),
    (0x02, 13, [bytes(7)], "MESSAGE_FIELD_RANGE"),
    (0x02, 13, ["8 bytes!"], "MESSAGE_FIELD_TYPE"),
    (0x02, 15, -32768, "MESSAGE_FIELD_RANGE"),
    (0x02, 15, 32768, "MESSAGE_FIELD_RANGE"),
    (0x05, 3, [1, 2], "MESSAGE_FIELD_TYPE"),
    (0x05, 3, {n: n for n in range(65)}, "MESSAGE_FIELD_RANGE"),
    (0x40, 1, bytes(9), "MESSAGE_FIELD_RANGE"),
    (0x43, 9, 1, "MESSAGE_FIELD_TYPE"),
    (0x43, 15, bytes(15), "MESSAGE_FIELD_RANGE"),
    (0x43, 15, bytes(33), "MESSAGE_FIELD_RANGE"),
    (0x44, 2, 0, "MESSAGE_FIELD_RANGE"),
    (0x46, 6, 0, "MESSAGE_FIELD_RANGE"),
    (0x47, 4, 0, "MESSAGE_FIELD_TYPE"),
    (0x48, 1, bytes(8), "MESSAGE_FIELD_RANGE"),
    (0x48, 2, 0, "MESSAGE_FIELD_RANGE"),
    (0x80, 2, 3, "MESSAGE_FIELD_RANGE"),
    (0x80, 5, 86401, "MESSAGE_FIELD_RANGE"),
    (0x81, 1, bytes(3), "MESSAGE_FIELD_RANGE"),
    (0x81, 2, -1, "MESSAGE_FIELD_RANGE"),
    (0x83, 1, b"", "MESSAGE_FIELD_RANGE"),
    (0x83, 1, bytes(201), "MESSAGE_FIELD_RANGE"),
    (0x84, 1, 0, "MESSAGE_FIELD_RANGE"),
    (0x84, 1, 3, "MESSAGE_FIELD_RANGE"),
    (0x84, 2, bytes(7), "MESSAGE_FIELD_RANGE"),
    (0x85, 1, {}, "MESSAGE_FIELD_TYPE"),
    (0x87, 1, bytes(1001), "MESSAGE_FIELD_RANGE"),
    (0x8B, 1, 0, "MESSAGE_FIELD_RANGE"),
    (0x8B, 1, 61, "MESSAGE_FIELD_RANGE"),
    (0x8C, 1, bytes(63), "MESSAGE_FIELD_RANGE"),
    (0x8D, 2, 4, "MESSAGE_FIELD_RANGE"),
    (0x8F, 4, bytes(901), "MESSAGE_FIELD_RANGE"),
]
# fmt: on
