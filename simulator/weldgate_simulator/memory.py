"""Measures the heap that compiled code takes in MicroPython: after the import, and the least it runs with.

On 64 bits imported code takes about three times its `.mpy` size; on the chip it stays in flash. So two figures count
(DESIGN §8): the heap after importing the whole app, and what the scenario needs on top of it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_INTERPRETER
from weldgate_simulator.interpreter import Interpreter

__all__ = ["DATA_BUDGET_BYTES", "MeasureError", "heap_after_import", "smallest_heap"]

DATA_BUDGET_BYTES = 96 * 1024  # DESIGN §8: the scenario passes with the import's heap and this
_ROOMY = "8m"  # for measuring the import alone


class MeasureError(LocalError):
    """What was to be measured did not run."""


def heap_after_import(chip: Interpreter, modules: Sequence[str], paths: Sequence[Path], *, prelude: str = "") -> int:
    """Return the bytes of heap that are still taken after importing `modules` and collecting garbage.

    Args:
        chip: the interpreter; its width decides the figure, so say which it was.
        modules: dotted names, imported in this order.
        paths: folders of what `build` compiled.
        prelude: statements before the first import; what they take counts too.

    Raises:
        MeasureError: a module cannot be imported.
    """
    imports = "\n".join(f"import {name}" for name in modules)
    before, after = (
        "import gc\ngc.collect()\nbefore = gc.mem_alloc()",
        "gc.collect()\nprint('@heap', gc.mem_alloc() - before)",
    )
    program = f"{before}\n{prelude}\n{imports}\n{after}"
    done = chip.run(["-c", program], heap=_ROOMY, paths=paths)
    words = done.stdout.decode(errors="replace").split("@heap ")
    if len(words) != 2:
        raise MeasureError(
            TOOL_INTERPRETER, f"importing failed: {(done.stdout + done.stderr).decode(errors='replace')[-2000:]}"
        )
    return int(words[1])


def smallest_heap(passes: Callable[[int], bool], low: int, high: int, step: int = 1024) -> int:
    """Return the smallest heap, to `step` bytes, with which a scenario passes.

    Args:
        passes: runs the scenario with that many bytes of heap and says whether it held.
        low: a heap it fails with, bytes.
        high: a heap it should pass with, bytes.
        step: how finely to look, bytes.

    Raises:
        MeasureError: it does not pass even with `high`.
    """
    if not passes(high):
        raise MeasureError(TOOL_INTERPRETER, f"the scenario does not pass with {high} bytes of heap")
    while high - low > step:
        middle = (low + high) // 2
        if passes(middle):
            high = middle
        else:
            low = middle
    return high
