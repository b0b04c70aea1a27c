"""What flash can hold after rot, torn writes and strangers: settings, identities, slots, the log, the ring.

Images are first written by the firmware itself, then damaged. A store may lose what was damaged; what it gives must
have been written, byte for byte.
"""

import struct
import zlib
from collections.abc import Iterator
from random import Random
from typing import Any

import cbor2

from weldgate_firmware import log as logs
from weldgate_firmware.config import SETTINGS
from weldgate_firmware.identity import FIELDS
from weldgate_firmware.slots import KINDS, Slots
from weldgate_firmware.spool import RECORD, Spool
from weldgate_protocol import messages
from weldgate_protocol.errors import StorageError
from weldgate_protocol.frame import encode_body
from weldgate_simulator import fuzz_bytes
from weldgate_simulator.flash import PowerCut, VirtualFlash
from weldgate_simulator.fuzz_parsers import LOG_BYTES, RING_BYTES, RING_EPOCH, RING_SECTORS, SECTOR, SLOT_BYTES
from weldgate_simulator.fuzz_wire import Case, Target

__all__ = ["store_targets"]

_DAMAGED = 24  # cases made of one image
_KINDS_OF = {bytes: "bytes", int: "uint", str: "text", list: "ids"}
_IDENTITY = [(key, name, _KINDS_OF[kind], True, low, high) for key, name, kind, low, high in FIELDS]
_CONFIG = [(key, name, "uint", False, low, high) for key, name, low, high, *_ in SETTINGS]


# -- settings and identity ----------------------------------------------------------------


def _configs(draw: Random) -> Iterator[Case]:
    while True:
        data = fuzz_bytes.encode(draw, fuzz_bytes.pairs(draw, _CONFIG), draw.choice((0.0, 0.0, 0.05)))
        yield Case(data if draw.random() < 0.7 else fuzz_bytes.damage(draw, data))


def _config_wrong(case: Case, taken: bytes) -> bool:
    """Known keys in their ranges, deterministic; given back without what is the default anyway."""
    found = cbor2.loads(case.data)
    rows = {row[0]: row for row in SETTINGS}
    if cbor2.dumps(found, canonical=True) != case.data:
        return True
    if any(
        key not in rows or type(one) is not int or not rows[key][2] <= one <= rows[key][3] for key, one in found.items()
    ):
        return True
    return taken != cbor2.dumps({key: one for key, one in found.items() if one != rows[key][4]}, canonical=True)


def _identities(draw: Random) -> Iterator[Case]:
    while True:
        found = fuzz_bytes.pairs(draw, _IDENTITY)
        if draw.random() < 0.9:
            found[6] = [draw.randbytes(64) for _ in range(draw.choice((1, 2, 2, 3)))]
            found[1] = bytes([draw.randrange(128)]) + draw.randbytes(7)
        data = fuzz_bytes.encode(draw, found, draw.choice((0.0, 0.0, 0.02)))
        yield Case(data if draw.random() < 0.7 else fuzz_bytes.damage(draw, data))


def _identity_wrong(case: Case, taken: bytes) -> bool:
    found = cbor2.loads(case.data)
    sizes = all(
        low <= (one if kind is int else len(one)) <= high and type(one) is kind
        for (_, _, kind, low, high), one in zip(FIELDS, found.values(), strict=True)
    )
    return taken != case.data or not sizes or cbor2.dumps(found, canonical=True) != case.data


# -- flash -----------------------------------------------------------------------------------


def _rotten(draw: Random, flash: VirtualFlash) -> bytes:
    """Return the image with rot, a run of nothing, or pieces of itself in a wrong place; or as it is."""
    cells = bytearray(flash.data)
    dice = draw.randrange(12)
    for _ in range(0 if dice == 0 else draw.choice((1, 1, 2, 4, 30))):
        sector = draw.randrange(flash.sector_count) * SECTOR
        at = sector + (draw.randrange(64) if draw.random() < 0.6 else draw.randrange(SECTOR))
        if dice < 5:
            cells[at] ^= 1 << draw.randrange(8)
        elif dice < 7:
            size = draw.randint(1, 64)
            cells[at : at + size] = (b"\xff" if draw.random() < 0.5 else b"\x00") * len(cells[at : at + size])
        elif dice < 9:
            new = draw.randbytes(draw.randint(1, 8))[: len(cells) - at]
            cells[at : at + len(new)] = new
        elif dice == 9:
            other = draw.randrange(flash.sector_count) * SECTOR
            cells[sector : sector + SECTOR] = cells[other : other + SECTOR]
        elif dice == 10:
            cells[sector : sector + SECTOR] = b"\xff" * SECTOR
        else:
            cells[at] &= draw.randrange(256)
    return bytes(cells)


