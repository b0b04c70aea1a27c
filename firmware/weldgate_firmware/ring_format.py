"""How the spool's sectors and records lie on flash, and how they are read back after anything may have happened.

A sector starts with a header of 32 bytes, programmed in up to three steps (big-endian)::

    0   4  "WGS1"             }
    4   4  times erased       }  the mark, after an erase that was checked: "nothing but FF follows"
    8   4  CRC-32 of 0..8     }
    12  4  epoch              }
    16  4  order, 1, 2, 3 ..  }  opened: this is the newest sector now
    20  4  first number       }
    24  4  CRC-32 of 12..24   }
    28  1  FF, 00 once killed    set before the sector is erased, so that half an erase cannot look like records
    29  3  FF

and records follow, whole ones only: one that straddled two sectors would die with either. A record is::

    0   1  commit             FF while it is written, 00 as the very last step
    1   1  check byte         of the length, so that a flipped bit there cannot lead astray
    2   2  length n           26 + payload + 8
    4   4  CRC-32             over length and raw frame
    8   n  raw frame          header, payload, tag; its bytes 10..18 are epoch and number
"""

import struct
from binascii import crc32

from weldgate_firmware.flash_io import FlashIo
from weldgate_protocol._compat import const
from weldgate_protocol.frame import HEADER_BYTES, RAW_MAX, TAG_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from weldgate_firmware.flash_io import Flash

DIRTY = const(0)  # to be erased before use
CLEAN = const(1)  # erased and marked
LIVE = const(2)  # holds records of this epoch
RETIRED = const(3)  # did not take an erase: tried again when nothing else is left
UNREADABLE = const(4)  # the driver could not read it: left alone until the next boot

SECTOR_HEADER = const(32)
RECORD_HEADER = const(8)
RAW_MIN = HEADER_BYTES + TAG_BYTES
EPOCH_AT = const(10)  # epoch and number in a raw frame, SPEC "header"
TYPE_AT = const(1)

_MAGIC = b"WGS1"
_PROBE = const(26)  # record header and a raw frame up to its number
_OPEN_AT = const(12)
_KILL_AT = const(28)
_SEARCH = const(128)  # bytes searched at a time for a lost record start
_BLANK_OPEN = b"\xff" * 20
_BLANK_PROBE = b"\xff" * 26
_ZERO = b"\x00"


def _check_byte(high: int, low: int) -> int:
    """Give the check byte of a length: CRC-32 of its two bytes, lowest eight bits."""
    return crc32(bytes((high, low))) & 0xFF


