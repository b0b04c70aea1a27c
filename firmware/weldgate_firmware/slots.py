"""Key set, revocations, configuration and identity in two slots each: old or new after any power cut, never neither.

An object is written into the slot that does not count, read back, and made to count by its header, which comes last.
A slot is one sector (big-endian)::

    0   4  "WGO1"
    4   4  serial, 1, 2, 3 ..: the higher one counts
    8   2  length n
    10  4  CRC-32 of the object
    14  4  CRC-32 of 0..14
    18  n  the object

What the object means, and whether an older one may replace a newer, is for whoever loads it.
"""

import struct
from binascii import crc32

from weldgate_firmware.flash_io import FlashIo
from weldgate_protocol._compat import const
from weldgate_protocol.errors import StorageError
from weldgate_protocol.reasons import STORAGE_FAILED, STORAGE_TOO_LONG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from weldgate_firmware.flash_io import Flash

KEY_SET = const(0)
REVOCATIONS = const(1)
CONFIG = const(2)
IDENTITY = const(3)

KINDS = const(4)
SLOT_SECTORS = const(8)  # KINDS x 2

_MAGIC = b"WGO1"
_HEADER = const(18)
_TRIES = const(2)


class Slots:
    """The objects of one chip, by kind."""

    def __init__(self, flash: "Flash", first_sector: int) -> None:
        """Bind to SLOT_SECTORS sectors; nothing is read before it is asked for."""
        self._io = FlashIo(flash)
        self._first_sector = first_sector
        self._head = bytearray(_HEADER)
        self.largest = min(0xFFFF, flash.sector_size - _HEADER)
        self.failures = 0

    def load(self, kind: int) -> "bytes | None":
        """Give the object that counts, None when there is none.

        Args:
            kind: KEY_SET, REVOCATIONS, CONFIG or IDENTITY.

        Raises:
            StorageError: STORAGE_TOO_LONG, no such kind.
        """
        sector, _, length = self._newest(kind)
        if sector < 0:
            return None
        data = bytearray(length)
        try:
            self._io.flash.read(sector * self._io.sector_size + _HEADER, data)
        except OSError:
            return None
        return bytes(data)

    def store(self, kind: int, data: "bytes | bytearray | memoryview") -> None:
        """Make an object the one that counts. With the relay open only: erases a sector, up to 400 ms.

        Args:
            kind: KEY_SET, REVOCATIONS, CONFIG or IDENTITY.
            data: 1 to `largest` bytes.

        Raises:
            StorageError: STORAGE_TOO_LONG, no such kind or length; STORAGE_FAILED, flash did not take it: the old
                object still counts.
        """
        if not 1 <= len(data) <= self.largest:
            raise StorageError(STORAGE_TOO_LONG, "object of %d bytes, 1 to %d" % (len(data), self.largest))
        counts, serial, _ = self._newest(kind)
        sector = self._first_sector + 2 * kind
        if counts == sector:
            sector += 1
        for _ in range(_TRIES):
            try:
                self._write(sector, serial + 1, data)
                return
            except OSError:
                self.failures += 1
        raise StorageError(STORAGE_FAILED, "flash did not take object %d of %d bytes" % (kind, len(data)))

    def _write(self, sector: int, serial: int, data: "bytes | bytearray | memoryview") -> None:
        self._io.erase(sector)
        start = sector * self._io.sector_size
        self._io.program(start + _HEADER, data)
        header = struct.pack(">4sIHI", _MAGIC, serial, len(data), crc32(data))
        self._io.program(start, header + struct.pack(">I", crc32(header)))

    def _newest(self, kind: int) -> "tuple[int, int, int]":
        """Find the slot that counts: (sector, serial, length), sector -1 when neither is whole."""
        if not 0 <= kind < KINDS:
            raise StorageError(STORAGE_TOO_LONG, "object kind %d, 0 to %d" % (kind, KINDS - 1))
        best = (-1, 0, 0)
        for sector in (self._first_sector + 2 * kind, self._first_sector + 2 * kind + 1):
            start = sector * self._io.sector_size
            try:
                self._io.flash.read(start, self._head)
                magic, serial, length, data_crc, crc = struct.unpack(">4sIHII", self._head)
                if magic != _MAGIC or crc != crc32(memoryview(self._head)[:14]) or length > self.largest:
                    continue
                if serial > best[1] and self._io.crc(start + _HEADER, length) == data_crc:
                    best = (sector, serial, length)
            except OSError:
                continue
        return best
