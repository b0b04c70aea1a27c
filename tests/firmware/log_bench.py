"""A log on virtual flash: what the suites of the log share. Runs on both interpreters."""

from weldgate_firmware.log import LOG_SECTORS, Log
from weldgate_protocol.errors import StorageError
from weldgate_simulator.flash import VirtualFlash

SECTOR = 512
AREA = 2 * SECTOR
ID = b"12345678"


def number(value):
    """Return four bytes, big-endian."""
    return value.to_bytes(4, "big")


def mounted(flash):
    """Return a log as a boot finds it, nothing mended."""
    log = Log(flash, 0)
    log.mount()
    return log


def booted(flash):
    """Return a log after the boot's service."""
    log = mounted(flash)
    prepare(log)
    return log


def prepare(log):
    """Let the log make room and mend itself."""
    while log.service(True):
        pass


def fresh(sector=SECTOR):
    """Return (flash, log), ready for use."""
    flash = VirtualFlash(LOG_SECTORS, sector)
    return flash, booted(flash)


def code_of(call, *args, **named):
    """Return the code of the StorageError that a call raises, 0 when it raises none."""
    try:
        call(*args, **named)
    except StorageError as error:
        return error.code
    return 0


def spoil(flash, first, count, offset=0):
    """Rot one byte in every 16 of some sectors."""
    for at in range(first * flash.sector_size + offset, (first + count) * flash.sector_size, 16):
        flash.rot(at, 0x21)
