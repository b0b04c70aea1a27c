"""Which numbered sentences of SPEC.md the entries of the vectors show.

`named` writes the numbers into the entries, as `musts`. A pattern is an entry's name, where `*` stands for anything.
`tests/test_spec.py` holds that every sentence that speaks of bytes is shown by some entry.
"""

from fnmatch import fnmatchcase
from typing import Any

__all__ = ["MUSTS", "named"]

# File -> sentence -> names of entries.
MUSTS: dict[str, dict[str, tuple[str, ...]]] = {
    "frame.json": {
        "M-FRAME-01": ("shortest: no payload", "nothing", "a delimiter inside"),
        "M-FRAME-02": ("hello, time floor", "durable, time synced, odd key generation", "lowest device id"),
        "M-FRAME-03": ("largest, all of it stuffed", "escapes that meet*", "7d *"),
        "M-FRAME-04": ("largest, every byte value", "largest, all of it stuffed"),
        "M-FRAME-05": ("tag: *",),
        "M-FRAME-06": ("CRC *", "one bit of the payload flipped", "all zero"),
        "M-FRAME-07": ("35 bytes with their CRC", "first byte flipped", "2121 bytes", "length *"),
        "M-FRAME-08": ("largest, every byte value", "payload of 1025", "2121 bytes"),
        "M-FRAME-09": ("version *",),
        "M-FRAME-10": ("* that says *", "* without the bit", "* with the bit", "private, down and durable"),
        "M-FRAME-11": ("time quality 3", "millisecond *"),
        "M-FRAME-12": ("highest device id", "device id of 2^63", "sequence number 0"),
        "M-SEQ-02": ("sequence number 0",),
        "M-KEY-03": ("durable, time synced, odd key generation",),
    },
    "seal.json": {
        "M-SEAL-01": ("an epoch opens, a session stops", "numbers never given*"),
        "M-SEAL-02": ("an epoch opens, a session stops", "record 256", "numbers never given*"),
        "M-SEAL-03": ("an epoch opens, a session stops", "second key generation"),
        "M-MSG-07": ("an epoch opens, a session stops",),
        "M-KEY-03": ("second key generation",),
    },
    "stream.json": {
        "M-FRAME-01": ("neighbours share a delimiter",),
        "M-STREAM-01": ("three frames", "no leading delimiter", "unfinished"),
        "M-STREAM-02": ("a run of delimiters between", "noise *", "start of a frame, then the next", "only delimiters"),
        "M-STREAM-03": ("* bytes, then a frame", "lone escape", "only escapes"),
    },
    "bus.json": {
        "M-BUS-02": ("poll *",),
        "M-BUS-03": ("turn *",),
        "M-BUS-06": ("goodbye *",),
    },
    "cbor.json": {
        "M-CBOR-01": ("0", "-1", "b''", "''", "True", "False", "None", "{}", "{1: 2, 3: 4}"),
        "M-CBOR-02": ("CBOR_TYPE c*", "CBOR_TYPE f*", "CBOR_TYPE 9f*", "CBOR_TYPE bf*"),
        "M-CBOR-03": ("CBOR_NOT_CANONICAL *",),
        "M-CBOR-04": ("CBOR_TYPE a1*", "CBOR_KEY_ORDER *", "CBOR_DUPLICATE_KEY *", "{0: 0, 24: 1, -1: 2, -25: 3}"),
        "M-CBOR-05": ("CBOR_DEPTH *", "{1: {2: {3: {4: 5}}}}"),
        "M-CBOR-06": ("CBOR_TRUNCATED *",),
        "M-CBOR-07": ("CBOR_TRAILING *",),
        "M-CBOR-08": ("CBOR_UTF8 *",),
        "M-CBOR-09": ("CBOR_RANGE *", "18446744073709551615", "-9223372036854775808"),
        "M-CBOR-11": ("CBOR_ITEMS *",),
    },
    "messages.json": {
        "M-MSG-01": ("payload is *",),
        "M-MSG-02": ("*, least", "hello key 3: None"),
        "M-MSG-03": ("* without *",),
        "M-MSG-04": ("* key *: *",),
        "M-MSG-05": ("unknown type *",),
        "M-MSG-06": ("*: keys of a newer *",),
        "M-MSG-07": ("*, sealed", "session-stop key 15: *"),
        "M-MSG-09": ("gap: a cause of a newer chip is kept", "lock key 1: 3", "welcome key 2: 3"),
        "M-SEQ-05": ("gap: first record of an epoch",),
    },
    "conversation.json": {
        "M-CONV-01": ("hello with a sequence *", "hello whose oldest *", "hello twice", "durable before the hello"),
        "M-CONV-02": ("unknown chip", "hello under another key"),
        "M-CONV-03": ("three bad tags", "recorded heartbeat proves nothing"),
        "M-CONV-04": ("accepted, then the heartbeat", "welcome * is no welcome", "welcome without a nonce"),
        "M-CONV-05": ("pending", "rejected *", "accepted with a zero tag is no welcome"),
        "M-CONV-06": ("time *", "welcome after thirty seconds"),
        "M-CONV-07": ("accepted, then the heartbeat", "durable before the heartbeat", "a replayed hello *"),
        "M-CONV-08": ("heartbeat again in the connection", "ack again in the connection"),
        "M-CONV-09": ("high-water *",),
        "M-CONV-10": ("next in line", "repeat", "hole*"),
        "M-CONV-11": ("durable of another *", "own * reflected", "welcome twice", "ack of another epoch"),
        "M-CONV-12": ("ack of what was sent", "ack beyond what was sent", "next in line"),
        "M-CONV-13": ("unknown *", "malformed payload*"),
        "M-CONV-15": ("lock *",),
        "M-CONV-17": ("hello twice", "durable before the hello", "own ack reflected"),
        "M-CONV-19": ("high-water ahead of the chip", "ack that * repeat*"),
        "M-CONV-20": ("high-water ahead of the chip", "repeats are counted", "ack that * repeat*"),
        "M-SEQ-02": ("heartbeat again in the connection", "hello with a sequence number *"),
        "M-SEQ-03": ("hole bridged",),
        "M-SEQ-04": ("repeat",),
        "M-KEY-03": ("hello of a generation not held",),
    },
    "keys.json": {
        "M-KEY-01": ("* of generation *",),
        "M-KEY-02": ("connection *",),
        "M-KEY-04": ("wrapped for *",),
    },
    "live.json": {
        "M-LIVE-02": ("the holder's own answer", "to another challenge", "about another *", "at another *"),
        "M-LIVE-03": ("the holder's own answer", "by another key", "one bit *", "cut off", "no Base45"),
    },
    "base45.json": {"M-TOK-02": ("RFC 9285 *", "lower case", "triple worth 65536")},
    "p256.json": {"M-TOK-06": ("ordinary *", "r = *", "s = *", "off the curve, *", "point 0, 0", "r + n *")},
    "p256_random.json": {},
    "sm2.json": {
        "M-SUITE-02": ("ordinary *", "without ZA", "another id", "hashed by SHA-256", "message of *"),
        "M-SUITE-03": ("r = *", "s = *", "r + s = n*", "off the curve, *", "s G = *", "x of the sum is above n"),
    },
    "sm3.json": {"M-SUITE-02": ("* bytes",)},
    "cose.json": {
        "M-TOK-03": ("unprotected *", "protected *", "signature *", "detached payload", "tag 18", "* parts"),
        "M-TOK-05": ("as *",),
        "M-ORD-02": ("as release",),
    },
    "token.json": {
        "M-TOK-01": ("200 bytes*", "201 bytes*", "305 characters"),
        "M-TOK-02": ("plain, as text", "no prefix", "prefix in lower case", "text that is no Base45"),
        "M-TOK-03": ("tag 18", "third header", "unprotected not empty", "a byte after it"),
        "M-TOK-04": ("no key set yet", "unknown key", "key revoked", "other algorithm named", "key of a later suite"),
        "M-TOK-05": ("signed as *",),
        "M-TOK-07": ("one bit of *", "stranger in the key's name", "forged: *"),
        "M-TOK-08": ("claims are *", "claims not *", "claim twice", "unknown claim *", "claims that may be ignored"),
        "M-TOK-09": ("no holder", "no device", "no expiry", "no issued-at", "no id", "no limit", "no offline"),
        "M-TOK-10": ("purpose *", "holder *", "expiry *", "ends when *", "window without a permit"),
        "M-TOK-11": ("life of *", "emergency of 4 h and a second", "emergency with a permit is no longer"),
        "M-TOK-12": ("start by *", "maintenance by *", "other area", "* the key's period", "above the key's *"),
        "M-TOK-13": ("other device",),
        "M-TOK-14": ("revoked",),
        "M-TOK-15": ("key set ended*", "emergency past the key set's end"),
        "M-TOK-16": ("issued more than 10 minutes ahead", "issued ahead, clock held", "issued 10 minutes ahead"),
        "M-TOK-17": ("* a floor by *400 days", "on a floor, clock learns"),
        "M-TOK-18": ("expired*", "begins later*", "before the permit", "after the permit"),
        "M-TOK-19": ("used", "ends with forgotten ones"),
        "M-TOK-21": ("empty", "a megabyte in spirit"),
        "M-TOK-23": ("issued when used ids were lost",),
        "M-KEYSET-04": ("key of the chip's own town", "area is not a prefix"),
        "M-SUITE-01": ("by SM2", "by SM2, as text", "by ES256, *", "by SM2, ES256 named", "by SM2, * the name of *"),
        "M-SUITE-02": ("by SM2 *",),
        "M-SUITE-03": ("by SM2, r *", "by SM2, s = 0"),
        "M-KEYSET-07": ("key of a later suite",),
    },
    "order.json": {
        "M-ORD-01": ("*: 1001 bytes",),
        "M-ORD-02": ("*: signed as *",),
        "M-ORD-03": ("*: empty", "*: tag 18"),
        "M-ORD-04": ("*: unknown key", "*: key revoked", "*: by a root"),
        "M-ORD-05": ("*: one bit of *", "release: used, but forged"),
        "M-ORD-06": ("*: no claim *", "*: unknown claim *", "release: claims are a list", "lock: mode *"),
        "M-ORD-07": ("*: other device",),
        "M-ORD-08": ("*: start key", "*: other area", "*: ends after its key"),
        "M-ORD-09": ("*: 31 days *", "*: ends when issued"),
        "M-ORD-10": ("*: carried out before", "*: ends with forgotten ones"),
        "M-ORD-11": ("*: version in force", "*: older version"),
        "M-ORD-18": ("rekey: one above *", "rekey: generation after the next", "rekey: version in force"),
        "M-ORD-12": ("release: no such lock", "clear-alarm: no such alarm", "clear-alarm: one of two is not latched"),
        "M-ORD-13": ("*: unsupported", "release: empty"),
        "M-ORD-17": ("clear-alarm: the clock's alarm*",),
        "M-ORD-14": ("*: key set ended", "*: issued more than 10 minutes ahead", "*: expired*"),
    },
    "answer.json": {"M-ORD-15": ("*",), "M-PACK-10": ("*",)},
    "keyset.json": {
        "M-KEYSET-01": ("signed by *", "one bit of *", "no roots known"),
        "M-KEYSET-02": ("version in force", "older version", "one above the version in force"),
        "M-KEYSET-03": ("1001 bytes", "tag 18", "unknown claim*", "ends when issued", "key ends when it begins"),
        "M-KEYSET-05": ("key not named by its thumbprint", "key twice", "key off the curve*", "six keys"),
        "M-SUITE-04": ("SM2 key *", "P-256 key *", "a key of each suite"),
        "M-KEYSET-06": ("for another device", "ended*", "issued more than 10 minutes ahead"),
    },
    "pack.json": {
        "M-PACK-01": ("another key", "a bit changed"),
        "M-PACK-02": ("a hole in the indices", "no items", "bytes left over", "more items claimed"),
        "M-PACK-03": ("over 256 000 bytes",),
        "M-PACK-04": ("a frame and a record",),
        "M-PACK-05": ("through *",),
        "M-PACK-07": ("gap", "conflict", "presence", "operator", "unknown kind and key"),
        "M-PACK-08": ("a release", "another key"),
    },
}  # fmt: skip


def named(file: str, found: Any) -> None:
    """Write into each entry of a file which sentences it shows.

    Args:
        file: the file's name.
        found: its content: the entries, or an object with lists of them.

    Raises:
        SystemExit: a pattern matches no entry.
    """
    lists = [found] if isinstance(found, list) else [some for some in found.values() if isinstance(some, list)]
    cases = [case for some in lists for case in some]
    for must, patterns in MUSTS[file].items():
        for pattern in patterns:
            matched = [case for case in cases if fnmatchcase(case["name"], pattern)]
            if not matched:
                raise SystemExit(f"tests/vectors/musts.py: no entry of {file} is named {pattern!r}")
            for case in matched:
                if must not in case.setdefault("musts", []):
                    case["musts"].append(must)
