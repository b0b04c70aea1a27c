"""What comes in a conversation and at a terminal: frames of a collector and of somebody else, console lines."""

import json
import struct
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from weldgate_protocol import messages
from weldgate_protocol.frame import encode_body, seal
from weldgate_protocol.keys import HmacKey, connection_key
from weldgate_simulator import fuzz_bytes
from weldgate_simulator.fuzz_parsers import CHIP_NONCE, RING_EPOCH
from weldgate_simulator.fuzz_wire import Case, Target, payload

__all__ = ["talk_targets"]

_LINE_MAX = 512


# -- a conversation -------------------------------------------------------------------


def talk_targets(device: bytes, k_down: bytes) -> list[Target]:
    """Return the targets of the conversation and the console.

    Args:
        device: the chip.
        k_down: its key for the downlink.
    """
    return [
        Target("chip", 3, _talks(device, k_down), _talk_wrong),
        Target("console", 4, _consoles, _console_wrong),
    ]


def _talks(device: bytes, k_down: bytes) -> Callable[[Random], Iterator[Case]]:
    """Make a chip's downlinks: a welcome, good frames, and frames of somebody without the key."""
    nonce = b"n" * 16
    good = HmacKey(connection_key(k_down, CHIP_NONCE, nonce))

    def down(draw: Random, type_: int, seq: int, body: bytes, key: HmacKey) -> bytes:
        flags = 0x12 | (0x04 if draw.random() < 0.03 else 0)
        return seal(encode_body(flags, type_, device, RING_EPOCH, seq, 1_795_500_000, 5, body[:1024]), key)

    def make(draw: Random) -> Iterator[Case]:
        while True:
            seq = 1
            welcome = {"nonce": nonce, "status": 0, "high_water": 0}
            frames = [down(draw, messages.WELCOME, seq, messages.encode(messages.WELCOME, welcome), good)]
            sealed = {frames[0]}
            for _ in range(draw.randint(1, 4)):
                type_ = draw.choice([one for one in messages.MESSAGES if one >= 0x80])
                kind = draw.randrange(6)
                seq += 1
                if kind == 0:
                    frames.append(down(draw, type_, seq, payload(draw, type_), HmacKey(draw.randbytes(32))))
                elif kind == 1:
                    frames.append(fuzz_bytes.damage(draw, draw.choice(frames), most=1))
                elif kind == 2:
                    frames.append(draw.choice(frames))
                else:
                    frames.append(down(draw, type_, seq, payload(draw, type_), good))
                    sealed.add(frames[-1])
            if draw.random() < 0.1:
                frames = frames[1:]
            yield Case(b"".join(struct.pack(">H", len(one)) + one for one in frames), sealed)

    return make


def _talk_wrong(case: Case, taken: bytes) -> bool:
    """Only frames sealed with the connection's key, each at most once."""
    at, seen = 0, set()
    while at < len(taken):
        size = struct.unpack_from(">H", taken, at)[0]
        one = taken[at + 2 : at + 2 + size]
        if one not in case.allowed or one in seen:
            return True
        seen.add(one)
        at += 2 + size
    return False


# -- console ----------------------------------------------------------------------------


def _line(draw: Random) -> bytes:
    kind = draw.randrange(6)
    if kind == 0:
        return draw.choice((b"echo ", b"token ", b"no ", b"help ", b"")) + draw.randbytes(draw.randrange(20))
    if kind == 1:
        return b"echo " + bytes(draw.choice(b"abc \x08\x7f") for _ in range(draw.choice((3, 30, 505, 520))))
    if kind == 2:
        return b"WG1:" + bytes(draw.choice(b"0123ABC $%*+-./:") for _ in range(draw.randrange(40)))
    request: dict[str, Any] = {"cmd": draw.choice(("echo", "no", "help", "reboot", 5, None))}
    if draw.random() < 0.6:
        request["arg"] = draw.choice(("x", "", 'a"b', "\\", 7, [], "}", "{"))
    if draw.random() < 0.5:
        request["id"] = draw.choice((1, "i", None, [], {}, 1.5, 2**70, True))
    return json.dumps(request).encode()


def _consoles(draw: Random) -> Iterator[Case]:
    while True:
        data = b""
        for _ in range(draw.randint(1, 3)):
            one = _line(draw)
            data += (one if draw.random() < 0.6 else fuzz_bytes.damage(draw, one)) + draw.choice(
                (b"\r\n", b"\n", b"\r")
            )
        yield Case(data)


def _typed(data: bytes) -> Iterator[bytes]:
    """Yield the lines a terminal's owner would have meant, with backspaces carried out; None of those too long."""
    kept, cut = bytearray(), False
    for byte in data:
        if byte in b"\r\n":
            if kept and not cut:
                yield bytes(kept)
            kept, cut = bytearray(), False
        elif byte in b"\x08\x7f":
            del kept[-1:]
        elif len(kept) < _LINE_MAX:
            kept.append(byte)
        else:
            cut = True


def _console_wrong(case: Case, taken: bytes) -> bool:
    """What was carried out stands in lines that say so, in their order."""
    wanted = []
    for line in _typed(case.data):
        if not all(32 <= byte < 127 for byte in line):
            continue
        text = line.decode()
        name, argument = text.strip().partition(" ")[::2]
        if text.startswith("WG1:"):
            name, argument = "token", text
        if text.startswith("{"):
            try:
                request = json.loads(text)
            except (ValueError, RecursionError):
                continue
            name, argument = request.get("cmd"), request.get("arg", "")
            if not isinstance(argument, str) or type(request.get("id")) not in (int, str, type(None)):
                continue
        if name in ("echo", "token"):
            wanted.append(argument.strip() if not text.startswith(("{", "WG1:")) else argument)
    at = 0
    while at < len(taken):
        size = struct.unpack_from(">H", taken, at)[0]
        one = taken[at + 2 : at + 2 + size].decode()
        if one not in wanted:
            return True
        wanted = wanted[wanted.index(one) + 1 :]
        at += 2 + size
    return False
