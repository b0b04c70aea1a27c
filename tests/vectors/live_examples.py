"""Live codes, right and wrong: a phone's answer to a chip's challenge, from `cryptography` and cbor2."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from build_wire import code, dumps
from object_examples import STRANGER, TOWN, Case, Key, flipped
from token_examples import base45

__all__ = ["live_cases"]

CHALLENGE = bytes(range(0x40, 0x50))
TOKEN = b"t1\0\0\0\0\0\0"
DEVICE = (7).to_bytes(8, "big")
HOLDER = STRANGER  # no issuer's key: the phone's own


def proof(key: Key) -> bytes:
    """Return what a token names a key by."""
    return hashlib.sha256(dumps({1: 2, -1: 1, -2: key.x, -3: key.y})).digest()[:16]


def case(
    name: str,
    good: bool,
    *,
    key: Key = HOLDER,
    challenge: bytes = CHALLENGE,
    token: bytes = TOKEN,
    device: bytes = DEVICE,
    bent: bool = False,
) -> Case:
    """Return an answer to a challenge, given to a chip that has asked CHALLENGE about TOKEN on DEVICE."""
    signature = key.sign(b"weldgate/live/1" + challenge + token + device)
    answer = (flipped(signature, 40) if bent else signature) + key.public
    made: Case = {
        "name": name,
        "text": "WGA:" + base45(answer),
        "challenge": CHALLENGE.hex(),
        "token": TOKEN.hex(),
        "device": DEVICE.hex(),
        "proof": proof(HOLDER).hex(),
    }
    return made | ({"expect": {"answer": answer[:64].hex(), "public": answer[64:].hex()}} if good else refused())


def refused() -> Case:
    """Return the refusal that every wrong answer meets."""
    return {"error": code("TOKEN_LIVE_CODE_WRONG")}


def live_cases() -> Iterator[Case]:
    """Yield all of them."""
    good = case("the holder's own answer", True)
    yield good
    yield case("by another key", False, key=TOWN)
    yield case("to another challenge", False, challenge=bytes(16))
    yield case("about another token", False, token=b"t2\0\0\0\0\0\0")
    yield case("at another machine", False, device=(8).to_bytes(8, "big"))
    yield case("one bit of the signature", False, bent=True)
    asked = {key: good[key] for key in ("challenge", "token", "device", "proof")}
    for name, text in (
        ("cut off", good["text"][:-3]),
        ("three characters more", good["text"] + "000"),
        ("nothing but the prefix", "WGA:"),
        ("no Base45", "WGA:" + "a" * 192),
    ):
        yield {"name": name, "text": text} | asked | refused()
