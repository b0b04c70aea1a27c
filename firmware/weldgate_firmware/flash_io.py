"""What spool, log and slots ask of raw NOR flash: programs that are read back, erases that are checked, CRCs in place.

NOR flash clears bits when programmed and sets a whole sector to FF when erased. A driver may report success for a
cell that did not take, so nothing here counts as written before it has been read back. All errors leave as `OSError`;
what they mean (another sector, a refusal, an alarm) is decided by the module that asked.
"""

from binascii import crc32

from weldgate_protocol._compat import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Flash(Protocol):
        """Raw NOR flash: the partition of `board.py`, or the simulator's."""

        sector_size: int
        sector_count: int

        def read(self, offset: int, buf: "bytearray | memoryview") -> None:
            """Fill `buf` from byte `offset` on; may raise OSError."""
            ...

        def program(self, offset: int, data: "bytes | bytearray | memoryview") -> None:
            """Clear bits from byte `offset` on (about 3 ms); may raise OSError."""
            ...

        def erase(self, sector: int) -> None:
            """Set one sector to FF (blocks up to 400 ms); may raise OSError."""
            ...


_CHUNK = const(128)  # bytes compared at a time: a typical record in one step, and little heap
_EIO = const(5)  # errno.EIO, the same number in both interpreters

_BLANK = b"\xff" * 128


class FlashIo:
    """One flash with a scratch buffer: the checked operations that the three stores share."""

    def __init__(self, flash: "Flash") -> None:
        self.flash = flash
        self.sector_size = flash.sector_size
        self._scratch = bytearray(_CHUNK)
        self._view = memoryview(self._scratch)

    def program(self, offset: int, data: "bytes | bytearray | memoryview") -> None:
        """Program `data` and read it back.

        Args:
            offset: first byte, from the start of the flash.
            data: what must stand there afterwards.

        Raises:
            OSError: the driver refused, or what was read back differs.
        """
        self.flash.program(offset, data)
        data_view = memoryview(data)
        done = 0
        while done < len(data_view):
            step = min(_CHUNK, len(data_view) - done)
            self.flash.read(offset + done, self._view[:step])
            if self._view[:step] != data_view[done : done + step]:
                raise OSError(_EIO)
            done += step

    def erase(self, sector: int) -> None:
        """Erase one sector and see that it is FF all through; blocks up to 400 ms.

        Raises:
            OSError: the driver refused, or a bit stayed cleared.
        """
        self.flash.erase(sector)
        if not self.blank(sector * self.sector_size, self.sector_size):
            raise OSError(_EIO)

    def blank(self, offset: int, length: int) -> bool:
        """Tell whether `length` bytes from `offset` on are all FF.

        Raises:
            OSError: the driver could not read.
        """
        while length > 0:
            step = min(_CHUNK, length)
            self.flash.read(offset, self._view[:step])
            if self._view[:step] != _BLANK[:step]:
                return False
            offset += step
            length -= step
        return True

    def crc(self, offset: int, length: int, crc: int = 0) -> int:
        """Continue a CRC-32 (IEEE 802.3, `binascii.crc32`) over `length` bytes of flash.

        Raises:
            OSError: the driver could not read.
        """
        while length > 0:
            step = min(_CHUNK, length)
            self.flash.read(offset, self._view[:step])
            crc = crc32(self._view[:step], crc)
            offset += step
            length -= step
        return crc