class RingSectors:
    """The sectors of one ring: reads and writes headers and records, decides nothing.

    After `examine`: `erases`, `epoch`, `order`, `first`. After `seek`: `at` (offset of the record in its sector),
    `length`, `seq`, `type`; after an unsuccessful one `end`, the byte behind the last intact record it met.
    """

    def __init__(self, flash: "Flash", first_sector: int, sectors: int) -> None:
        self.io = FlashIo(flash)
        self.count = sectors
        self.size = flash.sector_size
        self._first_sector = first_sector
        self._head = bytearray(SECTOR_HEADER)
        self._record = bytearray(RECORD_HEADER + RAW_MAX)
        self._record_view = memoryview(self._record)
        self.erases = self.order = self.first = 0
        self.epoch = b""
        self.at = self.length = self.seq = self.type = self.end = 0

    def start(self, index: int) -> int:
        """Give the flash offset of sector `index` of the ring."""
        return (self._first_sector + index) * self.size

    def largest_raw(self) -> int:
        """Give the longest raw frame that fits a sector, in bytes."""
        return min(RAW_MAX, self.size - SECTOR_HEADER - RECORD_HEADER)

    # -- sectors -------------------------------------------------------------

    def examine(self, index: int) -> int:
        """Read a sector's header.

        Returns:
            CLEAN, LIVE, DIRTY or UNREADABLE.
        """
        head = self._head
        try:
            self.io.flash.read(self.start(index), head)
        except OSError:
            return UNREADABLE
        magic, self.erases, mark_crc = struct.unpack_from(">4sII", head, 0)
        marked = magic == _MAGIC and mark_crc == crc32(memoryview(head)[:8])
        if not marked:
            self.erases = 0
        self.epoch, self.order, self.first, open_crc = struct.unpack_from(">4sIII", head, _OPEN_AT)
        if open_crc == crc32(memoryview(head)[_OPEN_AT:24]) and magic == _MAGIC:
            return DIRTY if head[_KILL_AT] == 0 else LIVE
        if marked and bytes(head)[_OPEN_AT:] == _BLANK_OPEN:
            return CLEAN
        return DIRTY

    def killed(self) -> bool:
        """Tell whether the sector examined last carries the kill byte."""
        return self._head[_KILL_AT] == 0

    def erase(self, index: int, erases: int) -> None:
        """Erase a sector, check it and mark it clean; blocks up to 400 ms.

        Args:
            index: sector of the ring.
            erases: times this sector has been erased, with this one.

        Raises:
            OSError: it did not take.
        """
        self.io.erase(self._first_sector + index)
        mark = struct.pack(">4sI", _MAGIC, erases)
        self.io.program(self.start(index), mark + struct.pack(">I", crc32(mark)))

    def open(self, index: int, epoch: bytes, order: int, first: int) -> None:
        """Make a clean sector the newest one.

        Raises:
            OSError: it did not take.
        """
        opened = struct.pack(">4sII", epoch, order, first)
        self.io.program(self.start(index) + _OPEN_AT, opened + struct.pack(">I", crc32(opened)))

    def kill(self, index: int) -> None:
        """Take a sector out of the ring before it is erased.

        Raises:
            OSError: it did not take.
        """
        self.io.program(self.start(index) + _KILL_AT, _ZERO)

    # -- records -------------------------------------------------------------

    def write(self, index: int, offset: int, raw: "bytes | bytearray | memoryview") -> int:
        """Write one record: all of it, read back, and then its commit byte.

        Args:
            index: sector of the ring.
            offset: first byte in the sector; all behind it is FF.
            raw: the frame; it fits.

        Returns:
            The offset behind the record.

        Raises:
            OSError: it did not take; the rest of the sector is not to be trusted any more.
        """
        n = len(raw)
        record = self._record_view[: RECORD_HEADER + n]
        record[0] = 0xFF
        record[2] = n >> 8
        record[3] = n & 0xFF
        record[1] = _check_byte(record[2], record[3])
        record[RECORD_HEADER:] = raw
        struct.pack_into(">I", self._record, 4, crc32(raw, crc32(record[2:4])))
        start = self.start(index) + offset
        self.io.program(start, record)
        self.io.program(start, _ZERO)
        return offset + RECORD_HEADER + n

    def probe(self, index: int, offset: int) -> int:
        """Look at what stands at `offset`, without trusting it.

        Returns:
            n > 0: a record header of that length (`seq`, `type` set); 0: free or no room for more; -1: neither.
        """
        room = self.size - offset - RECORD_HEADER
        if room < RAW_MIN:
            return 0
        view = self._record_view[:_PROBE]
        try:
            self.io.flash.read(self.start(index) + offset, view)
        except OSError:
            return -1
        if view == _BLANK_PROBE:
            return 0
        n = view[2] << 8 | view[3]
        if view[1] != _check_byte(view[2], view[3]) or n < RAW_MIN or n > RAW_MAX or n > room:
            return -1
        self.type = view[RECORD_HEADER + TYPE_AT]
        self.seq = struct.unpack_from(">I", self._record, RECORD_HEADER + EPOCH_AT + 4)[0]
        return n

    def intact(self, index: int, offset: int, n: int, epoch: bytes) -> bool:
        """Tell whether the record probed last is committed, whole and of `epoch`."""
        record = self._record
        if record[0] != 0 or bytes(self._record_view[RECORD_HEADER + EPOCH_AT :][:4]) != epoch:
            return False
        wanted = struct.unpack_from(">I", record, 4)[0]
        try:
            got = self.io.crc(self.start(index) + offset + RECORD_HEADER, n, crc32(self._record_view[2:4]))
        except OSError:
            return False
        return bool(got == wanted)

    def seek(self, index: int, offset: int, wanted: int, epoch: bytes) -> bool:
        """Find the first intact record numbered `wanted` or more, from a record start on.

        Behind a damaged record the next one is found by the epoch's four bytes, which every frame carries: its length
        is not trusted.

        Args:
            index: sector of the ring.
            offset: where a record starts, or should.
            wanted: smallest number to be found.
            epoch: the ring's, 4 bytes.

        Returns:
            True with `at`, `length`, `seq`, `type`; False with `end`.
        """
        self.end = offset
        while True:
            n = self.probe(index, offset)
            if n == 0:
                return False
            if n > 0 and self.intact(index, offset, n, epoch):
                if self.seq >= wanted:
                    self.at = offset
                    self.length = n
                    return True
                offset += RECORD_HEADER + n
                self.end = offset
            else:
                offset = self._search(index, offset + 1, epoch)
                if offset == 0:
                    return False

    def load(self, index: int, offset: int, n: int, buf: "bytearray | memoryview") -> bool:
        """Read the raw frame of the record probed last into `buf` and check it.

        Returns:
            False when it is not committed, can't be read, or its CRC differs.
        """
        if self._record[0] != 0:
            return False
        view = memoryview(buf)[:n]
        try:
            self.io.flash.read(self.start(index) + offset + RECORD_HEADER, view)
        except OSError:
            return False
        return bool(crc32(view, crc32(self._record_view[2:4])) == struct.unpack_from(">I", self._record, 4)[0])

    def _search(self, index: int, offset: int, epoch: bytes) -> int:
        """Find where a record may start, at `offset` or behind it, by its epoch's bytes; 0 when nowhere."""
        lead = RECORD_HEADER + EPOCH_AT
        block = bytearray(_SEARCH)
        position = offset + lead
        while position + len(epoch) <= self.size:
            view = memoryview(block)[: min(_SEARCH, self.size - position)]
            try:
                self.io.flash.read(self.start(index) + position, view)
            except OSError:
                return 0
            found = bytes(view).find(epoch)
            if found >= 0:
                return position + found - lead
            position += max(len(view) - len(epoch) + 1, 1)
        return 0
