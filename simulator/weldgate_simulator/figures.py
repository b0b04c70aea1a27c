"""The figures that `bench` prints, each measured when asked for: what a frame costs the line, and an app the chip.

A figure that cannot be measured here (no interpreter, no valgrind, no broker) is a `WeldgateError` whose message is one
sentence that says what is missing; nothing is ever made up or remembered.
"""

import tempfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from weldgate_protocol import cose
from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_INTERPRETER
from weldgate_simulator import build, cachegrind, interpreter, memory, timed
from weldgate_simulator import line as lines
from weldgate_simulator.chip_scenario import ChipScenario, open_scenario
from weldgate_simulator.chip_snippets import (
    FRAME_BYTES,
    Snippet,
    frame_snippets,
    tick_snippets,
    token_heap_programs,
    token_slices,
    token_snippets,
)
from weldgate_simulator.interpreter import Interpreter
from weldgate_simulator.interpreter_chip import build_modules

__all__ = ["FIGURES", "Figure", "data_high_water", "heap_after_import"]

_ROOMY = "8m"  # for counting instructions: no collection of garbage in between
_STEP_BYTES = 1024
# What the app finds in place when it is imported: on the chip these are C.
_STAND_INS = """
import sys
from weldgate_simulator.mpy import pipe
pipe.ask = lambda *_: b"\\x01\\x00\\x50\\x06\\x40"
from weldgate_simulator.mpy import esp32, machine, network
sys.modules["esp32"], sys.modules["machine"], sys.modules["network"] = esp32, machine, network
"""


class Figure(NamedTuple):
    """One measurement, as `build/bench.json` has it."""

    name: str
    value: int | float
    unit: str
    note: str


def _chip() -> Interpreter:
    """Return the first interpreter.

    Raises:
        LocalError: TOOL_INTERPRETER, there is none.
    """
    sentences: list[str] = []
    found = interpreter.find(sentences.append)
    if found is None:
        raise LocalError(TOOL_INTERPRETER, "no MicroPython: " + "; ".join(sentences))
    return found


def heap_after_import(chip: Interpreter) -> int:
    """Return the bytes of heap that are taken once the whole app is imported.

    What stands in for C modules on a virtual board, and asyncio, are imported too: they are code, not data.

    Raises:
        MeasureError: the app cannot be imported.
        BuildError: it cannot be compiled.
    """
    return memory.heap_after_import(chip, ["weldgate_firmware.main"], build_modules(chip), prelude=_STAND_INS)


def data_high_water(scenario: ChipScenario, imported: int, say: Callable[[str], None]) -> int:
    """Return the least heap above `imported` with which the scenario passes, to 1 KB.

    Raises:
        MeasureError: it does not pass with twice the budget.
    """

    def passes(size: int) -> bool:
        held = scenario.passes(size)
        say(f"  import + {size - imported} bytes: {'holds' if held else scenario.trouble[:200]}")
        return held

    most = imported + 2 * memory.DATA_BUDGET_BYTES
    return memory.smallest_heap(passes, imported, most, _STEP_BYTES) - imported


def _frames_per_s(say: Callable[[str], None]) -> Figure:
    chips, frames = 200, 500
    say(f"{chips} chips send {frames} frames each through collector, broker and consumer")
    with tempfile.TemporaryDirectory() as name:
        found = lines.bench(Path(name), chips, frames)
    used = ", ".join(f"{name} {seconds}" for name, seconds in found["cpu_s"].items())
    note = (
        f"committed by the consumer; acknowledged as durable {found['durable_per_s']}/s; {found['frames']} frames of "
        f"{FRAME_BYTES} bytes raw from {chips} chips; CPU seconds: {used}"
    )
    return Figure("line.frames_per_s", found["delivered_per_s"], "frames/s", note)


def _mpy_bytes(_say: Callable[[str], None]) -> Figure:
    made = build.build_app(build.CHIP_ARCH)
    if made.errors:
        raise build.BuildError(TOOL_INTERPRETER, made.errors[0])
    note = f"{len(made.sizes)} modules for {build.CHIP_ARCH}; at most {build.CODE_BUDGET_BYTES}"
    return Figure("chip.mpy_bytes", made.total_bytes, "bytes", note)


def _heap_after_import(_say: Callable[[str], None]) -> Figure:
    chip = _chip()
    value = heap_after_import(chip)
    note = f"{chip.name}, {chip.bits} bits; with asyncio and the simulator's stand-ins for machine, network, esp32"
    return Figure("chip.heap_after_import_bytes", value, "bytes", note)


def _heap_high_water(say: Callable[[str], None]) -> Figure:
    chip = _chip()
    say("the smallest heap with which a welder's quarter minute passes, by bisection")
    with open_scenario(chip) as scenario:
        value = data_high_water(scenario, heap_after_import(chip), say)
    note = (
        f"smallest heap that passes, less the heap after import, to {_STEP_BYTES}; at most {memory.DATA_BUDGET_BYTES}; "
        f"{chip.name}, {chip.bits} bits, where an object takes twice what it takes on the chip"
    )
    return Figure("chip.heap_high_water_bytes", value, "bytes", note)


def token_check_heap(chip: Interpreter, alg: int = cose.ES256) -> int:
    """Return the least heap with which the largest token is verified, tables and all, less code and key set.

    Args:
        chip: the interpreter.
        alg: what the token is signed by.

    Raises:
        MeasureError: it is not verified with twice the budget.
        BuildError: the modules cannot be compiled.
    """
    paths = build_modules(chip)
    bare, check = token_heap_programs(alg)
    words = chip.run(["-c", bare], heap=_ROOMY, paths=paths).stdout.decode(errors="replace").split("@heap ")
    if len(words) != 2:
        raise memory.MeasureError(TOOL_INTERPRETER, f"no token was set up: {words[0][-2000:]}")
    code = int(words[1])

    def passes(size: int) -> bool:
        return b"@held" in chip.run(["-c", check], heap=str(size), paths=paths).stdout

    return memory.smallest_heap(passes, code, code + 2 * memory.DATA_BUDGET_BYTES, _STEP_BYTES) - code


