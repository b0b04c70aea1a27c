"""What tests of a single store share: a frame's row, who hears of commits, and a wait with an end."""

import threading
import time
from collections.abc import Callable

from weldgate_collector.store import Row

DEVICE = (1 << 63) - 1
RAW = b"\x2a\x45" + DEVICE.to_bytes(8, "big") + b"\xa0\x00\x00\x01" + b"\x00\x00\x00\x07"
RAW += (1764000000).to_bytes(4, "big") + b"\x01\xf4" + b"\x00\x03" + b"\xa1\x01\x02" + b"T" * 8


def row(seq: int, raw: bytes = RAW) -> Row:
    """Return a frame's row."""
    return (1764000000123, 1, DEVICE, 0xA0000001, seq, 0x45, raw)


class Commits:
    """Remembers what was reported as durable, and lets a test wait for it."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self._changed = threading.Condition()

    def __call__(self, index: int) -> None:
        with self._changed:
            self.seen.append(index)
            self._changed.notify_all()

    def wait(self, index: int) -> None:
        """Wait until ``index`` was reported."""
        with self._changed:
            assert self._changed.wait_for(lambda: bool(self.seen) and self.seen[-1] >= index, 20)


def until(true: Callable[[], bool]) -> None:
    """Wait for what another thread does, with an end."""
    end_s = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end_s
        threading.Event().wait(0.01)
