"""A spool on virtual flash, and frames for it: what the suites of the spool share. Runs on both interpreters."""

import struct

from weldgate_firmware.spool import RECORD, Spool
from weldgate_protocol.errors import StorageError
from weldgate_simulator.flash import VirtualFlash

SECTOR = 512
GAP = 0x48
ARC = 0x44


def random(n):
    """Return n bytes that stand for a random draw."""
    return bytes(range(0xA0, 0xA0 + n))


def other_random(n):
    """Return n other bytes."""
    return bytes(range(0x10, 0x10 + n))


def frame(spool, payload=60, type_=ARC, seq=None):
    """Return a raw frame with the number the spool wants next."""
    if seq is None:
        seq = spool.next_seq
    body = struct.pack(">BB8s4sIIHH", 0x28, type_, b"\0" * 7 + b"\7", spool.epoch, seq, 1700000000, 0, payload)
    return body + bytes([(seq + i) & 0xFF for i in range(payload)]) + b"tagtagta"


def mounted(flash, acked=None, draw=random):
    """Return a spool over the whole flash."""
    spool = Spool(flash, 0, flash.sector_count, draw)
    spool.mount(acked)
    return spool


def fresh(sectors=8, sector=SECTOR):
    """Return (flash, spool), formatted and with sectors erased ahead."""
    flash = VirtualFlash(sectors, sector)
    spool = mounted(flash)
    prepare(spool)
    return flash, spool


def prepare(spool):
    """Let the spool erase ahead as far as it wants."""
    while spool.service(True):
        pass


def refusing(program, least):
    """Return a flash's program that refuses whatever is as long as a record."""

    def short_only(offset, data):
        if len(data) >= least:
            raise OSError(5)
        program(offset, data)

    return short_only


def fill(spool, until, priority=RECORD):
    """Append ordinary frames until the number `until` is written, with the relay open."""
    while spool.next_seq <= until:
        spool.append(frame(spool), priority, True)


def code_of(call, *args):
    """Return the code of the StorageError that a call raises, 0 when it raises none."""
    try:
        call(*args)
    except StorageError as error:
        return error.code
    return 0
