"""Counts machine instructions of a snippet in MicroPython: a cost that repeats on any machine, unlike a time.

The program runs twice under `valgrind --tool=cachegrind --cache-sim=no` with an empty environment: once with the
snippet repeated, once with the same text and no repetition. The difference is the snippet's alone; start, import and
set-up cancel out. Repeats to 0.02 % (FACTS).
"""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_INTERPRETER
from weldgate_simulator.interpreter import CHIP_HEAP, Interpreter

__all__ = ["CachegrindError", "available", "count"]

TIMEOUT_S = 600
MAX_REPEAT = 9999


class CachegrindError(LocalError):
    """Valgrind is missing, or the program under it failed."""


def available() -> str:
    """Return "" when valgrind is there, else one sentence what to do."""
    if shutil.which("valgrind") is None:
        return "valgrind is not installed, so instructions cannot be counted: apt install valgrind"
    return ""


def count(
    chip: Interpreter,
    snippet: str,
    *,
    setup: str = "",
    paths: Sequence[Path] = (),
    repeat: int = 10,
    heap: str = CHIP_HEAP,
) -> int:
    """Return the instructions of one run of `snippet`.

    Args:
        chip: the interpreter, `arch` x64 for figures that compare.
        snippet: statements without indentation.
        setup: statements before it, not counted.
        paths: folders to import from.
        repeat: how often the snippet runs in the counted run, 1–9999.
        heap: see `Interpreter.command`.

    Returns:
        Instructions, rounded down; what a loop's turn costs is in it, about a hundred.

    Raises:
        CachegrindError: no valgrind, or the program ended with an error.
        ValueError: `repeat` out of range.
    """
    if not 1 <= repeat <= MAX_REPEAT:
        raise ValueError(f"repeat {repeat}, allowed are 1 to {MAX_REPEAT}")
    missing = available()
    if missing:
        raise CachegrindError(TOOL_INTERPRETER, missing)
    full, empty = (_instructions(chip, _program(snippet, setup, paths, times), heap) for times in (repeat, 0))
    return (full - empty) // repeat


def _program(snippet: str, setup: str, paths: Sequence[Path], times: int) -> str:
    """Return the program, of the same length for any number of times."""
    body = "".join(f"  {line}\n" for line in snippet.splitlines())
    path = [str(p) for p in paths]
    loop = f"def _go(n):\n for _ in range(n):\n{body}\n_go(int('{times:04d}'))\n"
    return f"import sys\nsys.path[:0] = {path!r}\n{setup}\n{loop}"


def _instructions(chip: Interpreter, program: str, heap: str) -> int:
    """Run a program under cachegrind and return the instructions of the whole process."""
    tool = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    valgrind = [shutil.which("valgrind") or tool[0], *tool[1:]]
    command = [*valgrind, *chip.command(["-c", program], heap)]
    done = subprocess.run(command, env={}, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    total = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    if done.returncode != 0 or total is None or "Traceback" in done.stderr:  # the wheel ends with 0 all the same
        raise CachegrindError(
            TOOL_INTERPRETER, f"the counted program ended with {done.returncode}:\n{done.stderr[-2000:]}"
        )
    return int(total[1].replace(",", ""))
