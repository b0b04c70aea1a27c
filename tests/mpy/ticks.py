"""Give the suites the chip's clock: `time.ticks_ms` wraps at 2^30, the first time 200 ms after the start.

MicroPython on 64 bits wraps after millions of years; on the chip it does so every 12 days. Importing this module puts
a stand-in for `time` into `sys.modules`, before anything else has imported it. asyncio keeps the interpreter's own
ticks, since its queue is in C and compares by the interpreter's own period.
"""

import asyncio.core  # noqa: F401 - takes the real ticks before they are replaced
import sys
import time

PERIOD = 1 << 30  # ports/esp32, MICROPY_PY_TIME_TICKS_PERIOD on a build with 31-bit small integers
HALF = PERIOD >> 1
_start = time.ticks_ms()


class _Time:
    """`time` with the chip's ticks."""

    def __init__(self, real):
        for name in dir(real):
            if name[0] != "_":
                setattr(self, name, getattr(real, name))
        self._real = real
        self.ticks_ms = lambda: (PERIOD - 200 + real.ticks_diff(real.ticks_ms(), _start)) % PERIOD
        self.ticks_us = lambda: (PERIOD - 200_000 + real.ticks_us()) % PERIOD
        self.ticks_add = lambda ticks, delta: (ticks + delta) % PERIOD
        self.ticks_diff = lambda end, start: (end - start + HALF) % PERIOD - HALF


sys.modules["time"] = _Time(time)
