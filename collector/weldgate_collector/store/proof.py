"""Proves the store complete again and again while the collector runs, for the metrics; on a thread of its own.

A pass reads every segment's index, which takes a while on a large store (a minute and a half for 30 million rows). So
it rests after each segment, fifty times as long as that took, and has no segment open meanwhile.
"""

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import structlog

from ..errors import StoreError
from .completeness import prove_lines
from .reader import Reader

__all__ = ["Proof", "Proved"]

_log = structlog.get_logger("weldgate.store")

_SHARE = 50


class _StoppedError(Exception):
    """The pass is not to be ended."""


class Proved(NamedTuple):
    """What the last pass found.

    Attributes:
        at_s: when it ended, Unix seconds; 0 before the first.
        numbers: how many numbers are in each state (``completeness``).
        lines: chips and epochs that were looked at.
        holes: of these, how many have a hole.
        oldest_ms: since when the oldest hole is known, Unix milliseconds; 0 for none.
    """

    at_s: float = 0.0
    numbers: dict[str, int] = {}  # noqa: RUF012 - never written to
    lines: int = 0
    holes: int = 0
    oldest_ms: int = 0


class Proof:
    """The proof of one store. Attribute ``proved`` may be read from any thread."""

    def __init__(
        self, open_reader: Callable[[], Reader], every_s: float, clock_s: Callable[[], float] = time.time
    ) -> None:
        """Take the neighbours; ``start`` starts the thread.

        Args:
            open_reader: opens the store; called on this thread, for each pass.
            every_s: how long to wait between passes at least.
            clock_s: Unix seconds.
        """
        self.proved = Proved()
        self._open_reader = open_reader
        self._every_s = every_s
        self._clock_s = clock_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-proof", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def one_pass(self, unhurried: bool = False) -> None:
        """Prove the store; a hole that wasn't there before is told in the log.

        Args:
            unhurried: rest after each segment.
        """
        numbers: Counter[str] = Counter()
        lines = holes = oldest_ms = 0
        woken_s = time.monotonic()

        def breathe() -> None:
            nonlocal woken_s
            reader.close()  # a segment that fills up meanwhile can't be sealed while anybody has it open
            if self._stop.wait((time.monotonic() - woken_s) * _SHARE if unhurried else 0.0):
                raise _StoppedError
            woken_s = time.monotonic()

        with self._open_reader() as reader:
            for line in prove_lines(reader, breathe=breathe):
                lines += 1
                for gap in line.gaps:
                    numbers[gap.state] += gap.last - gap.first + 1
                known = [gap.since_ms for gap in line.gaps if gap.is_hole]
                if known:
                    holes += 1
                    oldest_ms = min([*known, oldest_ms or known[0]])
        if holes > self.proved.holes:
            _log.error("store_has_holes", lines=holes, numbers=dict(numbers))
        self.proved = Proved(self._clock_s(), dict(numbers), lines, holes, oldest_ms)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.one_pass(unhurried=True)
            except _StoppedError:
                return
            except (sqlite3.Error, StoreError, OSError) as error:
                _log.error("store_not_proved", reason=str(error))
            self._stop.wait(self._every_s)
