"""Virtual NOR flash that behaves like the chip's: it clears bits, erases slowly, wears, rots, fails and loses power.

Written in the subset that both interpreters run, since the firmware's own suites use it too. A program clears bits
and never sets one; bits that a program asked to set are counted in `lost_bits`, so that a test can demand none. Each
byte programmed, and each quarter of an erase, is a *step* at which power can be cut: the byte is left with some of
its bits programmed, the sector with its first part erased, the last bytes in between anything.
"""

__all__ = ["ERASE_MS", "PROGRAM_MS", "FileFlash", "PowerCut", "VirtualFlash"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAM_MS = 3
ERASE_MS = 400  # the slowest the data sheets allow; 45 is typical
ERASE_STEPS = 4

_EIO = 5
_ENOENT = 2


class PowerCut(BaseException):
    """Power went away in the middle of a flash operation; no handler of the firmware may swallow it."""


class VirtualFlash:
    """One data partition in memory.

    Attributes:
        data: the bytes as they stand. erases: how often each sector was erased.
        programs, programmed_bytes, reads, steps: counters. lost_bits: bits that a program could not set.
        fail_programs, fail_erases: how many of the next operations raise OSError. broken: sectors that take neither.
        unreadable: sectors whose reading raises OSError.
    """

    def __init__(
        self,
        sector_count: int,
        sector_size: int = 4096,
        data: "bytearray | None" = None,
        charge: "Callable[[int], None] | None" = None,
        seed: int = 1,
    ) -> None:
        """Make a flash, erased or with given bytes.

        Args:
            sector_count: sectors.
            sector_size: bytes in each.
            data: what it holds, taken over and not copied.
            charge: called with the milliseconds that each operation blocks.
            seed: of everything random: what half an operation leaves, where rot strikes.
        """
        self.sector_count = sector_count
        self.sector_size = sector_size
        self.data = data if data is not None else bytearray(b"\xff" * (sector_count * sector_size))
        self.erases = [0] * sector_count
        self.programs = self.programmed_bytes = self.reads = self.steps = self.lost_bits = 0
        self.fail_programs = self.fail_erases = 0
        self.broken: list[int] = []
        self.unreadable: list[int] = []
        self._charge = charge
        self._random = (seed * 2654435761 + 1) & 0xFFFFFFFF
        self._cut_in = -1

    # -- what the firmware sees --------------------------------------------------

    def read(self, offset: int, buf: "bytearray | memoryview") -> None:
        """Fill `buf` from `offset` on."""
        self._inside(offset, len(buf))
        self.reads += 1
        if offset // self.sector_size in self.unreadable:
            raise OSError(_EIO)
        buf[:] = memoryview(self.data)[offset : offset + len(buf)]

    def program(self, offset: int, data: "bytes | bytearray | memoryview") -> None:
        """Clear the bits that are zero in `data`; PROGRAM_MS."""
        self._inside(offset, len(data))
        self.programs += 1
        if self._charge is not None:
            self._charge(PROGRAM_MS)
        if self.fail_programs > 0 or offset // self.sector_size in self.broken:
            self.fail_programs -= self.fail_programs > 0
            self._program_bytes(offset, memoryview(data)[: self._draw(len(data) + 1)])
            raise OSError(_EIO)
        self._program_bytes(offset, data)

    def erase(self, sector: int) -> None:
        """Set a sector to FF; ERASE_MS."""
        self._inside(sector * self.sector_size, self.sector_size)
        self.erases[sector] += 1
        if self._charge is not None:
            self._charge(ERASE_MS)
        start = sector * self.sector_size
        if self.fail_erases > 0 or sector in self.broken:
            self.fail_erases -= self.fail_erases > 0
            raise OSError(_EIO)
        part = self.sector_size // ERASE_STEPS
        for step in range(ERASE_STEPS):
            at = start + step * part
            if self._step():
                # The part being erased is anything between what it was and FF.
                for i in range(at, at + part):
                    self.data[i] |= self._draw(256)
                raise PowerCut
            self.data[at : at + part] = b"\xff" * part

    # -- what a test does to it ----------------------------------------------------

    def cut_after(self, steps: int) -> None:
        """Let power go away in the middle of the step after `steps` more; -1 calls it off."""
        self._cut_in = steps

    def rot(self, offset: int, mask: int) -> None:
        """Flip bits of one byte."""
        self.data[offset] ^= mask

    def copy(self, seed: int = 1) -> "VirtualFlash":
        """Give a flash with the same bytes, and no faults."""
        return VirtualFlash(self.sector_count, self.sector_size, bytearray(self.data), self._charge, seed)

    # -- inside ----------------------------------------------------------------------

    def _program_bytes(self, offset: int, data: "bytes | bytearray | memoryview") -> None:
        cells = self.data
        for wanted in data:
            if self._step():
                cells[offset] &= wanted | self._draw(256)
                raise PowerCut
            if wanted & ~cells[offset] & 0xFF:
                self.lost_bits += 1
            cells[offset] &= wanted
            offset += 1
            self.programmed_bytes += 1

    def _step(self) -> bool:
        """Count one step; True when power goes away in it."""
        self.steps += 1
        if self._cut_in < 0:
            return False
        self._cut_in -= 1
        return self._cut_in < 0

    def _draw(self, below: int) -> int:
        """Give a number from 0 to `below` - 1 (xorshift, the same on both interpreters)."""
        x = self._random
        x ^= (x << 13) & 0xFFFFFFFF
        x ^= x >> 17
        x ^= (x << 5) & 0xFFFFFFFF
        self._random = x
        return (x >> 8) % below

    def _inside(self, offset: int, length: int) -> None:
        if offset < 0 or offset + length > len(self.data):
            raise OSError(_EIO)


class FileFlash(VirtualFlash):
    """A virtual flash whose bytes are kept in a file, so that another process can read what a chip left behind."""

    def __init__(
        self,
        path: str,
        sector_count: int,
        sector_size: int = 4096,
        charge: "Callable[[int], None] | None" = None,
        seed: int = 1,
    ) -> None:
        """Open the file, or make it, erased.

        Args:
            path: the file; its length is the flash's, or it is made anew.
            sector_count: sectors.
            sector_size: bytes in each.
            charge: called with the milliseconds that each operation blocks.
            seed: as `VirtualFlash`.

        Raises:
            OSError: the file has another length, or can't be opened.
        """
        size = sector_count * sector_size
        try:
            with open(path, "rb") as file:
                data = bytearray(file.read())
        except OSError as error:
            if error.errno != _ENOENT:
                raise
            data = bytearray(b"\xff" * size)
            with open(path, "wb") as file:
                file.write(data)
        if len(data) != size:
            raise OSError(_EIO, f"{path}: {len(data)} bytes, a flash of {size} was wanted")
        super().__init__(sector_count, sector_size, data, charge, seed)
        self._file = open(path, "r+b")  # noqa: SIM115  (open as long as the flash is)

    def program(self, offset: int, data: "bytes | bytearray | memoryview") -> None:
        """Program, in memory and in the file, also what a failure or a power cut left."""
        try:
            super().program(offset, data)
        finally:
            self._save(offset, len(data))

    def erase(self, sector: int) -> None:
        """Erase, in memory and in the file, also what a failure or a power cut left."""
        try:
            super().erase(sector)
        finally:
            self._save(sector * self.sector_size, self.sector_size)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _save(self, offset: int, length: int) -> None:
        if offset >= 0 and offset + length <= len(self.data):
            self._file.seek(offset)
            self._file.write(memoryview(self.data)[offset : offset + length])
            self._file.flush()
