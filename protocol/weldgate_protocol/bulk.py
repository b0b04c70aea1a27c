"""A stream that is cut a chunk at a time, for a host that takes thousands of frames a second.

What `FrameStream.take` returns one by one comes at once; what is a frame, and what is counted where none is, is decided
there and in `frame`. Here is only the short way for a piece that is whole, unstuffed, and right at the first look.
"""

from weldgate_protocol._compat import crc16_x25
from weldgate_protocol.errors import FrameError
from weldgate_protocol.frame import INNER_MAX, check
from weldgate_protocol.stream import FrameStream

__all__ = ["BulkStream"]

_DELIMITER = b"\x7e"
_ESCAPE = b"\x7d"
_INNER_MIN = 36  # the shortest raw frame and its CRC


class BulkStream(FrameStream):
    """`FrameStream` with a way to take all that is whole at once."""

    def take_all(self) -> list[bytes]:
        """Return the raw frames that are whole, in order."""
        *pieces, rest = self._data[self._pos :].split(_DELIMITER)
        found: list[bytes] = []
        self._data, self._pos = rest, 0
        if pieces and (self._tail or self._skipping):
            first = self._joined(pieces.pop(0))
            if first is not None:
                found.append(first)
        whole = 0
        for piece in pieces:
            if not piece:
                continue
            if _ESCAPE not in piece and _INNER_MIN <= len(piece) <= INNER_MAX:
                raw = piece[:-2]
                if crc16_x25(raw) == piece[-2] << 8 | piece[-1]:
                    try:
                        check(raw)
                    except FrameError:
                        pass  # counted below
                    else:
                        found.append(raw)
                        whole += 1
                        continue
            opened = self._open(piece)
            if opened is not None:
                found.append(opened)
        self.frames += whole
        self._keep_rest()
        return found

    def _joined(self, piece: bytes) -> "bytes | None":
        """Return the frame whose beginning came with an earlier chunk, None where it is none."""
        piece, self._tail = self._tail + piece, b""
        if self._skipping:
            self._skipping = False
            self.discarded_bytes += len(piece)
            return None
        return self._open(piece) if piece else None
