"""That `memory` measures what it says, in the real interpreter."""

from pathlib import Path

import pytest

from weldgate_simulator import build, memory
from weldgate_simulator.interpreter import Interpreter
from weldgate_simulator.memory import MeasureError


@pytest.mark.mpy
def test_heap_after_import_counts_what_stays(chip: Interpreter, tmp_path: Path) -> None:
    """20,000 bytes kept by a module are in the figure; 200,000 bytes dropped by it are not."""
    source = tmp_path / "keeper.py"
    source.write_text("kept = bytes(20_000)\ndropped = bytearray(200_000)\ndel dropped\n")
    made = build.build_files({"keeper": source}, tmp_path / "mpy", chip.arch)

    taken = memory.heap_after_import(chip, ["keeper"], [made.folder])

    assert 20_000 <= taken < 24_000


@pytest.mark.mpy
def test_module_that_cannot_be_imported_is_named(chip: Interpreter, tmp_path: Path) -> None:
    """No figure is made up: the error holds the interpreter's own words."""
    with pytest.raises(MeasureError, match="nosuchmodule"):
        memory.heap_after_import(chip, ["nosuchmodule"], [tmp_path])


@pytest.mark.parametrize("limit", [1025, 40_000, 65_536])
def test_smallest_heap_is_found_to_the_step(limit: int) -> None:
    """The result passes, and one step less does not."""
    found = memory.smallest_heap(lambda size: size >= limit, 1024, 65_536, 512)

    assert limit <= found < limit + 512


def test_scenario_that_never_passes_is_an_error() -> None:
    """A budget it does not keep is no measurement."""
    with pytest.raises(MeasureError, match="65536 bytes"):
        memory.smallest_heap(lambda _: False, 1024, 65_536)
