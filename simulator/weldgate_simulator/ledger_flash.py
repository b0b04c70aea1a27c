"""Reads what a chip emitted from an image of its flash: an independent reader, for the ledger alone.

It shares no code with the firmware's spool and trusts neither sector headers nor counters: a record counts when its
commit byte is programmed and its CRC-32 fits, wherever it stands. An image is the partition's bytes, and behind them
each ring sector as it stood before it was erased (`kept_flash`), so that what the ring has overwritten is seen too.

Record, as `firmware/weldgate_firmware/ring_format.py` tells it: commit 00, check byte, length u16, CRC-32 over length
and raw frame, raw frame; a sector begins with "WGS1" and 28 bytes more.
"""

from typing import NamedTuple
from zlib import crc32

__all__ = ["Identity", "Row", "identity_of", "read_image"]

SECTOR = 4096
MAGIC = b"WGS1"
_SECTOR_HEADER = 32
_RECORD_HEADER = 8
_RAW_MIN, _RAW_MAX = 34, 1058  # header 26, payload 0..1024, tag 8

Identity = tuple[int, int, int]  # chip, epoch, sequence number


class Row(NamedTuple):
    """One record: its identity as its own bytes say it, and those bytes."""

    identity: Identity
    raw: bytes


def identity_of(raw: bytes) -> Identity:
    """Return chip, epoch and sequence number of a raw frame (header `>BB8s4sI`, SPEC)."""
    number = int.from_bytes
    return number(raw[2:10], "big"), number(raw[10:14], "big"), number(raw[14:18], "big")


def read_image(image: bytes) -> list[Row]:
    """Return every committed record of an image, in the order of its sectors.

    Args:
        image: whole sectors of 4096 bytes.

    Raises:
        ValueError: it is no whole number of sectors.
    """
    if len(image) % SECTOR:
        raise ValueError(f"flash image of {len(image)} bytes, only whole sectors of {SECTOR}")
    found = []
    for start in range(0, len(image), SECTOR):
        sector = image[start : start + SECTOR]
        if sector.startswith(MAGIC):
            found += _read_sector(sector)
    return found


def _read_sector(sector: bytes) -> list[Row]:
    """Return a sector's committed records; what is damaged is stepped over byte by byte."""
    found = []
    place = _SECTOR_HEADER
    blank = len(sector.rstrip(b"\xff"))
    while place < blank:
        length = int.from_bytes(sector[place + 2 : place + 4], "big")
        end = place + _RECORD_HEADER + length
        if sector[place] == 0 and _RAW_MIN <= length <= _RAW_MAX and end <= len(sector):
            raw = sector[place + _RECORD_HEADER : end]
            if crc32(raw, crc32(sector[place + 2 : place + 4])) == int.from_bytes(sector[place + 4 : place + 8], "big"):
                found.append(Row(identity_of(raw), raw))
                place = end
                continue
        place += 1
    return found
