"""One welder's quarter minute on a chip in the real interpreter, against a real collector, with a heap of a given size.

Boot, online, a token by the scanner, welding, the collector killed in the middle of the arc and started again, the
back-fill, a second arc, the end by the button. It held when the chip never restarted, the relay was closed from token
to button, and the collector has session-start, both arcs and session-stop and no alarm: every error on the chip, a
MemoryError too, opens the relay and is recorded as one.
"""

import contextlib
import itertools
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from weldgate_collector import Chip
from weldgate_firmware.meter import dc_hall_1000a
from weldgate_issuer import Issuer, token_text
from weldgate_protocol import messages, reasons
from weldgate_protocol.frame import parse
from weldgate_simulator import provision
from weldgate_simulator.arc import Envelope, Phase, Stretch
from weldgate_simulator.board import Board
from weldgate_simulator.clock import HostClock
from weldgate_simulator.interpreter import Interpreter
from weldgate_simulator.interpreter_chip import InterpreterChip, build_modules
from weldgate_simulator.line import Line, LineError, wait_for

__all__ = ["ChipScenario", "open_scenario"]

CHIPS = 64  # one for each run, so that a run finds nothing of the one before
WAIT_S = 10.0  # a chip that starves does not get on; it is not waited for longer
WATCHDOG_MS = 8_000  # a loaded machine may hold the interpreter up; here the heap is on trial, not the time
ARC_MA = 180_000
SECOND_ARC_MS = 4_500
# An arc segment ends when it has been out for 2 s (DESIGN section 5).
WELD = Envelope(
    [
        Stretch(0, Phase.ARC, ARC_MA),
        Stretch(1_500, Phase.ELECTRODE_CHANGE, 0),
        Stretch(SECOND_ARC_MS, Phase.ARC, ARC_MA),
        Stretch(5_500, Phase.OFF, 0),
    ],
    5_600,
)


class ChipScenario:
    """Runs the scenario as often as wanted, each time on another chip.

    Attributes:
        trouble: why the last run did not hold, "" when it did.
    """

    def __init__(self, interpreter: Interpreter, line: Line, issuer: Issuer) -> None:
        self.trouble = ""
        self._interpreter = interpreter
        self._line = line
        self._issuer = issuer
        self._numbers = itertools.count(1)
        self._paths = build_modules(interpreter)
        self._key_set = issuer.issue_key_set(issued_s=int(time.time()))

    def passes(self, heap_bytes: int) -> bool:
        """Tell whether everything holds with a heap of so many bytes.

        Raises:
            LineError: the collector itself did not come up.
        """
        number = next(self._numbers)
        device = number.to_bytes(8, "big")
        flash = provision.new_flash(number)
        identity = provision.identity_of(self._issuer, device, "127.0.0.1", self._line.port)
        provision.provision(flash, identity, self._key_set)
        board = Board(HostClock(), dc_hall_1000a(), flash, seed=secrets.randbits(32), watchdog_ms=WATCHDOG_MS)
        chip = InterpreterChip(self._interpreter, board, self._paths, heap=str(heap_bytes))
        chip.start()
        try:
            self._weld(chip, number, self._token(device))
            self.trouble = self._judge(chip, number)
        except LineError as error:
            self.trouble = f"{error}; the chip: {[*chip.log][-3:]}"
        finally:
            chip.stop()
            if not self._line.health():
                self._line.start_collector()
        return not self.trouble

    def _token(self, device: bytes) -> bytes:
        token = self._issuer.issue_token(device=device, holder=secrets.token_bytes(8), issued_s=int(time.time()))
        return token_text(token).encode() + b"\r"

    def _weld(self, chip: InterpreterChip, number: int, code: bytes) -> None:
        board, line = chip.board, self._line

        def until(what: str, true: Callable[[], bool]) -> None:
            wait_for(what, lambda: true() or chip.starts > 1, WAIT_S)
            if chip.starts > 1:
                raise LineError(reasons.TOOL_INTERPRETER, f"the chip restarted before: {what}")

        until("the chip to come online", lambda: line.health().get("chips_online") == 1)
        chip.world(lambda it: it.scanner.put(code))
        until("the token to close the relay", lambda: board.relay_closed)
        chip.world(lambda it: it.play(WELD))
        begun_ms = board.clock.now_ms()
        until("the first arc to burn", lambda: board.clock.now_ms() - begun_ms > 1_000)
        line.kill_collector()
        until("the first arc to end", lambda: board.clock.now_ms() - begun_ms > SECOND_ARC_MS)
        line.start_collector()
        until("the first arc's record", lambda: messages.ARC in self._types(number))
        until("the second arc's record", lambda: self._types(number).count(messages.ARC) == 2)
        chip.world(lambda it: setattr(it, "button_down", True))
        until("the button to open the relay", lambda: not board.relay_closed)
        until("the session's stop", lambda: messages.SESSION_STOP in self._types(number))

    def _types(self, number: int) -> list[int]:
        return [parse(raw).type for device, _, _, raw in self._line.stored() if device == number]

    def _judge(self, chip: InterpreterChip, number: int) -> str:
        """Return what is wrong with what the collector has, "" for nothing."""
        frames = [parse(raw) for device, _, _, raw in self._line.stored() if device == number]
        if chip.starts != 1 or [closed for _, closed in chip.board.relay_changes] != [True, False]:
            return f"{chip.starts} starts, relay {list(chip.board.relay_changes)}"
        for frame in frames:
            fields = messages.decode(frame.type, frame.payload)
            if frame.type == messages.ALARM and fields["alarm"] == reasons.ALARM_SPOOL_FORMATTED:
                continue  # the first boot of a new chip
            if frame.type == messages.ALARM or frame.type == messages.REFUSAL:
                return f"an alarm or refusal was recorded: {fields}"
            if frame.type == messages.SESSION_STOP and fields["cause"] != reasons.END_WELDER:
                return f"the session ended for reason {fields['cause']}"
        if [frame.seq for frame in frames] != list(range(1, len(frames) + 1)):
            return f"sequence numbers {[frame.seq for frame in frames]}"
        return ""


@contextlib.contextmanager
def open_scenario(interpreter: Interpreter) -> Iterator[ChipScenario]:
    """Start a line of its own, and end it.

    Args:
        interpreter: which MicroPython.

    Raises:
        BuildError: the firmware does not compile.
        LineError: the line does not come up.
    """
    issuer = Issuer.generate(int(time.time()))
    chips = []
    for number in range(1, CHIPS + 1):
        keys = issuer.chip_secrets(number.to_bytes(8, "big"), provision.GENERATION)
        chips.append(Chip(str(number), provision.GENERATION, keys.up.hex(), keys.down.hex()))
    with tempfile.TemporaryDirectory() as name, Line(Path(name), chips) as line:
        yield ChipScenario(interpreter, line, issuer)
