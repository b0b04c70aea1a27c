"""Writing facts: append, count on, remove, and rewrite all that lives into the other area. Format: `fact_reader`."""

import struct
from array import array
from binascii import crc32

from weldgate_firmware.fact_reader import (
    AREA_HEADER,
    COUNTER,
    COUNTER_STEP,
    FACTS_MAX,
    GENERATION_AT,
    MAGIC,
    REMOVED,
    SPARE_CLEAN,
    SPARE_DIRTY,
    UNARY_BYTES,
    FactReader,
    bits_cleared,
)
from weldgate_protocol._compat import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from weldgate_firmware.flash_io import Flash

_PAGE = const(256)  # bytes programmed at a time when rewriting
_BLANK_UNARY = b"\xff" * 32
_EIO = const(5)


class FactLog(FactReader):
    """One log of facts over two areas."""

    def __init__(self, flash: "Flash", first_sector: int, area_sectors: int, counter_kind: int) -> None:
        """Bind to 2 x `area_sectors` sectors; facts of `counter_kind` with 4-byte values are kept as counters."""
        super().__init__(flash, first_sector, area_sectors)
        self._counter_kind = counter_kind
        self._page = bytearray(_PAGE)

    # -- writing -----------------------------------------------------------------

    def room(self, key_bytes: int, value_bytes: int) -> bool:
        """Is there room to write one more fact of that size, without a rewrite?"""
        size = 2 + key_bytes + value_bytes + 4 + UNARY_BYTES
        return not self.torn and self.end + size <= self.area_bytes and self.count < FACTS_MAX

    def put(self, kind: int, key: bytes, value: bytes) -> None:
        """Append a fact; there is room for it.

        Raises:
            OSError: flash did not take it; the log takes no more before a rewrite.
        """
        index = self.find(kind, key)
        if index >= 0 and self._value(self._at[index]) == value:
            return
        if index >= 0 and self._buf[1] == COUNTER and self._count_on(self._at[index], value):
            return
        entry = self._encode(kind, key, value)
        self._append(entry)
        self._forget(index)
        self._keep(kind, key, self.end, len(entry))
        self.end += len(entry)

    def remove(self, kind: int, key: bytes) -> None:
        """Append a removal, where there is something to remove.

        Raises:
            OSError: flash did not take it; the fact stays, and the log takes no more before a rewrite.
        """
        index = self.find(kind, key)
        if index < 0:
            return
        entry = bytes((kind << 4 | len(key), REMOVED)) + key
        self._append(entry + struct.pack(">I", crc32(entry)))
        self._forget(index)
        self.end += len(entry) + 4

    def _encode(self, kind: int, key: bytes, value: bytes) -> bytes:
        counter = kind == self._counter_kind and len(value) == 4
        entry = bytes((kind << 4 | len(key), COUNTER if counter else len(value))) + key + value
        return entry + struct.pack(">I", crc32(entry)) + (_BLANK_UNARY if counter else b"")

    def _append(self, entry: bytes) -> None:
        try:
            self._io.program(self._start(self._area) + self.end, entry)
        except OSError:
            self.torn = True
            raise

    def _count_on(self, offset: int, value: bytes) -> bool:
        """Let a counter reach `value`, rounded up, by clearing bits; False when its field is too short for that."""
        begin = 2 + (self._buf[0] & 15)
        base = struct.unpack_from(">I", self._buf, begin)[0]
        steps = (struct.unpack(">I", value)[0] - base + COUNTER_STEP - 1) // COUNTER_STEP
        field = bytearray(UNARY_BYTES)
        at = self._start(self._area) + offset + begin + 8
        self._io.flash.read(at, field)
        done = bits_cleared(field)
        if steps < done or steps > 8 * UNARY_BYTES:
            return False
        for i in range(UNARY_BYTES):
            wanted = (0xFF << max(0, min(8, steps - 8 * i))) & 0xFF
            if field[i] != wanted:
                self._io.program(at + i, bytes((field[i] & wanted,)))
        return True

    # -- the other area ------------------------------------------------------------

    def worn(self) -> bool:
        """Is a rewrite due: tail torn, facts damaged, or more than half full with an eighth to be won?"""
        if self._area < 0 or self.torn or self.damaged:
            return True
        won = self.end - AREA_HEADER - self.live_bytes
        return self.end > self.area_bytes // 2 and won >= self.area_bytes // 8

    def prepare(self) -> None:
        """Erase one sector of the other area; mark the area after the last. Blocks up to 400 ms.

        Raises:
            OSError: it did not take; the next call tries again.
        """
        spare = 1 - max(self._area, 0)
        self._io.erase(self._first_sector + spare * self._area_sectors + self._erased)
        self._erased += 1
        if self._erased < self._area_sectors:
            return
        self._erased = 0
        self._erases[spare] += 1
        mark = struct.pack(">4sI", MAGIC, self._erases[spare])
        self._io.program(self._start(spare), mark + struct.pack(">I", crc32(mark)))
        self.spare = SPARE_CLEAN

    def rewrite(self, facts: "Iterable[tuple[int, bytes, bytes]]") -> None:
        """Write facts into the clean other area and let it count from then on; cures torn and damaged.

        Args:
            facts: all that is to be kept; may be read from this very log.

        Raises:
            OSError: flash did not take it, or they do not fit; the old area still counts.
        """
        spare = 1 - max(self._area, 0)
        self.spare = SPARE_DIRTY  # whatever happens now, it is no longer clean
        self._erased = 0
        places = array("H", [0] * FACTS_MAX)
        marks = array("H", [0] * FACTS_MAX)
        kinds = bytearray(FACTS_MAX)
        count = 0
        filled = 0
        offset = AREA_HEADER
        for kind, key, value in facts:
            entry = self._encode(kind, key, value)
            if count == FACTS_MAX or offset + filled + len(entry) > self.area_bytes:
                raise OSError(_EIO)
            if filled + len(entry) > _PAGE:
                offset += self._flush(spare, offset, filled)
                filled = 0
            places[count] = offset + filled
            marks[count] = self._mark(kind, key)
            kinds[count] = kind
            count += 1
            if len(entry) > _PAGE:
                self._io.program(self._start(spare) + offset, entry)
                offset += len(entry)
            else:
                self._page[filled : filled + len(entry)] = entry
                filled += len(entry)
        offset += self._flush(spare, offset, filled)
        generation = struct.pack(">I", self._generation + 1)
        try:
            self._io.program(self._start(spare) + GENERATION_AT, generation + struct.pack(">I", crc32(generation)))
        except OSError:
            self.torn = True  # the new area may count after a reboot: nothing may be added to the old one any more
            raise
        self._area = spare
        self._generation += 1
        self._at = places
        self._marks = marks
        self._kinds = kinds
        self.count = count
        self.end = offset
        self.live_bytes = offset - AREA_HEADER
        self.torn = self.damaged = self.blank = self.unsure = False

    def _flush(self, area: int, offset: int, filled: int) -> int:
        if filled:
            self._io.program(self._start(area) + offset, memoryview(self._page)[:filled])
        return filled
