"""LED and buzzer: the gate's state as a rhythm, a refusal's number as flashes.

A state is shown for as long as it lasts; a reason interrupts it once: one beep, then the decimal digits of its number
as so many flashes each (ten for a nought), so that somebody without a phone can read it off the box.
"""

from weldgate_firmware import gate as gates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Lights(Protocol):
        """What the board offers."""

        def led(self, on: bool) -> None:
            """Light the LED or put it out."""

        def buzzer(self, on: bool) -> None:
            """Sound the buzzer or silence it."""


# State -> (milliseconds lit, milliseconds dark); (0, 1) is dark, (1, 0) lit for good.
RHYTHMS = {
    gates.LOCKED: (100, 1900),
    gates.IDLE: (1000, 1000),
    gates.ARMED: (250, 250),
    gates.COMMITTING: (100, 100),
    gates.LIVE: (1, 0),
    gates.ENDING: (700, 300),
    gates.SUSPENDED: (250, 750),
    gates.LATCHED: (100, 400),
}
BEEP_MS = 300
FLASH_MS = 150
DIGIT_GAP_MS = 900
IDENTIFY = (60, 60)  # faster than any state, so that "is it this one?" has one answer


def flashes(reason: int) -> "list[tuple[int, int]]":
    """Return (lit, dark) milliseconds that spell a reason's number, digit by digit."""
    steps = [(0, DIGIT_GAP_MS)]
    for digit in str(reason):
        count = int(digit) or 10
        steps += [(FLASH_MS, FLASH_MS)] * (count - 1)
        steps.append((FLASH_MS, DIGIT_GAP_MS))
    return steps


class Indicator:
    """What the box shows; `tick` moves it on."""

    def __init__(self, lights: "Lights") -> None:
        self._lights = lights
        self._state = gates.LOCKED
        self._steps: "list[tuple[int, int]]" = []
        self._at_ms = 0
        self._beep_ms = 0
        self._identify_ms = 0
        self._lit = False

    @property
    def identifying(self) -> bool:
        """Whether the box is showing itself."""
        return self._identify_ms > 0

    def show(self, state: int, reason: int) -> None:
        """Show a state and, unless it is 0, a reason."""
        if state != self._state:
            self._state = state
            self._at_ms = 0
        if reason:
            self._steps = flashes(reason)
            self._at_ms = 0
            self._beep_ms = BEEP_MS

    def identify(self, seconds: int) -> None:
        """Flicker and beep for so long: "is it this one?"."""
        self._identify_ms = seconds * 1000

    def tick(self, ms: int) -> None:
        """Let so many milliseconds pass."""
        self._beep_ms = max(self._beep_ms - ms, 0)
        self._identify_ms = max(self._identify_ms - ms, 0)
        self._lights.buzzer(self._beep_ms > 0)
        lit = self._next(ms)
        if lit != self._lit:
            self._lit = lit
            self._lights.led(lit)

    def _next(self, ms: int) -> bool:
        self._at_ms += ms
        if self._identify_ms:
            return self._at_ms % (IDENTIFY[0] + IDENTIFY[1]) < IDENTIFY[0]
        while self._steps:
            on, off = self._steps[0]
            if self._at_ms < on + off:
                return self._at_ms < on
            self._at_ms -= on + off
            self._steps = self._steps[1:]
        on, off = RHYTHMS[self._state]
        return self._at_ms % (on + off) < on
