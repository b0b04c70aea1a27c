"""Chains and seals as SPEC says, written out with `hashlib` and `hmac` alone."""

import hashlib
import hmac
import struct
from typing import Any

import cbor2

__all__ = ["seals"]

_DEVICE = bytes.fromhex("00000000187e4b59")
_EPOCH = bytes.fromhex("a0000001")
_TIME_S = 1_795_500_000
_STOP = {1: b"token-01", 2: 120, 3: 60, 4: 10980, 5: 1, 6: 1, 7: 252000, 8: 695, 9: False}
_GAP, _STOPPED, _POWER_OFF = 0x48, 0x43, 0x4C
_OPENING = {1: bytes(4), 2: 1, 4: 3}


def _key(purpose: bytes, generation: int) -> bytes:
    text = b"weldgate/1/" + purpose + b"\0" + _DEVICE + struct.pack(">I", generation)
    return hmac.digest(bytes(range(32)), text, "sha256")


class _Line:
    """One chip's records of one epoch."""

    def __init__(self, generation: int = 0) -> None:
        self.generation = generation
        self.chain = bytes(32)
        self.seq = 0
        self.records: list[str] = []
        self.expect: list[dict[str, str]] = []

    def add(self, type_: int, fields: dict[int, Any], sealed: bool = False, skip: int = 0) -> "_Line":
        """Add a record; its fields are without the seal."""
        self.seq += 1 + skip
        body = cbor2.dumps({**fields, 15: bytes(16)} if sealed else fields)
        length = len(body)
        body = body[:-16] if sealed else body
        flags = 0x20 | 0x08 | (0x04 if self.generation & 1 else 0) | 2
        header = struct.pack(">BB8s4sIIHH", flags, type_, _DEVICE, _EPOCH, self.seq, _TIME_S + self.seq, 0, length)
        head = header + body
        seal = b""
        if sealed:
            seal = hmac.digest(_key(b"seal", self.generation), self.chain + head, "sha256")[:16]
            self.chain = bytes(32)
        tag = hmac.digest(_key(b"up", self.generation), head + seal, "sha256")[:8]
        raw = head + seal + tag
        self.chain = hashlib.sha256(self.chain + raw).digest()
        self.records.append(raw.hex())
        self.expect.append({"chain": self.chain.hex(), "seal": seal.hex()})
        return self

    def case(self, name: str) -> dict[str, Any]:
        """Return the entry of the vectors."""
        k_seal = _key(b"seal", self.generation).hex()
        return {"name": name, "k_seal": k_seal, "records": self.records, "expect": self.expect}


def seals() -> list[dict[str, Any]]:
    """Return whole lines of records, with the chain behind each and the seal it bears."""
    session = _Line().add(_GAP, _OPENING, True).add(_POWER_OFF, {}).add(_STOPPED, _STOP, True).add(_POWER_OFF, {})
    second = _Line(1).add(_GAP, _OPENING, True).add(_POWER_OFF, {}).add(_STOPPED, _STOP, True)
    crossing = _Line().add(_GAP, _OPENING, True)
    for _ in range(254):
        crossing.add(_POWER_OFF, {})
    crossing.add(_POWER_OFF, {}, True).add(_POWER_OFF, {})
    ahead = _Line().add(_GAP, _OPENING, True).add(_GAP, {2: 2, 3: 259, 4: 6}, True, skip=258)
    return [
        session.case("an epoch opens, a session stops"),
        second.case("second key generation"),
        crossing.case("record 256"),
        ahead.case("numbers never given, over the next 256"),
    ]
