"""A stage without processes, for the parts of the demo that only look at it."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from weldgate_firmware.meter import dc_hall_1000a
from weldgate_simulator.board import Board
from weldgate_simulator.clock import HostClock
from weldgate_simulator.kept_flash import KeptFlash
from weldgate_simulator.witness import Arrived


class Told:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def begin(self, text: str) -> None:
        self.lines.append("begin " + text)

    def waiting(self, text: str) -> None:
        self.lines.append("waiting " + text)

    def done(self, text: str) -> None:
        self.lines.append("done " + text)


class StageDouble:
    """Chip 1 and a watched chip 2; what has arrived is `records`, what the fleet answers `answers`."""

    device, devices, seed = 1, (2,), 1
    interpreter_name = "nothing"

    def __init__(self) -> None:
        self.ended = ""
        self.records: list[tuple[int, Arrived]] = []
        self.answers: dict[str, Any] = {}
        self.stored: dict[tuple[int, int], bytes] = {}
        self.board = Board(HostClock(), dc_hall_1000a(), KeptFlash(sectors=20))
        self.line = SimpleNamespace(ended=lambda: self.ended)
        self.witness = SimpleNamespace(arrived=self._arrived, seqs=lambda *_: self.stored)
        self.fleet = SimpleNamespace(ask=lambda do, **_: self.answers[do])

    def arrive(self, type_: int, device: int, fields: dict[Any, Any], at_ms: int = 0) -> None:
        """Let a record arrive at the consumer."""
        self.records.append((type_, Arrived(device, len(self.records) + 1, fields, at_ms, at_ms)))

    def _arrived(self, type_: int, device: int | None = None) -> list[Arrived]:
        return [one for kind, one in self.records if kind == type_ and device in (None, one.device)]

    @contextmanager
    def world(self) -> Iterator[Board]:
        yield self.board

    def image(self) -> bytes:
        return bytes(self.board.flash.data)

    def power_up(self) -> None:
        """Do nothing: no chip is here."""
