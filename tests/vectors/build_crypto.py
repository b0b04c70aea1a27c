"""Build the vectors of what is signed: base45, p256, sm2, sm3, cose, keyset, token, order, live; `--check` writes none.

The bytes come from code that the product does not share: textbook curve arithmetic for the edges of P-256 and SM2,
cbor2 for CBOR, `cryptography` for signatures (RFC 6979, so that they repeat). Before anything is written,
`cryptography` or `gmalg` must agree with each verdict on a signature and `cwt` must accept each good envelope of ES256.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import gmalg
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
from sm2_examples import ID, hashed_cases, sm3
from sm2_examples import cases as sm2_cases
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


class _Hashed:
    """In the place of gmalg's hash: gives e, whatever is hashed."""

    def __init__(self, e: bytes) -> None:
        self._e = e

    def reset(self) -> None:
        """Begin."""

    def update(self, data: bytes) -> None:
        """Take more."""

    def value(self) -> bytes:
        """Return e."""
        return self._e


def sm2_oracle(public: bytes, told: bytes, signature: bytes, hashed: bool) -> bool:
    """Ask gmalg about a signature over a message, or over e."""
    if len(public) != 64 or len(signature) != 64:
        return False
    core = gmalg.SM2()._core
    curve, n = core.ecdlp.ec, core.ecdlp.fpn.p
    x, y = int.from_bytes(public[:32], "big"), int.from_bytes(public[32:], "big")
    if max(x, y) >= core.ecdlp.fp.p or not curve.isvalid((x, y)):
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if hashed:
        core._hash_obj = _Hashed(told)
        if int.from_bytes(told, "big") % n == r:  # gmalg takes 0, its sign of infinity, for the sum's x
            return bool(curve.add(core.ecdlp.kG(s), curve.mul((r + s) % n, (x, y))) != curve.INF)
    return bool(core.verify(b"" if hashed else told, r, s, ID, (x, y)))


def sm2_signatures() -> list[Case]:
    """Return the signatures by SM2, each agreed on."""
    made = []
    for word, cases in (("message", sm2_cases()), ("e", hashed_cases())):
        for name, public, told, signature, good in cases:
            if sm2_oracle(public, told, signature, word == "e") != good:
                raise SystemExit(f"gmalg does not agree about: {name}")
            made.append(
                {"name": name, "key": public.hex(), word: told.hex(), "signature": signature.hex(), "good": good}
            )
    return made


def sm3_cases() -> list[Case]:
    """Return GM/T 0004's own two examples, and lengths on both sides of a block's end."""
    texts = [
        b"abc",
        b"abcd" * 16,
        *(bytes(i % 251 for i in range(n)) for n in (0, 1, 55, 56, 63, 64, 65, 119, 120, 500)),
    ]
    return [{"name": f"{len(text)} bytes", "hex": text.hex(), "expect": sm3(text).hex()} for text in texts]


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
        "sm2.json": sm2_signatures(),
        "sm3.json": sm3_cases(),
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
