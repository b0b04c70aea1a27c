"""A simulated board: the methods of the firmware's own ``board.Board``, with the world behind them.

The upper half of `Board` is what the firmware sees. The lower half is the world's: press the button, show a code to
the scanner, weld the contact, take the power away, and look at what the relay did and when. Nothing here decides
anything, and nothing is random but `random`, which repeats with the seed.

Time comes from the clock; deadlines (watchdog, stored energy) are looked at whenever the world calls `watch`, and take
effect at the time they fell due, not when somebody looked.
"""

import random
from array import array
from collections import deque
from typing import Any

from weldgate_firmware.meter import SensorProfile
from weldgate_simulator.arc import Envelope, SensorState, Welder
from weldgate_simulator.clock import TICKS_PERIOD_MS, TimeSource
from weldgate_simulator.contactor import Contactor
from weldgate_simulator.converter import Converter, SerialInput

__all__ = ["POWER_ON", "SOFT_RESET", "WATCHDOG_RESET", "Board", "BoardReset"]

POWER_ON = 1  # reset causes as MicroPython numbers them (machine.PWRON_RESET and so on, ESP32 port)
WATCHDOG_RESET = 3
SOFT_RESET = 5
CONSOLE_KEPT = 65536  # bytes of console output that wait for somebody to take them
CHANGES_KEPT = 4096  # remembered changes of relay, LED and buzzer, latest last


class BoardReset(BaseException):
    """The board stopped under the firmware: no Exception, so that no handler of the firmware catches it and goes on."""


