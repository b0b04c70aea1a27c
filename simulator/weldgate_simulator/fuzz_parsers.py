"""Every parser the chip has, each as one function of bytes, for the fuzzer: written for both interpreters.

A parser answers with what it understood, encoded again, so that two interpreters and an oracle can be held against it;
or it raises. `judge` turns that into a verdict: ``= digest`` taken, ``! number`` refused with a number of the register,
``? type`` anything else, which is a fault. Run as a program it judges lines of standard input, in MicroPython.
"""

import hashlib
import sys

from weldgate_firmware import config, identity, slots
from weldgate_firmware.console import Console, ConsoleError
from weldgate_firmware.lines import LineBuffer, printable
from weldgate_firmware.log import Log
from weldgate_firmware.spool import RECORD, Spool
from weldgate_protocol import (
    base45,
    cbor,
    claims,
    conversation_chip,
    cose,
    frame,
    keyset,
    live,
    messages,
    order,
    p256,
    reasons,
    token,
)
from weldgate_protocol.errors import MessageError, WeldgateError
from weldgate_protocol.keys import HmacKey
from weldgate_protocol.stream import FrameStream
from weldgate_simulator.flash import VirtualFlash

__all__ = [
    "CHIP_NONCE",
    "KINDS",
    "LOG_BYTES",
    "PARSERS",
    "RING_BYTES",
    "RING_EPOCH",
    "RING_SECTORS",
    "SCAN_MAX",
    "SECTOR",
    "SLOT_BYTES",
    "World",
    "judge",
    "lines_of",
    "serve",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Parser = Callable[["World", bytes], bytes]

KINDS = (
    order.RELEASE,
    order.CLEAR_ALARM,
    order.CONFIG,
    order.KEY_SET,
    order.REVOCATIONS,
    order.LOCK,
    order.REKEY,
    order.PLANNED_REMOVAL,
)
SECTOR = 512  # bytes: flash images are small, the formats are the same
RING_SECTORS = 4
RING_BYTES = RING_SECTORS * SECTOR
LOG_BYTES = 8 * SECTOR
SLOT_BYTES = 8 * SECTOR
RING_EPOCH = b"ring"
SCAN_MAX = 400
CHIP_NONCE = b"c" * 16
_HELLO: "dict[str, Any]" = {
    "oldest": 1,
    "highest": 0,
    "boot": 1,
    "firmware": "f",
    "profile": "p",
    "key_set_version": 1,
    "config_version": 1,
    "revocations_version": 1,
}
_ROUNDS = 64  # of service or of reading: a store that is not done by then never is


class World:
    """What the chip of all cases knows."""

    def __init__(self, parts: "dict[str, str]") -> None:
        """Take the world from hexadecimal text, as the vectors keep it."""
        self.device = bytes.fromhex(parts["device"])
        self.root = bytes.fromhex(parts["root"])
        self.now_s = int.from_bytes(bytes.fromhex(parts["now"]), "big")
        self.lock = bytes.fromhex(parts["lock"])
        self.alarm = bytes.fromhex(parts["alarm"])
        self.k_down = bytes.fromhex(parts["k_down"])
        self.key_set = keyset.decode(bytes.fromhex(parts["key_set"]))

    def context(self) -> claims.Context:
        """Return the circumstances: a set clock, nothing used, one lock held and one alarm latched."""
        return claims.Context(
            self.device,
            "411081",
            self.key_set,
            self.now_s,
            claims.QUALITY_SYNCED,
            lambda _: False,
            (self.root,),
            versions={order.CONFIG: 5, order.KEY_SET: 5, order.REVOCATIONS: 5},
            locks=(self.lock,),
            alarms=(self.alarm,),
        )


def judge(world: World, parser: str, data: bytes) -> "tuple[str, bytes]":
    """Return the verdict on one case, and what the parser understood."""
    try:
        taken = PARSERS[parser](world, data)
    except WeldgateError as error:
        if not 0 < error.code < 1000:
            return f"? {type(error).__name__} without a number", b""
        return f"! {error.code}", b""
    except Exception as error:  # what the fuzzer looks for
        return f"? {type(error).__name__}: {error}", b""
    return "= " + hashlib.sha256(taken).digest()[:8].hex(), taken


# -- the wire ------------------------------------------------------------------


def _frame(_world: World, data: bytes) -> bytes:
    raw = frame.from_wire(data)
    frame.parse(raw)
    return frame.to_wire(raw)[1:-1]


def _stream(_world: World, data: bytes) -> bytes:
    """Feed pieces whose size the first byte says; return the frames found, each as it travels."""
    stream = FrameStream()
    found = b""
    size = 1 + data[0] * 3 if data else 1
    for at in range(1, len(data), size):
        stream.feed(data[at : at + size])
        raw = stream.take()
        while raw is not None:
            found += frame.to_wire(raw)
            raw = stream.take()
    return found


def _cbor(_world: World, data: bytes) -> bytes:
    return cbor.encode(cbor.decode(data))


def _message(_world: World, data: bytes) -> bytes:
    """Read a message: its type, then its payload. Downlink drops what it does not know."""
    if not data:
        raise MessageError(reasons.MESSAGE_UNKNOWN_TYPE, "nothing")
    return data[:1] + messages.encode(data[0], messages.decode(data[0], data[1:]))


def _chip(world: World, data: bytes) -> bytes:
    """Hand a welcomed conversation frames, each after its length (2 bytes); return those it believed."""
    talk = conversation_chip.ChipConversation(world.device, HmacKey(b"u" * 32), world.k_down, 0)
    talk.start(CHIP_NONCE, _HELLO, RING_EPOCH, (world.now_s, 0, 2), 0)
    taken = b""
    at = 0
    while at + 2 <= len(data):
        end = at + 2 + (data[at] << 8 | data[at + 1])
        talk.receive(data[at + 2 : end], at)
        if talk.authentic or (talk.welcomed and not taken):
            taken += data[at:end]
        at = end
    return taken


# -- signed objects --------------------------------------------------------------


def _base45(_world: World, data: bytes) -> bytes:
    return base45.encode(base45.decode(data)).encode()


def _live(_world: World, data: bytes) -> bytes:
    return live.to_text(*live.from_text(printable(data))).encode()


def _cose(_world: World, data: bytes) -> bytes:
    sign1 = cose.parse_sign1(data)
    return cbor.encode([sign1.protected, {}, sign1.payload, sign1.signature])


def _token(world: World, data: bytes) -> bytes:
    return token.verify(data, world.context()).id


def _scanner(world: World, data: bytes) -> bytes:
    """Read lines as the scanner's port does; return the ids of the tokens that were good."""
    lines = LineBuffer(SCAN_MAX)
    good = b""
    refusal: WeldgateError | None = None
    for line in lines.feed(data):
        if lines.overlong:
            continue
        try:
            good += token.verify(printable(line), world.context()).id
        except WeldgateError as error:
            refusal = error
    if refusal is not None and not good:
        raise refusal
    return good


def _key_set(world: World, data: bytes) -> bytes:
    return p256.run(keyset.verify_steps(data, world.context())).id


def _key_set_slot(_world: World, data: bytes) -> bytes:
    """Read a key set back from flash, where it was verified before it was stored."""
    return keyset.decode(data).id


def _order(world: World, data: bytes) -> bytes:
    """Judge an order: the kind it came as, then the object."""
    kind = KINDS[data[0] % len(KINDS)] if data else order.RELEASE
    return order.verify(kind, data[1:], world.context()).id


# -- what lies on flash -------------------------------------------------------------


def _config(_world: World, data: bytes) -> bytes:
    return config.encode(config.decode(data))


def _identity(_world: World, data: bytes) -> bytes:
    return identity.encode(identity.decode(data))


def _image(data: bytes, size: int) -> VirtualFlash:
    """Return a flash that begins with these bytes."""
    cells = bytearray(data[:size])
    cells.extend(b"\xff" * (size - len(cells)))
    return VirtualFlash(size // SECTOR, SECTOR, cells)


def _slots(_world: World, data: bytes) -> bytes:
    store = slots.Slots(_image(data, SLOT_BYTES), 0)
    found = [store.load(kind) for kind in range(slots.KINDS)]
    return cbor.encode([b"" if one is None else b"=" + one for one in found])


def _log(_world: World, data: bytes) -> bytes:
    """Mount a log, mend it, and return (kind, key, value) of each fact that holds, then after a second mount."""
    flash = _image(data, LOG_BYTES)
    found: list[Any] = []
    for _ in range(2):
        log = Log(flash, 0)
        log.mount()
        for kind in range(1, 15):
            log.readable(kind)
            for key, value in log.items(kind):
                found.append(bytes((kind, len(key))) + key + value)
        for _round in range(_ROUNDS):
            if not log.service(True):
                break
        else:
            raise ValueError("the log's service has no end")
    return _packed(found)


def _ring(_world: World, data: bytes) -> bytes:
    """Mount a ring and return every record it holds; then it must take another one."""
    flash = _image(data, RING_BYTES)
    spool = Spool(flash, 0, RING_SECTORS, lambda count: b"new!"[:count])
    spool.mount()
    found: list[Any] = []
    buffer = bytearray(frame.RAW_MAX)
    seq = spool.next_held(1)
    while seq:
        if len(found) >= _ROUNDS:
            raise ValueError("more records than the ring can hold")
        found.append(bytes(memoryview(buffer)[: spool.read(seq, buffer)]))
        before = seq
        seq = spool.next_held(seq + 1)
        if seq and seq <= before:
            raise ValueError(f"record {seq} after {before}")
    if spool.next_seq < 0xFFFFFF00:
        skipped = spool.skipped
        fields = {"first": spool.next_seq, "last": spool.next_seq, "cause": 2}
        if skipped is not None:
            fields = {"first": skipped[0], "last": skipped[1], "cause": 2}
        body = frame.encode_body(
            8, messages.GAP, b"\0" * 8, spool.epoch, spool.next_seq, 0, 0, messages.encode(messages.GAP, fields)
        )
        spool.append(body + b"\0" * 8, RECORD, True)
    return _packed(found)


def _packed(parts: "list[bytes]") -> bytes:
    """Return byte strings one after the other, each with its length before it."""
    return b"".join([len(one).to_bytes(2, "big") + one for one in parts])


# -- people's lines -----------------------------------------------------------------


def _console(_world: World, data: bytes) -> bytes:
    """Return what was carried out; refuse more answers than lines, and a buffer that grows."""
    done: list[bytes] = []
    said: list[bytes] = []

    def echo(argument: str) -> "list[tuple[str, Any]]":
        done.append(argument.encode())
        return [("argument", argument)]

    def refuse(argument: str) -> "list[tuple[str, Any]]":
        raise ConsoleError(reasons.CONSOLE_ARGUMENT, argument[:9])

    console = Console(said.append, {"echo": (echo, "x"), "token": (echo, "x"), "no": (refuse, "x")})
    console.feed(data)
    ends = 0
    for text in said:
        if text == b"ok\r\n" or text[:6] == b"error " or text[:1] == b"{":
            ends += 1
    if ends > len(lines_of(data)):
        raise ValueError(f"{ends} answers to {len(lines_of(data))} lines")
    return _packed(done)


def lines_of(data: bytes) -> "list[bytes]":
    """Cut bytes at line ends, without what makes a line: backspaces and lengths are the reader's affair."""
    return [line for line in data.replace(b"\r", b"\n").split(b"\n") if line]


PARSERS: "dict[str, Parser]" = {
    "frame": _frame,
    "stream": _stream,
    "cbor": _cbor,
    "message": _message,
    "chip": _chip,
    "base45": _base45,
    "live": _live,
    "cose": _cose,
    "token": _token,
    "scanner": _scanner,
    "key_set": _key_set,
    "key_set_slot": _key_set_slot,
    "order": _order,
    "config": _config,
    "identity": _identity,
    "slots": _slots,
    "log": _log,
    "ring": _ring,
    "console": _console,
}


def serve() -> None:
    """Judge lines ``parser hex`` of standard input after a first one with the world; one verdict a line."""
    parts = sys.stdin.readline().split()
    world = World({parts[i]: parts[i + 1] for i in range(0, len(parts), 2)})
    while True:
        words = sys.stdin.readline().split()
        if not words:
            return
        data = bytes.fromhex(words[1]) if len(words) > 1 else b""
        print(judge(world, words[0], data)[0])


if __name__ == "__main__":
    serve()
