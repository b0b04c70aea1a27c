"""That the ledger's reader finds what the firmware's spool committed, and nothing else."""

import random

import pytest

from weldgate_firmware.spool import SESSION, Spool
from weldgate_protocol import frame, messages
from weldgate_protocol._compat import HmacKey
from weldgate_simulator.flash import PowerCut, VirtualFlash
from weldgate_simulator.ledger_flash import identity_of, read_image

DEVICE = (77).to_bytes(8, "big")


def make_spool(flash: VirtualFlash) -> Spool:
    spool = Spool(flash, 0, flash.sector_count, random.Random(5).randbytes)
    spool.mount()
    while spool.service(True):
        pass
    return spool


def make_raw(spool: Spool, seq: int = 0) -> bytes:
    payload = messages.encode(messages.GAP, {"first": 1, "last": 2, "cause": 2})
    body = frame.encode_body(
        frame.FLAG_DURABLE, messages.GAP, DEVICE, spool.epoch, seq or spool.next_seq, 1, 2, payload
    )
    return frame.seal(body, HmacKey(bytes(32)))


def test_every_committed_record_is_found() -> None:
    """What was appended is read back, byte for byte and in order, over several sectors."""
    flash = VirtualFlash(12)
    spool = make_spool(flash)
    raws = []
    for _ in range(150):
        raws.append(make_raw(spool))
        spool.append(raws[-1], SESSION)

    rows = read_image(bytes(flash.data))

    assert [row.raw for row in rows] == raws
    assert [row.identity for row in rows] == [(77, int.from_bytes(spool.epoch, "big"), n) for n in range(1, 151)]


@pytest.mark.parametrize("steps", [0, 1, 20, 40])
def test_record_without_its_commit_byte_is_not_found(steps: int) -> None:
    """A power cut inside an append leaves the records before it, or that one too when its commit byte took."""
    flash = VirtualFlash(12)
    spool = make_spool(flash)
    first = make_raw(spool)
    spool.append(first, SESSION)
    flash.cut_after(steps)
    with pytest.raises(PowerCut):
        spool.append(make_raw(spool), SESSION)

    assert [row.raw for row in read_image(bytes(flash.data))] == [first]


def test_damaged_record_is_stepped_over() -> None:
    """One flipped bit costs that record alone."""
    flash = VirtualFlash(12)
    spool = make_spool(flash)
    raws = []
    for _ in range(3):
        raws.append(make_raw(spool))
        spool.append(raws[-1], SESSION)
    flash.rot(bytes(flash.data).index(raws[1]) + 12, 1)

    assert [row.raw for row in read_image(bytes(flash.data))] == [raws[0], raws[2]]


def test_identity_is_read_from_the_header() -> None:
    """Chip, epoch and number stand in bytes 2 to 18."""
    raw = bytes([0x28, 0x48]) + (9).to_bytes(8, "big") + (8).to_bytes(4, "big") + (7).to_bytes(4, "big") + bytes(16)

    assert identity_of(raw) == (9, 8, 7)


def test_half_a_sector_is_no_image() -> None:
    """A torn file is an error, not a shorter ledger."""
    with pytest.raises(ValueError, match="whole sectors"):
        read_image(bytes(5000))
