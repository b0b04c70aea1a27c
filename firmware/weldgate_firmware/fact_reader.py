"""Small durable facts in two areas of flash: append in one, rewrite into the other, header last.

A fact is (kind, key, value); a later one of the same kind and key replaces the former. The log knows no meaning, only
whether what it read was whole. An area is a few sectors; its header (big-endian)::

    0   4  "WGL1"             }
    4   4  times erased       }  the mark, after an erase that was checked
    8   4  CRC-32 of 0..8     }
    12  4  generation, 1, 2 ..}  after all facts were copied here: the higher generation counts
    16  4  CRC-32 of 12..16   }

and entries, one program each::

    0   1  kind in bits 7-4 (1..14), key length in bits 3-0
    1   1  value length 0..253; 254 a counter; 255 removed
    2      key, value (counter: base, 4 bytes), CRC-32 of all before (4 bytes)
           counter only: 32 bytes, of which each cleared bit adds 60 to the base, so that a minute costs one bit

An entry that fails its CRC with nothing whole behind it is a torn tail: the fact was never confirmed. With something
whole behind it the area is *damaged*: a confirmed fact is gone, and nobody can say which.
"""

import struct
from array import array
from binascii import crc32

from weldgate_firmware.flash_io import FlashIo
from weldgate_protocol._compat import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from weldgate_firmware.flash_io import Flash

FACTS_MAX = const(320)  # live facts in one log: 256 used ids and what else there is
VALUE_MAX = const(253)
KEY_MAX = const(15)
COUNTER_STEP = const(60)  # seconds a cleared bit stands for

MAGIC = b"WGL1"
AREA_HEADER = const(20)
GENERATION_AT = const(12)
COUNTER = const(254)
REMOVED = const(255)
UNARY_BYTES = const(32)  # bytes of a counter's field: 256 minutes before a new entry
_ENTRY_MAX = const(274)  # 2 + 15 + 253 + 4
_BLANK_GENERATION = b"\xff" * 8

SPARE_DIRTY = const(0)
SPARE_CLEAN = const(1)


def bits_cleared(field: "bytes | bytearray | memoryview") -> int:
    """Count the zero bits of a counter's field."""
    n = 0
    for byte in field:
        while byte != 0xFF:
            byte |= byte + 1  # noqa: PLW2901  (sets the lowest zero bit)
            n += 1
    return n


