"""A virtual flash that keeps each ring sector as it stood before it was erased, so that all a chip emitted is known."""

import errno
from pathlib import Path

from weldgate_firmware.storage import PARTITION_SECTORS
from weldgate_simulator.flash import VirtualFlash
from weldgate_simulator.ledger_flash import MAGIC

__all__ = ["KeptFlash"]


class KeptFlash(VirtualFlash):
    """An erased partition of the default size.

    Attributes:
        erased: ring sectors with records, as they were before their erase.
        off: without power: every program and erase fails and leaves nothing.
    """

    def __init__(self, seed: int = 1, sectors: int = PARTITION_SECTORS) -> None:
        super().__init__(sectors, seed=seed)
        self.erased = bytearray()
        self.off = False

    def program(self, offset: int, data: "bytes | bytearray | memoryview") -> None:
        """Program, while there is power."""
        self._powered()
        super().program(offset, data)

    def erase(self, sector: int) -> None:
        """Keep what the sector holds, then erase it."""
        self._powered()
        old = self.data[sector * self.sector_size : (sector + 1) * self.sector_size]
        if old.startswith(MAGIC):
            self.erased += old
        super().erase(sector)

    def _powered(self) -> None:
        if self.off:
            raise OSError(errno.EIO, "no power")

    def image(self) -> bytes:
        """Return the partition and, behind it, what was erased."""
        return bytes(self.data + self.erased)

    def save(self, path: Path) -> None:
        """Write the image to a file."""
        path.write_bytes(self.image())
