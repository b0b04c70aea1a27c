"""The one module that knows hardware: an ESP32 module with relay, current sensor, button, scanner and flash.

Nothing here decides anything. Levels are turned into meanings (``relay(closed)``, ``button()``), samples are
collected by a timer into a buffer that the gate's tick empties, and flash is offered as read, program and erase.
The virtual board of the simulator has the same methods; under the real interpreter the simulator replaces only
``machine``, ``network`` and ``esp32`` and runs this very file.
"""

import os
import time
from array import array

import esp32
import machine
import network

from weldgate_protocol._compat import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# GPIO numbers, one table for each wiring. GPIO 0, 2, 5, 12 and 15 are strapping pins of the ESP32 (datasheet 2.4) and
# float or pulse at reset, so no output that energises anything is on them; 34 to 39 are inputs only, on ADC1, which
# stays usable while the radio is on (ADC2 does not).
PINS = {
    "esp32-relay": {
        "relay": 26,  # high = coil energised = weld current may flow
        "mirror": 25,  # low = contactor's mirror contact says closed
        "button": 27,  # low = pressed
        "case": 33,  # low = case closed
        "supply": 36,  # high = mains present, from the optocoupler
        "current": 34,  # CT or Hall, biased to mid rail
        "led": 23,
        "buzzer": 22,
        "scanner_rx": 16,
        "scanner_tx": 17,
    },
}
DEFAULT_WIRING = "esp32-relay"
FLASH_LABEL = "weldgate"  # data partition of the module's partition table
SECTOR_BYTES = const(4096)  # ESP32 flash erase unit
BLOCK_ERASE = const(6)  # MicroPython block device ioctl: erase one block
SAMPLE_BUFFER = const(512)  # samples that wait for the tick: 320 ms at 1600 Hz, longer than an erase leaves unread
WATCHDOG_MS = const(1500)  # hang -> reset -> open within 2 s, boot included (DESIGN section 4, S1)


