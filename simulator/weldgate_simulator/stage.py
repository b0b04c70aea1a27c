"""The demo's stage: the line's processes, the chip in the interpreter behind a wire that can be cut, and the fleet.

Sets up and takes down, and offers what the scenario does with them: press, scan, ask the console, hand something to
the collector. Holds no plan and judges nothing.
"""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from weldgate_collector import Chip as KnownChip
from weldgate_collector import request
from weldgate_issuer import Issuer
from weldgate_protocol import messages, order
from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_CONNECTION
from weldgate_simulator import figures, memory
from weldgate_simulator.board import Board
from weldgate_simulator.fleet import Plan, new_board
from weldgate_simulator.fleet_process import FleetProcess
from weldgate_simulator.host_chip import HostChip
from weldgate_simulator.interpreter import Interpreter
from weldgate_simulator.interpreter_chip import InterpreterChip, build_modules
from weldgate_simulator.kept_flash import KeptFlash
from weldgate_simulator.line import Line, wait_for
from weldgate_simulator.proxy import Proxy
from weldgate_simulator.witness import Witness

__all__ = ["FIRST_DEVICE", "Stage"]

_CONSOLE_S = 10.0
FIRST_DEVICE = 410811001  # the interpreter's chip; the fleet's follow


class Stage:
    """Everything that runs. Use it in ``with``; all of it ends with it.

    Attributes:
        folder, flash, site: where things lie.
        issuer: the site's; seed: of all that is drawn.
        device: the chip in the interpreter; devices: the fleet's.
        line, wire, fleet, witness: the parts.
        board, chip: of the interpreter's chip.
    """

    def __init__(self, folder: Path, chips: int, seed: int, rounds: int, arcs: int, found: Interpreter | None) -> None:
        """Lay keys and files out; nothing runs yet.

        Args:
            folder: empty.
            chips: of the fleet.
            seed: of all that is drawn.
            rounds, arcs: of the fleet's plan.
            found: the interpreter, None for CPython.
        """
        self.folder = folder
        self.flash = folder / "flash"
        self.site = folder / "site"
        self.flash.mkdir(parents=True)
        now_s = int(time.time())
        self.issuer = Issuer.create(self.site, now_s)
        self.key_set = self.issuer.issue_key_set(issued_s=now_s)
        (folder / "key-set.cose").write_bytes(self.key_set)
        self.device = FIRST_DEVICE
        self.devices = tuple(FIRST_DEVICE + 1 + k for k in range(chips))
        known = [self._known(device) for device in (self.device, *self.devices)]
        self.line = Line(folder / "line", known, tethered=True)
        self.witness = Witness(self.line.store, self.line.journal)
        self.wire = Proxy("127.0.0.1", self.line.port)
        self.interpreter_name = found.name if found is not None else "CPython"
        self.heap_bytes = 0  # of the interpreter: what the import takes and DESIGN section 8's budget
        self._interpreter = found
        self.seed = seed
        plan = Plan(self.devices, "127.0.0.1", self.line.port, seed, rounds, arcs)
        self.fleet = FleetProcess(self.site, folder / "key-set.cose", plan, self.flash, folder / "fleet.log")
        self.board: Board
        self.chip: InterpreterChip | HostChip
        self._log: Sequence[str] = ()
        self._stack = ExitStack()
        self._draw = random.Random(seed)  # noqa: S311 - repeatable by its seed

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.line)
            stack.enter_context(self.wire)
            stack.enter_context(self.fleet)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def power_up(self) -> None:
        """Provision the interpreter's chip and start it."""
        self.board = new_board(self.issuer, self.key_set, self.device, "127.0.0.1", self.wire.port, self.seed)
        if self._interpreter is None:
            self.chip = HostChip(self.board)
        else:
            self.heap_bytes = figures.heap_after_import(self._interpreter) + memory.DATA_BUDGET_BYTES
            self.chip = InterpreterChip(
                self._interpreter, self.board, build_modules(self._interpreter), str(self.heap_bytes)
            )
        self._log = self.chip.log
        self.chip.start()
        self._stack.callback(self.chip.stop)

    def chip_log(self) -> list[str]:
        """Return what the interpreter's chip said on standard error."""
        return list(self._log)

    def power_off(self) -> None:
        """Take the interpreter's chip's power away for good and write its flash image."""
        with self.world() as board:
            flash = board.flash
            flash.off = True
            board.cut_power()
        flash.save(self.flash / f"{self.device}.flash")

    @contextmanager
    def world(self) -> Iterator[Board]:
        """Touch the interpreter's chip's board while nobody serves it."""
        with self.chip.lock:
            yield self.board

    def image(self) -> bytes:
        """Return what the interpreter's chip's flash holds now."""
        with self.world() as board:
            flash: KeptFlash = board.flash
            return flash.image()

    def scan(self, text: str) -> None:
        """Show a code to the scanner of the interpreter's chip."""
        with self.world() as board:
            board.scanner.put(text.encode() + b"\r")

    def press(self, down: bool) -> None:
        """Press the button of the interpreter's chip, or let it go."""
        with self.world() as board:
            board.button_down = down

    def console(self, command: str) -> dict[str, str]:
        """Type a command at the interpreter's chip; return its answer by name."""
        with self.world() as board:
            board.console_take()
            board.console.put(command.encode() + b"\r")
        said = bytearray()

        def answered() -> bool:
            with self.world() as board:
                said.extend(board.console_take())
            return b"ok\r\n" in said or b"error" in said

        wait_for(f"the console to answer {command}", answered, _CONSOLE_S)
        lines = [line.partition(": ") for line in said.decode(errors="replace").splitlines()]
        return {name.strip(): value.strip() for name, colon, value in lines if colon}

    def welding(self) -> bool:
        """Tell whether an arc's current flows at the interpreter's chip, as an onlooker would see it."""
        with self.world() as board:
            now_ms = board.clock.now_ms()
            return board.welder.current_ma(now_ms, board.contactor.closed(now_ms)) > 60_000

    def holder(self) -> int:
        """Draw a welder's pseudonym."""
        return self._draw.getrandbits(62)

    def hand_token(self, text: str) -> None:
        """Give the collector a token for the interpreter's chip, as the platform would."""
        self._request({"do": "token", "device": str(self.device), "token": text})

    def configure(self, device: int, settings: dict[int, object]) -> None:
        """Sign a configuration and give it to the collector for a chip."""
        signed = self.issuer.issue_order(
            order.CONFIG, device=device.to_bytes(8, "big"), issued_s=int(time.time()), settings=settings
        )
        self._request({"do": "order", "device": str(device), "type": messages.CONFIG, "object": signed.hex()})

    def online(self) -> int:
        """Return how many chips the collector counts as online."""
        return int(self.line.health().get("chips_online", -1))

    def _request(self, asked: dict[str, Any]) -> None:
        answer = request(self.line.store / "control.sock", asked)
        if not answer["ok"]:
            raise LocalError(TOOL_CONNECTION, f"the collector refused to {asked['do']}: {answer['error']}")

    def _known(self, device: int) -> KnownChip:
        secrets = self.issuer.chip_secrets(device.to_bytes(8, "big"))
        return KnownChip(device=str(device), up=secrets.up.hex(), down=secrets.down.hex(), generation=0)
