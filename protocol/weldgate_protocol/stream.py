"""Bytes in any pieces -> whole frames. Bounded, and in step again at the next delimiter after any garbage.

`feed` takes what came, `take` drains raw frames until it returns None. What is no frame is counted and dropped,
never raised: the line may bring anything. Between calls at most one unfinished frame (2120 bytes) is kept, plus what
has been fed and not yet been taken, which `feed` limits.
"""

from weldgate_protocol import reasons
from weldgate_protocol._compat import const
from weldgate_protocol.errors import EncodeError, FrameError
from weldgate_protocol.frame import INNER_MAX, WIRE_MAX, from_wire

UNDRAINED_MAX = const(2122)  # WIRE_MAX: with the unfinished frame, at most twice the largest frame is carried over

_DELIMITER = b"\x7e"


class FrameStream:
    """Cuts one direction of one connection into raw frames."""

    def __init__(self) -> None:
        self._data = b""  # fed, not yet looked at from _pos on
        self._pos = 0
        self._tail = b""  # an unfinished frame: what came after the last delimiter
        self._skipping = False  # the unfinished frame is too long already; wait for its delimiter
        self.frames = 0
        self.crc_errors = 0
        self.stuffing_errors = 0
        self.header_errors = 0  # CRC right, header wrong: not noise but another speaker
        self.oversize = 0
        self.discarded_bytes = 0  # of all that was refused, delimiters not counted

    def feed(self, data: "bytes | bytearray | memoryview") -> None:
        """Take bytes as they came.

        Args:
            data: any bytes; the caller bounds how many in one call.

        Raises:
            EncodeError: STREAM_NOT_DRAINED, more than 2122 bytes fed earlier have not been taken: our own mistake.
        """
        left = len(self._data) - self._pos
        if left > UNDRAINED_MAX:
            raise EncodeError(reasons.STREAM_NOT_DRAINED, "%d bytes wait to be taken, at most %d" % (left, WIRE_MAX))
        self._data = self._data[self._pos :] + bytes(data) if left else bytes(data)
        self._pos = 0

    def take(self) -> "bytes | None":
        """Return the next raw frame, or None when more bytes are needed."""
        while True:
            end = self._data.find(_DELIMITER, self._pos)
            if end < 0:
                self._keep_rest()
                return None
            piece = self._data[self._pos : end]
            self._pos = end + 1
            if self._tail:
                piece = self._tail + piece
                self._tail = b""
            if self._skipping:
                self._skipping = False
                self.discarded_bytes += len(piece)
            elif piece:  # between two frames stand two delimiters, or one
                raw = self._open(piece)
                if raw is not None:
                    return raw

    def _keep_rest(self) -> None:
        """Move what follows the last delimiter to the unfinished frame, unless that is too long by now."""
        rest = self._data[self._pos :]
        self._data = b""
        self._pos = 0
        if not self._skipping and len(self._tail) + len(rest) > INNER_MAX:
            self._skipping = True
            self.oversize += 1
            self.discarded_bytes += len(self._tail)
            self._tail = b""
        if self._skipping:
            self.discarded_bytes += len(rest)
        else:
            self._tail += rest

    def _open(self, piece: bytes) -> "bytes | None":
        """Return the raw frame of what stood between two delimiters, or count what it was instead."""
        if len(piece) > INNER_MAX:
            self.oversize += 1
        else:
            try:
                raw = from_wire(piece)
                self.frames += 1
                return raw
            except FrameError as error:
                self._count(error.code)
        self.discarded_bytes += len(piece)
        return None

    def _count(self, code: int) -> None:
        """Count a refused frame under the counter of its reason."""
        if code == reasons.FRAME_STUFFING:
            self.stuffing_errors += 1
        elif code in (reasons.FRAME_CRC, reasons.FRAME_SHORT):  # a fragment is noise as well
            self.crc_errors += 1
        else:
            self.header_errors += 1
