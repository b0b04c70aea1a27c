"""A board without hardware for the app's own suites: portable, so that the real interpreter runs them too.

Flash is the simulator's; time is the host's, since the app awaits; sensor, button and ports are set by hand.
"""

import os
import time

from weldgate_firmware import identity as identities
from weldgate_firmware.flash_io import FlashIo  # noqa: F401 - what the flash must offer
from weldgate_firmware.slots import IDENTITY
from weldgate_firmware.storage import RING_FIRST, Storage
from weldgate_simulator.flash import VirtualFlash

DEVICE = b"\x00\x00\x00\x00\x00\x00\x00\x07"
K_UP = b"u" * 32
K_DOWN = b"d" * 32
SECTORS = RING_FIRST + 6
SECTOR_BYTES = 2048
MID_RAIL = 2048 << 4  # 12 bits in the upper part of 16: no current


def new_identity(host="", port=0, **changes):
    """Return an identity; fields can be changed by name."""
    fields = {
        "device": DEVICE,
        "k_up": K_UP,
        "k_down": K_DOWN,
        "k_seal": b"s" * 32,
        "generation": 0,
        "roots": [b"r" * 64],
        "area": "411081",
        "host": host,
        "port": port,
        "ssid": "",
        "password": "",
        "wiring": "esp32-relay",
        "profile": "dc-hall-mains",
    }
    fields.update(changes)
    return identities.Identity(fields)


def ticks_ms():
    """Return milliseconds modulo 2^30 on either interpreter."""
    if hasattr(time, "ticks_ms"):
        return time.ticks_ms() & 0x3FFFFFFF
    return int(time.monotonic() * 1000) & 0x3FFFFFFF


class ResetError(Exception):
    """The board was told to restart."""


class Board:
    """The methods of `weldgate_firmware.board.Board`."""

    def __init__(self, identity=None):
        self.flash = VirtualFlash(SECTORS, SECTOR_BYTES)
        self.closed = False
        self.closings = 0
        self.pressed = False
        self.case = True
        self.supply = True
        self.contact = None
        self.level = MID_RAIL
        self.scanned = b""
        self.typed = b""
        self.said = b""
        self.lit = False
        self.beeping = False
        self.fed = 0
        self.fail_sample = False
        self.networks = []
        if identity is not None:
            self.storage().slots.store(IDENTITY, identities.encode(identity))

    def storage(self):
        """Return the stores on this board's flash, not mounted."""
        return Storage(self.flash, self.random)

    def relay(self, closed):
        if closed and not self.closed:
            self.closings += 1
        self.closed = closed

    def button(self):
        return self.pressed

    def mirror(self):
        return self.contact

    def case_closed(self):
        return self.case

    def supply_ok(self):
        return self.supply

    def sample(self, buffer):
        if self.fail_sample:
            raise OSError(5)
        for i in range(16):
            buffer[i] = self.level
        return 16

    def scanner_read(self, buffer):
        n = min(len(buffer), len(self.scanned))
        buffer[:n] = self.scanned[:n]
        self.scanned = self.scanned[n:]
        return n

    def console_read(self, buffer):
        n = min(len(buffer), len(self.typed))
        buffer[:n] = self.typed[:n]
        self.typed = self.typed[n:]
        return n

    def console_write(self, data):
        self.said += data

    def led(self, on):
        self.lit = on

    def buzzer(self, on):
        self.beeping = on

    def feed(self):
        self.fed += 1

    def reset_cause(self):
        return 1

    def reset(self):
        self.closed = False
        raise ResetError

    def ticks_ms(self):
        return ticks_ms()

    def random(self, count):
        return os.urandom(count)

    def network_up(self, ssid, password):
        self.networks = [(ssid, password)]
        return True
