"""The board's analogue-to-digital converter and serial inputs: what arrives waits in a bounded buffer for the firmware.

Samples are made when somebody asks for them, up to the time of asking, from what welder and contactor did meanwhile. So
whoever changes the welder first calls `Converter.collect`, else the change would reach back to the last tick.
"""

from array import array

from weldgate_simulator.arc import Welder
from weldgate_simulator.contactor import Contactor

__all__ = ["Converter", "SerialInput"]

SAMPLE_BUFFER = 512  # as the firmware's board: what waits beyond it is lost and counted
SERIAL_BUFFER = 512  # bytes, the same


class SerialInput:
    """Bytes on their way into a UART; more than its buffer holds are lost, as on the real port, and counted."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self.lost = 0

    def put(self, data: bytes) -> None:
        """Let bytes arrive."""
        room = SERIAL_BUFFER - len(self._waiting)
        self.lost += max(0, len(data) - room)
        self._waiting += data[:room]

    def readinto(self, buffer: bytearray) -> int:
        """Move what waits into ``buffer``; return how many bytes."""
        moved = min(len(buffer), len(self._waiting))
        buffer[:moved] = self._waiting[:moved]
        del self._waiting[:moved]
        return moved

    def clear(self) -> None:
        """Lose what waits: the port has been reset."""
        self._waiting.clear()


class Converter:
    """Samples of one current sensor.

    Attributes:
        lost: samples for which the buffer had no room.
    """

    def __init__(self, welder: Welder, contactor: Contactor) -> None:
        self._welder = welder
        self._contactor = contactor
        self._waiting = array("H")
        self._next = 0  # running number of the first sample not yet made
        self.lost = 0

    def start(self, now_ms: int) -> None:
        """Begin at ``now_ms`` with an empty buffer."""
        self._waiting = array("H")
        self._next = self._number(now_ms)

    def collect(self, now_ms: int) -> None:
        """Make the samples up to ``now_ms``."""
        end = self._number(now_ms)
        new = end - self._next
        kept = min(new, SAMPLE_BUFFER - len(self._waiting))
        if kept > 0:
            made = array("H", bytes(2 * kept))
            self._measure(made, self._next)
            self._waiting += made
        self.lost += new - kept
        self._next = end

    def readinto(self, buffer: "array[int]") -> int:
        """Move what waits into ``buffer``; return how many samples."""
        moved = min(len(buffer), len(self._waiting))
        buffer[:moved] = self._waiting[:moved]
        self._waiting = self._waiting[moved:]
        return moved

    def _number(self, at_ms: int) -> int:
        return at_ms * self._welder.sample_hz // 1000

    def _measure(self, out: "array[int]", first: int) -> None:
        """Fill ``out`` with samples from number ``first`` on, stretch by stretch of the contact's position."""
        hz = self._welder.sample_hz
        place = 0
        while place < len(out):
            at_ms = (first + place) * 1000 // hz
            moves_ms = self._contactor.next_move(at_ms)
            stop = len(out) if moves_ms is None else min(len(out), max(place + 1, -(-moves_ms * hz // 1000) - first))
            self._welder.fill(out, place, first + place, stop - place, self._contactor.closed(at_ms))
            place = stop