class FactReader:
    """A log of facts over two areas, as it is read.

    Attributes:
        blank: nothing was ever written here. damaged: a confirmed fact can't be read.
        unsure: the other area holds what does not count: an erase or a rewrite that was cut, or a header that rotted.
        torn: the tail is not to be written behind; a rewrite cures it.
        end: where the next entry goes, in bytes from the area's start. live_bytes: what a rewrite would keep.
        count: live facts. spare: whether the other area is ready (SPARE_CLEAN).
    """

    def __init__(self, flash: "Flash", first_sector: int, area_sectors: int) -> None:
        """Bind to 2 x `area_sectors` sectors; `mount` reads them."""
        self._io = FlashIo(flash)
        self._first_sector = first_sector
        self._area_sectors = area_sectors
        self.area_bytes = area_sectors * flash.sector_size
        self._at = array("H", [0] * FACTS_MAX)  # offsets of live entries, ascending
        self._marks = array("H", [0] * FACTS_MAX)
        self._kinds = bytearray(FACTS_MAX)
        self._buf = bytearray(_ENTRY_MAX)
        self._view = memoryview(self._buf)
        self._area = -1
        self._generation = 0
        self._erases = [0, 0]
        self._erased = 0  # sectors of the spare area erased so far
        self.blank = self.damaged = self.torn = self.unsure = False
        self.spare = SPARE_DIRTY
        self.end = self.area_bytes
        self.live_bytes = 0
        self.count = 0

    # -- mount -----------------------------------------------------------------

    def mount(self) -> None:
        """Find the area that counts and read its facts' places.

        Raises:
            OSError: the driver could not read.
        """
        self._area = -1
        self._generation = self.count = self.live_bytes = self._erased = 0
        self.damaged = self.torn = self.unsure = False
        self.blank = True
        for area in (0, 1):
            generation = self._examine(area)
            if generation > self._generation:
                self._area = area
                self._generation = generation
        if self._area < 0:
            # Nothing counts. An erased log, or one cut while it was first written, holds no facts; other bytes do.
            for area in (0, 1):
                if not self._io.blank(self._start(area) + AREA_HEADER, self.area_bytes - AREA_HEADER):
                    self.blank = False
            self.damaged = not self.blank
            self.end = self.area_bytes
            self.spare = SPARE_DIRTY
            return
        self.blank = False
        spare = self._start(1 - self._area)
        self.spare = SPARE_DIRTY
        older = self._examine(1 - self._area)
        if older < 0 and self._io.blank(spare + AREA_HEADER, self.area_bytes - AREA_HEADER):
            self.spare = SPARE_CLEAN
        self.unsure = older <= 0 and self.spare != SPARE_CLEAN
        self._scan()

    def give_up(self) -> None:
        """Treat this log as damaged from end to end: the driver could not read it."""
        self._area = -1
        self._generation = self.count = self.live_bytes = self._erased = 0
        self.blank = self.torn = self.unsure = False
        self.damaged = True
        self.spare = SPARE_DIRTY
        self.end = self.area_bytes

    def _examine(self, area: int) -> int:
        """Read an area's header: its generation, 0 when it has none that counts, -1 when marked and unused."""
        head = self._view[:AREA_HEADER]
        self._io.flash.read(self._start(area), head)
        magic, erases, mark_crc, generation, crc = struct.unpack_from(">4sIIII", self._buf, 0)
        if magic != MAGIC or mark_crc != crc32(head[:8]):
            return 0
        self._erases[area] = erases
        if head[GENERATION_AT:] == _BLANK_GENERATION:
            return -1
        return int(generation) if crc == crc32(head[GENERATION_AT:16]) else 0

    def _scan(self) -> None:
        """Read all entries of the area that counts."""
        offset = AREA_HEADER
        whole = AREA_HEADER
        doubt = False
        while offset + 6 <= self.area_bytes:
            size = self._entry(offset)
            if size > 0:
                if doubt:
                    self.damaged = True
                    doubt = False
                self._note(offset, size)
                offset += size
                whole = offset
            elif self._buf[0] == 0xFF and not doubt:
                break
            else:
                doubt = True
                offset += 1
        self.end = whole
        self.torn = doubt or not self._io.blank(self._start(self._area) + whole, self.area_bytes - whole)

    def _note(self, offset: int, size: int) -> None:
        """Let a whole entry take effect on the table of live ones; it stands in the buffer."""
        kind = self._buf[0] >> 4
        removed = self._buf[1] == REMOVED
        key = bytes(self._view[2 : 2 + (self._buf[0] & 15)])
        self._forget(self.find(kind, key))
        if not removed:
            self._keep(kind, key, offset, size)

    # -- entries -----------------------------------------------------------------

    def _start(self, area: int) -> int:
        return (self._first_sector + area * self._area_sectors) * self._io.sector_size

    def _entry(self, offset: int) -> int:
        """Read the entry at `offset` into the buffer; its size on flash, 0 when it is not whole."""
        start = self._start(self._area) + offset
        self._io.flash.read(start, self._view[:2])
        if self._buf[0] >> 4 in (0, 15):
            return 0
        value = self._buf[1]
        body = 2 + (self._buf[0] & 15) + (4 if value == COUNTER else 0 if value == REMOVED else value)
        size = body + 4 + (UNARY_BYTES if value == COUNTER else 0)
        if offset + size > self.area_bytes:
            return 0
        self._io.flash.read(start + 2, self._view[2 : body + 4])
        if struct.unpack_from(">I", self._buf, body)[0] != crc32(self._view[:body]):
            return 0
        return size

    def _value(self, offset: int) -> bytes:
        """Give the value of the entry in the buffer, which stands at `offset`."""
        begin = 2 + (self._buf[0] & 15)
        if self._buf[1] != COUNTER:
            return bytes(self._view[begin : begin + self._buf[1]])
        base = struct.unpack_from(">I", self._buf, begin)[0]
        field = bytearray(UNARY_BYTES)
        self._io.flash.read(self._start(self._area) + offset + begin + 8, field)
        return struct.pack(">I", base + COUNTER_STEP * bits_cleared(field))

    def find(self, kind: int, key: bytes) -> int:
        """Give the index of a live fact, -1 when there is none."""
        wanted = kind << 4 | len(key)
        mark = self._mark(kind, key)
        for index in range(self.count):
            if (
                self._marks[index] == mark
                and self._entry(self._at[index]) > 0
                and self._buf[0] == wanted
                and self._view[2 : 2 + len(key)] == key
            ):
                return index
        return -1

    @staticmethod
    def _mark(kind: int, key: bytes) -> int:
        """Give 16 bits that tell most keys apart, so that finding one reads one entry and not all."""
        return crc32(key, kind) & 0xFFFF

    def get(self, kind: int, key: bytes) -> "bytes | None":
        """Give a fact's value, None when there is none.

        Raises:
            OSError: the driver could not read.
        """
        index = self.find(kind, key)
        return None if index < 0 else self._value(self._at[index])

    def facts(self, kind: int = 0) -> "Iterator[tuple[int, bytes, bytes]]":
        """Yield live facts (kind, key, value), of one kind or of all; nothing may be written meanwhile.

        Raises:
            OSError: the driver could not read.
        """
        for index in range(self.count):
            if kind in (0, self._kinds[index]) and self._entry(self._at[index]) > 0:
                key = bytes(self._view[2 : 2 + (self._buf[0] & 15)])
                yield self._kinds[index], key, self._value(self._at[index])

    def held(self, kind: int) -> int:
        """Count the live facts of a kind."""
        n = 0
        for index in range(self.count):
            n += self._kinds[index] == kind
        return n

    def _forget(self, index: int) -> None:
        """Drop a live fact from the table."""
        if index < 0:
            return
        self.live_bytes -= self._entry(self._at[index])
        self.count -= 1
        for i in range(index, self.count):
            self._at[i] = self._at[i + 1]
            self._marks[i] = self._marks[i + 1]
            self._kinds[i] = self._kinds[i + 1]

    def _keep(self, kind: int, key: bytes, offset: int, size: int) -> None:
        """Add a live fact to the table; a full table is damage, since `room` never lets it come to that."""
        if self.count == FACTS_MAX:
            self.damaged = True
            return
        self._at[self.count] = offset
        self._marks[self.count] = self._mark(kind, key)
        self._kinds[self.count] = kind
        self.count += 1
        self.live_bytes += size
