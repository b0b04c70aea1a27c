"""The board of a chip in virtual time: pins that remember, samples that come by the clock, flash that costs.

Written for both interpreters; `timed_chip` charges what happens here to its clock.
"""

from array import array

from weldgate_simulator.flash import VirtualFlash

__all__ = ["COST_US", "SAMPLES", "TimedBoard", "TimedFlash"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# Microseconds on an ESP32 at 240 MHz, 8 ns an instruction, rounded up. Flash: the slowest of the data sheets.
COST_US = {
    "tick": 1_400,  # the gate's tick, indicator and link's part of it
    "work": 300,  # a slice that finds nothing, and the frame of one that does
    "verify": 20_000,  # a slice of a signature check: what it may take; it takes 8 to 12
    "record": 2_500,  # a record encoded and tagged, on its way to flash
    "serial": 200,  # scanner and console looked at
    "network": 200,
    "gc": 26_000,  # a collection of garbage, of a heap three times the chip's
    "receive": 1_200,  # a frame found, decoded and its tag verified, for each 100 bytes
    "send": 2_400,  # a durable frame found on flash, checked and stuffed
    "beat": 4_000,  # a heartbeat made, sealed and sent
    "program": 3_000,  # one flash program
    "erase": 400_000,  # one sector erased
    "read": 40,  # one flash read, for each 128 bytes
}
SAMPLES = 16  # a tick
SAMPLE_US = 625


class TimedFlash(VirtualFlash):
    """The partition, charging microseconds."""

    def __init__(self, data: bytearray, spend: "Callable[[str, int], None]") -> None:
        super().__init__(len(data) // 4096, 4096, data)
        self._spend = spend

    def read(self, offset: int, buf: "bytearray | memoryview") -> None:
        """Read; the cache serves it."""
        self._spend("read", (len(buf) + 127) // 128)
        super().read(offset, buf)

    def program(self, offset: int, data: "bytes | bytearray | memoryview") -> None:
        """Program, page by page."""
        self._spend("program", (offset % 256 + len(data) + 255) // 256)
        super().program(offset, data)

    def _program_bytes(self, offset: int, data: "bytes | bytearray | memoryview") -> None:
        cells = self.data
        for wanted in data:
            cells[offset] &= wanted
            offset += 1

    def erase(self, sector: int) -> None:
        """Erase; everything else waits."""
        self._spend("erase", 1)
        super().erase(sector)


class TimedBoard:
    """Pins and samples of a chip in virtual time."""

    def __init__(self, now_us: "Callable[[], int]", flash: TimedFlash) -> None:
        self.flash = flash
        self.closed = False
        self.closed_us = 0  # when the relay was last seen closed
        self.closings = 0
        self.fed_us = 0
        self.unfed_us = 0  # the longest time between two feedings
        self.wave: array[int] = array("H", bytes(2 * SAMPLES))
        self.scanned = b""
        self.lost = 0
        self._now_us = now_us
        self._sampled_us = self._changed_us = 0
        self._before = self.wave
        self._seed = 1

    def relay(self, closed: bool) -> None:
        """Drive the pin."""
        if self.closed:
            self.closed_us = self._now_us()
        elif closed:
            self.closings += 1
        self.closed = closed

    def sample(self, buffer: "array[int]") -> int:
        """Give the samples that came about since the last call; more than the buffer holds are lost."""
        due = (self._now_us() - self._sampled_us) // SAMPLE_US
        count = min(due, len(buffer))
        self.lost += due - count
        at_us = self._sampled_us
        self._sampled_us += due * SAMPLE_US
        for i in range(count):
            buffer[i] = (self.wave if at_us >= self._changed_us else self._before)[i % SAMPLES]
            at_us += SAMPLE_US
        return count

    def change(self, wave: "array[int]", at_us: int) -> None:
        """Let the current be another from `at_us` on; samples of the time before stay what they were."""
        self._before = self.wave
        self._changed_us = at_us
        self.wave = wave

    def feed(self) -> None:
        """Feed the watchdog."""
        now = self._now_us()
        self.unfed_us = max(self.unfed_us, now - self.fed_us)
        self.fed_us = now

    def scanner_read(self, buffer: bytearray) -> int:
        """Give what was scanned."""
        count = min(len(buffer), len(self.scanned))
        buffer[:count] = self.scanned[:count]
        self.scanned = self.scanned[count:]
        return count

    def console_read(self, _buffer: bytearray) -> int:
        """Nobody types."""
        return 0

    def console_write(self, data: bytes) -> None:
        """Nobody reads."""

    def button(self) -> bool:
        """Nobody presses."""
        return False

    def mirror(self) -> "bool | None":
        """There is no mirror contact."""
        return None

    def case_closed(self) -> bool:
        """The case is closed."""
        return True

    def supply_ok(self) -> bool:
        """The mains are there."""
        return True

    def led(self, _on: bool) -> None:
        """Nobody looks."""

    def buzzer(self, _on: bool) -> None:
        """Nobody hears."""

    def reset_cause(self) -> int:
        """Power came."""
        return 1

    def ticks_ms(self) -> int:
        """Give the chip's ticks, which wrap in the middle of it all."""
        return ((1 << 30) - 5_000 + self._now_us() // 1000) % (1 << 30)

    def random(self, count: int) -> bytes:
        """Give bytes that repeat from run to run."""
        out = bytearray(count)
        for i in range(count):
            self._seed = (self._seed * 1103515245 + 12345) & 0x7FFFFFFF
            out[i] = self._seed >> 16 & 0xFF
        return bytes(out)