def _slot_images(draw: Random) -> Iterator[Case]:
    while True:
        flash = VirtualFlash(SLOT_BYTES // SECTOR, SECTOR, seed=draw.randrange(1 << 30))
        store = Slots(flash, 0)
        written: set[bytes] = {b""}
        for _ in range(draw.randint(1, 9)):
            data = draw.randbytes(draw.choice((1, 20, 128, 494)))
            written.add(b"=" + data)
            flash.cut_after(draw.randrange(900) if draw.random() < 0.1 else -1)
            try:
                store.store(draw.randrange(KINDS), data)
            except PowerCut:
                break
        for _ in range(_DAMAGED):
            yield Case(_rotten(draw, flash), written)


def _slots_wrong(case: Case, taken: bytes) -> bool:
    """Objects that were stored, whole; and where two are whole, the later one."""
    for kind, one in enumerate(cbor2.loads(taken)):
        if one not in case.allowed:
            return True
        whole = []
        for sector in (2 * kind, 2 * kind + 1):
            magic, serial, size, crc, head = struct.unpack_from(">4sIHII", case.data, sector * SECTOR)
            data = case.data[sector * SECTOR + 18 : sector * SECTOR + 18 + size]
            checked = head == zlib.crc32(case.data[sector * SECTOR : sector * SECTOR + 14])
            if magic == b"WGO1" and checked and crc == zlib.crc32(data) and size <= SECTOR - 18 and serial:
                whole.append((serial, b"=" + data))
        if one != (max(whole, key=lambda pair: pair[0])[1] if whole else b""):
            return True
    return False


def _log_images(draw: Random) -> Iterator[Case]:
    while True:
        flash = VirtualFlash(LOG_BYTES // SECTOR, SECTOR, seed=draw.randrange(1 << 30))
        store = logs.Log(flash, 0)
        written: set[bytes] = set()
        try:
            store.mount()
            while store.service(True):
                pass
            flash.cut_after(draw.randrange(3000) if draw.random() < 0.4 else -1)
            for _ in range(draw.randint(1, 30)):
                _write_fact(draw, store, written)
        except (PowerCut, StorageError):
            pass
        flash.cut_after(-1)
        for _ in range(_DAMAGED):
            yield Case(_rotten(draw, flash), written)


def _write_fact(draw: Random, store: logs.Log, written: set[bytes]) -> None:
    kind = draw.randint(1, logs.IDS_FROM)
    key = draw.choice((b"", draw.randbytes(8), b"same-key"))
    value = draw.randbytes(4 if kind == logs.POWERED else draw.choice((0, 4, 8, 60)))
    written.add(bytes((kind, len(key))) + key + value)
    store.put(kind, value, key, True)
    if draw.random() < 0.2:
        store.remove(kind, key, True)


def _log_wrong(case: Case, taken: bytes) -> bool:
    """Facts that were written; but a counter of seconds may have counted on, and the log notes its own damage."""
    at = 0
    while at < len(taken):
        size = struct.unpack_from(">H", taken, at)[0]
        fact = taken[at + 2 : at + 2 + size]
        if fact[0] not in (logs.POWERED, logs.DAMAGE) and fact not in case.allowed:
            return True
        at += 2 + size
    return False


def _ring_images(draw: Random) -> Iterator[Case]:
    while True:
        flash = VirtualFlash(RING_BYTES // SECTOR, SECTOR, seed=draw.randrange(1 << 30))
        spool = Spool(flash, 0, RING_SECTORS, lambda _: RING_EPOCH)
        spool.mount()
        written: set[bytes] = set()
        flash.cut_after(draw.randrange(4000) if draw.random() < 0.4 else -1)
        try:
            for _ in range(draw.randint(0, 40)):
                raw = _record(draw, spool, draw.randbytes(draw.choice((0, 0, 9, 66, 200))))
                written.add(raw)
                spool.append(raw, RECORD, True)
                if draw.random() < 0.3:
                    spool.ack(draw.randint(0, spool.highest))
        except (PowerCut, StorageError):
            pass
        flash.cut_after(-1)
        for _ in range(_DAMAGED):
            yield Case(_rotten(draw, flash), written)


def _record(draw: Random, spool: Spool, payload: bytes) -> bytes:
    if spool.skipped is not None:
        fields: dict[str, Any] = {"first": spool.skipped[0], "last": spool.skipped[1], "cause": 2}
        gap = messages.encode(messages.GAP, fields)
        return encode_body(8, messages.GAP, bytes(8), spool.epoch, spool.next_seq, 0, 0, gap) + bytes(8)
    type_ = draw.choice((messages.ARC, messages.TELEMETRY))
    return encode_body(8, type_, bytes(8), spool.epoch, spool.next_seq, 0, 0, payload) + draw.randbytes(8)


def _ring_wrong(case: Case, taken: bytes) -> bool:
    """Records that were written, in rising order."""
    at, last = 0, 0
    while at < len(taken):
        size = struct.unpack_from(">H", taken, at)[0]
        raw = taken[at + 2 : at + 2 + size]
        if raw:  # nothing: damaged between finding and reading
            seq = struct.unpack_from(">I", raw, 14)[0]
            if raw not in case.allowed or seq <= last:
                return True
            last = seq
        at += 2 + size
    return False


def store_targets() -> list[Target]:
    """Return the targets of what lies on flash."""
    return [
        Target("config", 8, _configs, _config_wrong),
        Target("identity", 4, _identities, _identity_wrong),
        Target("slots", 1, _slot_images, _slots_wrong),
        Target("log", 1, _log_images, _log_wrong),
        Target("ring", 1, _ring_images, _ring_wrong),
    ]
