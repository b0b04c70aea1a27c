"""Bytes of a serial port become lines, in a buffer that never grows."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LINE_ENDS = b"\r\n"
BACKSPACES = b"\x08\x7f"


class LineBuffer:
    """Collects one line at a time.

    Args:
        room: the longest line kept, in bytes.

    Attributes:
        overlong: the line given last was cut at ``room``.
    """

    def __init__(self, room: int) -> None:
        self._line = bytearray(room)
        self._length = 0
        self._cut = False
        self.overlong = False

    def feed(self, data: "bytes | bytearray | memoryview") -> "Iterator[bytes]":
        """Take bytes and yield each line that ends in them, without its end; empty lines are passed over."""
        for byte in data:
            if byte in LINE_ENDS:
                if self._length:
                    self.overlong = self._cut
                    line = bytes(memoryview(self._line)[: self._length])
                    self._length = 0
                    self._cut = False
                    yield line
            elif byte in BACKSPACES:
                self._length = max(self._length - 1, 0)
            elif self._length < len(self._line):
                self._line[self._length] = byte
                self._length += 1
            else:
                self._cut = True


def printable(line: bytes) -> str:
    """Return what was scanned as text; a byte that no token has becomes a question mark, which none has either."""
    return "".join([chr(byte) if 32 <= byte < 127 else "?" for byte in line])