def dearest_slice(alg: int = cose.ES256) -> tuple[int, int]:
    """Return how many slices a check by a known key comes in, and the instructions of the dearest.

    Raises:
        MeasureError: the check did not come to its end.
    """
    program, first = token_slices(alg=alg)
    chip = _chip()
    words = chip.run(["-c", program], heap=_ROOMY, paths=build_modules(chip)).stdout.decode(errors="replace").split()
    if "@slices" not in words:
        raise memory.MeasureError(TOOL_INTERPRETER, f"no token was checked: {' '.join(words)[-2000:]}")
    slices = int(words[-1])
    totals = [0, *(count for _, count in _counts([first(number) for number in range(1, slices + 1)]))]
    return slices, max(after - before for before, after in pairwise(totals))


def _counts(snippets: Sequence[Snippet]) -> list[tuple[Snippet, int]]:
    """Count each snippet's instructions."""
    missing = cachegrind.available()
    if missing:
        raise cachegrind.CachegrindError(TOOL_INTERPRETER, missing)
    chip = _chip()
    if chip.arch != "x64":
        raise LocalError(TOOL_INTERPRETER, f"the counts are of x86-64, this MicroPython is for {chip.arch}")
    paths = build_modules(chip)
    return [
        (one, cachegrind.count(chip, one.text, setup=one.setup, paths=paths, repeat=one.repeat, heap=_ROOMY))
        for one in snippets
    ]


def _frame(_say: Callable[[str], None]) -> Figure:
    counted = _counts(frame_snippets())
    note = f"one frame of {FRAME_BYTES} bytes raw, both ways: " + _told(counted)
    return Figure("chip.frame.x86_64_instructions", sum(count for _, count in counted), "instructions", note)


def _gate_tick(_say: Callable[[str], None]) -> Figure:
    counted = _counts(tick_snippets())
    note = "one tick of 10 ms of the whole app with 16 samples, the dearer of: " + _told(counted)
    return Figure("chip.gate_tick.x86_64_instructions", max(count for _, count in counted), "instructions", note)


def _check(name: str, alg: int) -> Figure:
    counted = _counts(token_snippets(alg))
    slices, dearest = dearest_slice(alg)
    note = (
        f"the largest legal token, 200 bytes, as text from the scanner; {_told(counted)}; with its key known it comes "
        f"in {slices} slices, the dearest {dearest}"
    )
    return Figure(name, counted[0][1], "instructions", note)


def _check_heap(name: str, alg: int) -> Figure:
    chip = _chip()
    value = token_check_heap(chip, alg)
    note = (
        f"smallest heap with which it is verified, less code and key set, to {_STEP_BYTES}; all tables are in "
        f"it; {chip.name}, {chip.bits} bits"
    )
    return Figure(name, value, "bytes", note)


def _token_check(_say: Callable[[str], None]) -> Figure:
    return _check("chip.token_check.x86_64_instructions", cose.ES256)


def _token_check_heap(_say: Callable[[str], None]) -> Figure:
    return _check_heap("chip.token_check.heap_bytes", cose.ES256)


def _sm2_check(_say: Callable[[str], None]) -> Figure:
    return _check("chip.sm2_check.x86_64_instructions", cose.SM2_SM3)


def _sm2_check_heap(_say: Callable[[str], None]) -> Figure:
    return _check_heap("chip.sm2_check.heap_bytes", cose.SM2_SM3)


def _reaction(name: str, found: timed.Reaction, what: str) -> Figure:
    note = (
        f"{what}; {found.moments} moments that differ, the worst at {found.at_ms} ms; virtual time, each operation "
        f"charged what it costs on an ESP32 (docs/safety.md)"
    )
    return Figure(name, found.worst_ms, "ms", note)


def _lock_to_open(say: Callable[[str], None]) -> Figure:
    say("a lock at each of 10,000 milliseconds of a busy chip")
    what = "from a lock's last byte until the pin is open for good, at every millisecond of ten busy seconds"
    return _reaction("chip.lock_to_open_worst_ms", timed.lock_to_open(*timed.world()), what)


def _bypass_to_alarm(_say: Callable[[str], None]) -> Figure:
    what = "from a current past the open relay until the alarm is latched, at every millisecond of two seconds"
    return _reaction("chip.bypass_to_alarm_worst_ms", timed.bypass_to_alarm(*timed.world()), what)


def _told(counted: Sequence[tuple[Snippet, int]]) -> str:
    return ", ".join(f"{one.name} {count}" for one, count in counted)


FIGURES: dict[str, Callable[[Callable[[str], None]], Figure]] = {
    "line.frames_per_s": _frames_per_s,
    "chip.mpy_bytes": _mpy_bytes,
    "chip.heap_after_import_bytes": _heap_after_import,
    "chip.heap_high_water_bytes": _heap_high_water,
    "chip.frame.x86_64_instructions": _frame,
    "chip.gate_tick.x86_64_instructions": _gate_tick,
    "chip.token_check.x86_64_instructions": _token_check,
    "chip.token_check.heap_bytes": _token_check_heap,
    "chip.sm2_check.x86_64_instructions": _sm2_check,
    "chip.sm2_check.heap_bytes": _sm2_check_heap,
    "chip.lock_to_open_worst_ms": _lock_to_open,
    "chip.bypass_to_alarm_worst_ms": _bypass_to_alarm,
}