class Board:
    """One board with its welding machine.

    Args:
        clock: virtual or the host's.
        profile: the current sensor's.
        flash: read, program, erase, sector_size, sector_count; survives resets.
        seed: of noise and of `random`.
        watchdog_ms: unfed for so long, the board resets.
        has_mirror: whether the contactor has a mirror contact.
        ticks: the chip's ticks at power-on; near 2^30 to see them wrap.
        hold_ms: how long stored energy lasts when the supply fails.

    Attributes:
        powered: whether the chip runs.
        button_down, case_shut, network: as the world set them.
        relay_changes: (milliseconds of the clock, closed), latest last.
        led_on, buzzer_on: as the firmware set them; led_changes like relay_changes.
        resets: causes of all starts so far, the first included.
        welder, contactor, converter, scanner, console: the parts, to look at.
    """

    def __init__(
        self,
        clock: TimeSource,
        profile: SensorProfile,
        flash: Any,
        *,
        seed: int = 0,
        watchdog_ms: int = 1500,
        has_mirror: bool = True,
        ticks: int = 0,
        hold_ms: int = 5000,
    ) -> None:
        self.clock = clock
        self.flash = flash
        self.welder = Welder(profile, seed)
        self.contactor = Contactor()
        self.scanner = SerialInput()
        self.console = SerialInput()
        self.relay_closed = False
        self.relay_changes: deque[tuple[int, bool]] = deque(maxlen=CHANGES_KEPT)
        self.led_on = False
        self.led_changes: deque[tuple[int, bool]] = deque(maxlen=CHANGES_KEPT)
        self.buzzer_on = False
        self.button_down = False
        self.case_shut = True
        self.network = True
        self.powered = True
        self.resets: list[int] = []
        self.converter = Converter(self.welder, self.contactor)
        self._random = random.Random(seed)  # noqa: S311 - a simulation, repeatable by its seed
        self._watchdog_ms = watchdog_ms
        self._has_mirror = has_mirror
        self._ticks = ticks
        self._hold_ms = hold_ms
        self._said = bytearray()
        self._supply = True
        self._dies_ms: int | None = None
        self._ended = False
        self._booted_ms = self._fed_ms = 0
        self._start(clock.now_ms(), POWER_ON)

    # What the firmware sees.

    def relay(self, closed: bool) -> None:
        """Energise the coil or let it go."""
        self._alive()
        self._set_relay(closed, self.clock.now_ms())

    def button(self) -> bool:
        """Return whether the start button is pressed."""
        return self.button_down

    def mirror(self) -> bool | None:
        """Return whether the contactor's mirror contact says closed, None where there is none."""
        return self.contactor.closed(self.clock.now_ms()) if self._has_mirror else None

    def case_closed(self) -> bool:
        """Return whether the case switch is closed."""
        return self.case_shut

    def supply_ok(self) -> bool:
        """Return whether the mains are present."""
        return self._supply

    def sample(self, buffer: "array[int]") -> int:
        """Move the samples taken since the last call into ``buffer``; return how many.

        What does not fit stays for the next call; what the converter's buffer could not hold is lost and counted.
        """
        self._alive()
        self.converter.collect(self.clock.now_ms())
        return self.converter.readinto(buffer)

    def scanner_read(self, buffer: bytearray) -> int:
        """Read what the QR scanner sent; return the number of bytes."""
        return self.scanner.readinto(buffer)

    def console_read(self, buffer: bytearray) -> int:
        """Read what the technician typed; return the number of bytes."""
        return self.console.readinto(buffer)

    def console_write(self, data: bytes) -> None:
        """Send bytes to the technician's terminal."""
        self._said += data
        del self._said[:-CONSOLE_KEPT]

    def led(self, on: bool) -> None:
        """Light the state LED or put it out."""
        if on != self.led_on:
            self.led_on = on
            self.led_changes.append((self.clock.now_ms(), on))

    def buzzer(self, on: bool) -> None:
        """Sound the buzzer or silence it."""
        self.buzzer_on = on

    def feed(self) -> None:
        """Feed the watchdog; too late is too late."""
        self._alive()
        self._fed_ms = self.clock.now_ms()

    def reset_cause(self) -> int:
        """Return why the board started, as MicroPython numbers it."""
        return self.resets[-1]

    def reset(self) -> None:
        """Restart the module.

        Raises:
            BoardReset: always; what ran does not come back.
        """
        self._stop(self.clock.now_ms())
        self._start(self.clock.now_ms(), SOFT_RESET)
        raise BoardReset("the firmware restarted the board")

    def ticks_ms(self) -> int:
        """Return milliseconds since this start, from the board's first ticks on, modulo 2^30."""
        return (self._ticks + self.clock.now_ms() - self._booted_ms) % TICKS_PERIOD_MS

    def random(self, count: int) -> bytes:
        """Return ``count`` bytes that repeat with the seed; a restart does not begin them again."""
        return self._random.randbytes(count)

    def network_up(self, ssid: str, password: str) -> bool:  # noqa: ARG002 - the real board needs both
        """Return whether there is a network; the names do not matter here."""
        return self.network

    # What the world does.

    def watch(self) -> bool:
        """Let deadlines that have passed take effect; return whether the board stopped since the last call.

        The world calls this after each step. When it says so, whatever ran is gone: start the firmware anew if
        ``powered``. Until it has been called, a stopped board refuses the firmware with `BoardReset`.
        """
        self._deadlines()
        ended, self._ended = self._ended, False
        return ended

    def cut_power(self) -> None:
        """Take mains and stored energy away at once."""
        self._deadlines()
        self._mains(False)
        self._die(self.clock.now_ms())

    def fail_supply(self) -> None:
        """Take the mains away; the chip runs on for ``hold_ms`` on stored energy."""
        self._deadlines()
        self._mains(False)
        if self.powered and self._dies_ms is None:
            self._dies_ms = self.clock.now_ms() + self._hold_ms

    def restore_power(self) -> None:
        """Bring the mains back; a board that was dead starts anew."""
        self._deadlines()
        self._mains(True)
        self._dies_ms = None
        if not self.powered:
            self._start(self.clock.now_ms(), POWER_ON)

    def play(self, envelope: Envelope) -> None:
        """Let the welding machine do ``envelope`` from now on; current flows while the contact is closed."""
        now = self.clock.now_ms()
        self.converter.collect(now)
        self.welder.play(envelope, now)

    def bypass(self, current_ma: int) -> None:
        """Let a current flow around the contactor, but through the sensor; 0 ends it."""
        self.converter.collect(self.clock.now_ms())
        self.welder.bypass_ma = current_ma

    def sensor(self, state: SensorState) -> None:
        """Unplug or short the current sensor, or mend it."""
        self.converter.collect(self.clock.now_ms())
        self.welder.sensor = state

    def weld_contact(self, welded: bool) -> None:
        """Weld the contactor's contact once it is closed, or break the weld."""
        self.contactor.weld(welded, self.clock.now_ms())

    def console_take(self) -> bytes:
        """Take what the firmware said to the technician."""
        said = bytes(self._said)
        self._said.clear()
        return said

    def _mains(self, present: bool) -> None:
        """Bring or take the mains: with them go the coil and every current, bypass or not."""
        now = self.clock.now_ms()
        self.converter.collect(now)
        self._supply = self.welder.mains = present
        self.contactor.supply(present, now)

    def _deadlines(self) -> None:
        """Let watchdog and stored energy run out, each at its own time, the earlier first."""
        now = self.clock.now_ms()
        unfed_ms = self._fed_ms + self._watchdog_ms
        if self.powered and now >= unfed_ms and (self._dies_ms is None or unfed_ms < self._dies_ms):
            self._stop(unfed_ms)
            self._start(unfed_ms, WATCHDOG_RESET)
        if self._dies_ms is not None and now >= self._dies_ms:
            self._die(self._dies_ms)

    def _alive(self) -> None:
        self._deadlines()
        if self._ended or not self.powered:
            raise BoardReset("the board has stopped")

    def _set_relay(self, closed: bool, at_ms: int) -> None:
        if closed != self.relay_closed:
            self.relay_closed = closed
            self.relay_changes.append((at_ms, closed))
            self.contactor.command(closed, at_ms)

    def _die(self, at_ms: int) -> None:
        self._dies_ms = None
        if self.powered:
            self._stop(at_ms)
            self.powered = False

    def _stop(self, at_ms: int) -> None:
        """Float the pins to open and lose what was in memory."""
        self._set_relay(False, at_ms)
        self.led(False)
        self.buzzer_on = False
        self.scanner.clear()
        self.console.clear()
        self._ended = True

    def _start(self, at_ms: int, cause: int) -> None:
        self.powered = True
        self.resets.append(cause)
        self._booted_ms = self._fed_ms = at_ms
        self.converter.start(at_ms)