class PartitionFlash:
    """Raw NOR flash of one data partition: program clears bits only, erase blocks for up to 400 ms."""

    sector_size = SECTOR_BYTES

    def __init__(self, label: str = FLASH_LABEL) -> None:
        found = esp32.Partition.find(esp32.Partition.TYPE_DATA, label=label)
        if not found:
            raise OSError("no data partition called %s: flash the partition table of docs/hardware.md" % label)
        self._partition = found[0]
        self.sector_count: int = self._partition.info()[3] // SECTOR_BYTES

    def read(self, offset: int, buffer: "bytearray | memoryview") -> None:
        """Fill ``buffer`` with the bytes from ``offset``."""
        self._partition.readblocks(offset // SECTOR_BYTES, buffer, offset % SECTOR_BYTES)

    def program(self, offset: int, data: "bytes | bytearray | memoryview") -> None:
        """Clear bits from ``offset``; a call with an offset never erases (MicroPython block device protocol)."""
        self._partition.writeblocks(offset // SECTOR_BYTES, data, offset % SECTOR_BYTES)

    def erase(self, sector: int) -> None:
        """Set one sector to FF."""
        self._partition.ioctl(BLOCK_ERASE, sector)


class Board:
    """An ESP32 with the wiring ``PINS[wiring]``; building it opens the relay before anything else.

    Args:
        flash: the data partition.
        wiring: name of the pin table.
        sample_hz: current samples a second, whole multiples of 100 so that a 10 ms tick holds whole samples.
    """

    def __init__(self, flash: PartitionFlash, wiring: str = DEFAULT_WIRING, sample_hz: int = 1600) -> None:
        pins = PINS[wiring]
        pin = machine.Pin
        self._relay = pin(pins["relay"], pin.OUT, value=0)
        self._mirror = pin(pins["mirror"], pin.IN, pin.PULL_UP)
        self._button = pin(pins["button"], pin.IN, pin.PULL_UP)
        self._case = pin(pins["case"], pin.IN, pin.PULL_UP)
        self._supply = pin(pins["supply"], pin.IN)
        self._led = pin(pins["led"], pin.OUT, value=0)
        self._buzzer = pin(pins["buzzer"], pin.OUT, value=0)
        self._adc = machine.ADC(pin(pins["current"]), atten=machine.ADC.ATTN_11DB)
        self._scanner = machine.UART(2, 9600, tx=pins["scanner_tx"], rx=pins["scanner_rx"], timeout=0, rxbuf=512)
        self._console = machine.UART(0, 115200, timeout=0, rxbuf=512)
        self._samples = array("H", bytes(2 * SAMPLE_BUFFER))
        self._sampled = 0
        self.samples_lost = 0
        self._wlan: Any = None
        self.flash = flash
        self._watchdog = machine.WDT(timeout=WATCHDOG_MS)
        self._timer = machine.Timer(0)
        self._timer.init(freq=sample_hz, mode=machine.Timer.PERIODIC, callback=self._take_sample)

    def _take_sample(self, _timer: object) -> None:
        n = self._sampled
        if n < SAMPLE_BUFFER:
            self._samples[n] = self._adc.read_u16()
            self._sampled = n + 1
        else:
            self.samples_lost += 1

    def relay(self, closed: bool) -> None:
        """Energise the coil or let it go."""
        self._relay.value(1 if closed else 0)

    def button(self) -> bool:
        """Return whether the start button is pressed."""
        return not self._button.value()

    def mirror(self) -> "bool | None":
        """Return whether the contactor's mirror contact says closed, None where the wiring has no such contact."""
        return not self._mirror.value()

    def case_closed(self) -> bool:
        """Return whether the case switch is closed."""
        return not self._case.value()

    def supply_ok(self) -> bool:
        """Return whether the mains are present; on stored energy the answer is no."""
        return bool(self._supply.value())

    def sample(self, buffer: "array[int]") -> int:
        """Move the samples taken since the last call into ``buffer`` (16 bits, full scale 65535).

        Returns:
            How many samples were moved; what does not fit stays for the next call.
        """
        state = machine.disable_irq()
        n = self._sampled
        room = len(buffer)
        moved = min(room, n)
        for i in range(moved):
            buffer[i] = self._samples[i]
        for i in range(moved, n):
            self._samples[i - moved] = self._samples[i]
        self._sampled = n - moved
        machine.enable_irq(state)
        return moved

    def scanner_read(self, buffer: bytearray) -> int:
        """Read what the QR scanner sent; returns the number of bytes, 0 for none."""
        return self._scanner.readinto(buffer) or 0 if self._scanner.any() else 0

    def console_read(self, buffer: bytearray) -> int:
        """Read what the technician typed; returns the number of bytes, 0 for none."""
        return self._console.readinto(buffer) or 0 if self._console.any() else 0

    def console_write(self, data: bytes) -> None:
        """Send bytes to the technician's terminal."""
        self._console.write(data)

    def led(self, on: bool) -> None:
        """Light the state LED or put it out."""
        self._led.value(1 if on else 0)

    def buzzer(self, on: bool) -> None:
        """Sound the buzzer or silence it."""
        self._buzzer.value(1 if on else 0)

    def feed(self) -> None:
        """Feed the watchdog; only the gate's tick calls this."""
        self._watchdog.feed()

    def reset_cause(self) -> int:
        """Return the MicroPython reset cause (1 power on, 2 hard, 3 watchdog, 4 deep sleep, 5 soft)."""
        return int(machine.reset_cause())

    def reset(self) -> None:
        """Restart the module; the pins float to open on the way."""
        self._relay.value(0)
        machine.reset()

    def ticks_ms(self) -> int:
        """Return milliseconds modulo 2^30."""
        return int(time.ticks_ms())  # type: ignore[attr-defined]  # MicroPython's time has it, typeshed's has not

    @staticmethod
    def random(count: int) -> bytes:
        """Return bytes of the hardware's generator; it is fed by the radio's noise once that is on."""
        return os.urandom(count)

    def network_up(self, ssid: str, password: str) -> bool:
        """Start the radio towards ``ssid`` if it is not up; return whether there is an address yet."""
        if self._wlan is None:
            self._wlan = network.WLAN(network.WLAN.IF_STA)
            self._wlan.active(True)
        if self._wlan.isconnected():
            return True
        if self._wlan.status() != network.STAT_CONNECTING:
            self._wlan.connect(ssid, password)
        return False
