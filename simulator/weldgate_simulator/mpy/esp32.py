"""``esp32`` on a virtual board: the flash partition, whose bytes are the host's."""

import struct

from . import machine, pipe

SECTOR_BYTES = 4096


class Partition:
    """The data partition, as a MicroPython block device with byte offsets."""

    TYPE_DATA = 1

    @classmethod
    def find(cls, kind: int, label: str) -> "list[Partition]":
        """Return the one partition."""
        return [cls()]

    def info(self) -> "tuple[int, int, int, int, str, bool]":
        """Return (type, subtype, address, size in bytes, label, encrypted)."""
        return (1, 0x80, 0, machine.sector_count() * SECTOR_BYTES, "weldgate", False)

    def readblocks(self, block: int, buffer: "bytearray | memoryview", offset: int = 0) -> None:
        """Fill ``buffer``."""
        pipe.ask_into(pipe.FLASH_READ, block * SECTOR_BYTES + offset, struct.pack(">H", len(buffer)), buffer)

    def writeblocks(self, block: int, data: "bytes | bytearray | memoryview", offset: int = 0) -> None:
        """Program ``data``."""
        if pipe.ask(pipe.FLASH_PROGRAM, block * SECTOR_BYTES + offset, data) != b"\x00":
            raise OSError(5)

    def ioctl(self, operation: int, block: int) -> int:
        """Erase ``block`` (operation 6)."""
        if operation != 6 or pipe.ask(pipe.FLASH_ERASE, block) != b"\x00":
            raise OSError(5)
        return 0
