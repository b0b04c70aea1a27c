"""Build the vectors of what is signed: base45, p256, cose, keyset, token, order and live. `--check` writes nothing.

The bytes come from code that the product does not share: textbook curve arithmetic for the edges of P-256, cbor2 for
CBOR, `cryptography` for signatures (RFC 6979, so that they repeat). Before anything is written, `cryptography` must
agree with each verdict on a signature and `cwt` must accept each good envelope.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from build_wire import HERE
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cwt import COSE, COSEKey
from live_examples import live_cases
from musts import named
from object_examples import (
    ALARM_ID,
    DEVICE,
    LOCK_ID,
    NOW,
    ROOT,
    ROOT_2,
    SET,
    START,
    Case,
    Key,
    cose_cases,
    key_set_cases,
)
from order_examples import answer_cases, order_cases
from p256_examples import P, random_cases
from p256_examples import cases as signature_cases
from token_examples import base45_cases, token_cases

SETUP = {
    "name": "setup",
    "setup": {
        "device": DEVICE.hex(),
        "area": "411081102",
        "now_s": NOW,
        "quality": 2,
        "roots": [ROOT.public.hex(), ROOT_2.public.hex()],
        "key_set": SET.hex(),
        "used": [],
        "revoked_tokens": [],
        "revoked_keys": [],
        "pruned_expiry_s": 0,
        "ids_from_s": 0,
        "clock_alarm": None,
        "versions": {},
        "locks": [LOCK_ID.hex()],
        "alarms": [ALARM_ID.hex()],
    },
}


def oracle(public: bytes, digest: bytes, signature: bytes) -> bool:
    """Ask `cryptography` about a signature."""
    if len(public) != 64 or len(signature) != 64:
        return False
    x, y = int.from_bytes(public[:32], "big"), int.from_bytes(public[32:], "big")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if x >= P or y >= P:  # no key (SP 800-56A §5.6.2.3.3, step 2), though OpenSSL takes the numbers modulo p
        return False
    try:
        key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        key.verify(utils.encode_dss_signature(r, s), digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    except (InvalidSignature, ValueError):
        return False
    return True


def p256_cases(cases: Iterable[tuple[str, bytes, bytes, bytes, bool]]) -> list[Case]:
    """Return the signatures, each agreed on."""
    made = []
    for name, public, digest, signature, good in cases:
        if oracle(public, digest, signature) != good:
            raise SystemExit(f"cryptography does not agree about: {name}")
        made.append(
            {"name": name, "key": public.hex(), "digest": digest.hex(), "signature": signature.hex(), "good": good}
        )
    return made


def agreed(cases: list[Case], key: Key) -> list[Case]:
    """Return envelopes, each good one accepted by `cwt` as well."""
    for case in cases:
        if "tbs" in case.get("expect", {}):
            cose_key = COSEKey.new({1: 2, 2: key.kid, 3: -7, -1: 1, -2: key.x, -3: key.y})
            aad = b"weldgate/" + case["kind"].encode() + b"/1"
            payload = COSE.new().decode(b"\xd2" + bytes.fromhex(case["hex"]), cose_key, external_aad=aad)
            if payload.hex() != case["expect"]["payload"]:
                raise SystemExit(f"cwt does not agree about: {case['name']}")
    return cases


def main() -> int:
    """Build the files, or with --check say which differ."""
    files = {
        "base45.json": list(base45_cases()),
        "p256.json": p256_cases(signature_cases()),
        "p256_random.json": p256_cases(random_cases()),
        "cose.json": agreed(list(cose_cases()), START),
        "keyset.json": [SETUP, *key_set_cases()],
        "token.json": [SETUP, *token_cases()],
        "order.json": [SETUP, *order_cases()],
        "answer.json": list(answer_cases()),
        "live.json": list(live_cases()),
    }
    stale = []
    for name, cases in files.items():
        named(name, cases)
        text = "[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases) + "\n]\n"
        path: Path = HERE / name
        if "--check" not in sys.argv[1:]:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    for name in stale:
        print(f"tests/vectors/{name} is not what build_crypto.py builds", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
