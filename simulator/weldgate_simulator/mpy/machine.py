"""``machine`` on a virtual board: pins, ADC, timer, UARTs and watchdog whose other side is the host's pipe."""

import struct

from . import pipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_timers: "list[Timer]" = []
_uarts: "dict[int, UART]" = {}
_state = [0xFFFF, 0]  # levels of the input pins by bit, latest ADC reading
_boot = struct.unpack(">BHH", pipe.ask(pipe.START))
# Which bit of the host's input word carries which GPIO; the wiring table of board.py gives the GPIO numbers.
_INPUT_BITS = {27: 0, 25: 1, 33: 2, 36: 3}
SCANNER_UART = 2


class Pin:
    """A GPIO: outputs are told to the host at once, inputs are as of the last step."""

    IN, OUT, PULL_UP = 0, 1, 2

    def __init__(self, number: int, mode: int = 0, pull: int = -1, value: int = 0) -> None:
        self.number = number
        self._output = mode == self.OUT
        if self._output:
            self.value(value)

    def value(self, level: "int | None" = None) -> int:
        """Read the level, or set it."""
        if level is not None:
            pipe.tell(pipe.PIN, self.number, b"\x01" if level else b"\x00")
            return level
        return (_state[0] >> _INPUT_BITS[self.number]) & 1


class ADC:
    """The one analogue input; its reading is the sample that the timer is at."""

    ATTN_11DB = 3

    def __init__(self, pin: Pin, atten: int = 3) -> None:
        self._pin = pin

    def read_u16(self) -> int:
        """Return the latest sample, 0..65535."""
        return _state[1]


class Timer:
    """A periodic timer, called once for each sample that the host took meanwhile."""

    PERIODIC = 1

    def __init__(self, number: int) -> None:
        self.callback: Callable[[Timer], None] | None = None

    def init(self, freq: int, mode: int, callback: "Callable[[Timer], None]") -> None:
        """Start calling back ``freq`` times a second."""
        if freq != _boot[2]:
            raise ValueError(f"the host samples {_boot[2]} times a second, not {freq}")
        self.callback = callback
        _timers.append(self)


class UART:
    """A serial port; what came is taken over at each step."""

    def __init__(self, number: int, baud: int, tx: int = 0, rx: int = 0, timeout: int = 0, rxbuf: int = 256) -> None:
        self._operation = pipe.SCANNER if number == SCANNER_UART else pipe.CONSOLE
        self.waiting = b""
        self._room = rxbuf
        _uarts[number] = self

    def take_in(self, data: bytes) -> None:
        """Append what came; more than the buffer holds is lost, as on the real port."""
        self.waiting = (self.waiting + data)[: self._room]

    def any(self) -> int:
        """Return how many bytes wait."""
        return len(self.waiting)

    def readinto(self, buffer: bytearray) -> int:
        """Move waiting bytes into ``buffer``."""
        n = min(len(buffer), len(self.waiting))
        buffer[:n] = self.waiting[:n]
        self.waiting = self.waiting[n:]
        return n

    def write(self, data: bytes) -> int:
        """Send bytes."""
        pipe.tell(self._operation, 0, data)
        return len(data)


class WDT:
    """The watchdog: the host resets the board when it is not fed in time."""

    def __init__(self, timeout: int) -> None:
        self.timeout = timeout
        self.feed()

    def feed(self) -> None:
        """Feed it."""
        pipe.tell(pipe.FEED)


def step() -> None:
    """Take over the input levels, serial bytes and samples that came about since the last step."""
    answer = pipe.ask(pipe.STEP)
    inputs, console, scanner = struct.unpack(">HHH", answer[:6])
    _state[0] = inputs
    at = 6 + console
    if console and 0 in _uarts:
        _uarts[0].take_in(answer[6:at])
    if scanner and SCANNER_UART in _uarts:
        _uarts[SCANNER_UART].take_in(answer[at : at + scanner])
    for i in range(at + scanner, len(answer), 2):
        _state[1] = answer[i] << 8 | answer[i + 1]
        for timer in _timers:
            if timer.callback is not None:
                timer.callback(timer)


def sector_count() -> int:
    """Return the number of sectors of the host's flash."""
    return int(_boot[1])


def reset_cause() -> int:
    """Return why the board started, as MicroPython numbers it."""
    return int(_boot[0])


def reset() -> None:
    """Ask the host to restart the board, and stop."""
    pipe.tell(pipe.RESET)
    raise SystemExit


def disable_irq() -> int:
    """Return a state for ``enable_irq``; nothing interrupts here."""
    return 0


def enable_irq(state: int) -> None:
    """Undo ``disable_irq``."""
