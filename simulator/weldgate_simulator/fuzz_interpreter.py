"""A share of the fuzz cases in the real MicroPython, which must judge each as CPython does."""

import select
import subprocess
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_INTERPRETER
from weldgate_simulator import build, files, interpreter
from weldgate_simulator.fuzz_batch import Batch, Counts, Find, cases_of
from weldgate_simulator.fuzz_forge import WORLD
from weldgate_simulator.fuzz_parsers import World, judge
from weldgate_simulator.interpreter import Interpreter

__all__ = ["Compared", "compare"]

_HEAP = "512wk"
_WAIT_S = 60  # for one verdict, on a machine that is busy with others
_MODULES = ("__init__", "flash", "fuzz_parsers")


class Compared(NamedTuple):
    """What two interpreters made of the same cases."""

    name: str
    cases: int
    counts: dict[str, Counts]
    finds: list[Find]


def compare(batches: Sequence[Batch], cases: int) -> Compared:
    """Judge the first cases of each parser's batches in both interpreters.

    Args:
        batches: where the cases come from; each gives an equal part of its own.
        cases: how many in all.

    Raises:
        LocalError: TOOL_INTERPRETER; there is no MicroPython, or the parsers do not compile.
    """
    sentences: list[str] = []
    chip = interpreter.find(sentences.append)
    if chip is None:
        raise LocalError(TOOL_INTERPRETER, "no MicroPython: " + "; ".join(sentences))
    world = World(WORLD)
    counts: dict[str, Counts] = {}
    finds: list[Find] = []
    done = 0
    with _Judge(chip) as judged:
        for parser, data in _chosen(batches, cases):
            here = judge(world, parser, data)[0]
            there = judged.ask(parser, data)
            done += 1
            why = _difference(here, there)
            if why:
                held = counts.setdefault(parser, Counts())
                setattr(held, why, getattr(held, why) + 1)
                finds.append(Find(parser, f"{why} in MicroPython: {there}, on CPython: {here}", data.hex()))
    return Compared(chip.name, done, counts, finds)


def _chosen(batches: Sequence[Batch], cases: int) -> Iterator[tuple[str, bytes]]:
    whole = sum(batch.cases for batch in batches)
    for batch in batches:
        for case in islice(cases_of(batch), -(-batch.cases * cases // whole)):
            yield batch.parser, case.data


def _difference(here: str, there: str) -> str:
    """Name what is wrong with a verdict of MicroPython's, "" for nothing."""
    if there == "hang":
        return "hangs"
    if there.startswith("?") and not here.startswith("?"):
        return "untyped"
    return "differs" if here != there else ""


class _Judge:
    """The parsers in a MicroPython process, started again after a case that ended it."""

    def __init__(self, chip: Interpreter) -> None:
        app = build.build_app(chip.arch)
        package = "weldgate_simulator"
        folder = files.package(package)
        sources = {package if name == "__init__" else f"{package}.{name}": folder / f"{name}.py" for name in _MODULES}
        made = build.build_files(sources, files.build_folder() / "mpy" / f"{chip.arch}-fuzz", chip.arch)
        if app.errors or made.errors:
            raise LocalError(TOOL_INTERPRETER, "\n".join(app.errors + made.errors))
        self._chip = chip
        self._paths = [app.folder, made.folder]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "_Judge":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def ask(self, parser: str, data: bytes) -> str:
        """Return the verdict on one case, "hang" when none comes in time."""
        process = self._running()
        stdin, stdout = process.stdin, process.stdout
        if stdin is None or stdout is None:
            raise LocalError(TOOL_INTERPRETER, "the interpreter was started without pipes")
        stdin.write(f"{parser} {data.hex()}\n".encode())
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([stdout], [], [], _WAIT_S)[0]:
                self._end()
                return "hang"
            more = stdout.read(4096)
            if not more:
                self._end()
                return "? the interpreter ended"
            line += more
        return line.decode(errors="replace").strip()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            command = ["-m", "weldgate_simulator.fuzz_parsers"]
            self._process = self._chip.popen(command, heap=_HEAP, paths=self._paths)
            if self._process.stdin is not None:
                self._process.stdin.write((" ".join(f"{name} {text}" for name, text in WORLD.items()) + "\n").encode())
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
