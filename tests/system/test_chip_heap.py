"""The whole compiled app in the real interpreter, with the heap that the import takes and 96 KB more (DESIGN §8)."""

import os

import pytest

from weldgate_simulator import interpreter
from weldgate_simulator.chip_scenario import open_scenario
from weldgate_simulator.figures import heap_after_import
from weldgate_simulator.memory import DATA_BUDGET_BYTES


@pytest.mark.mpy
@pytest.mark.broker
@pytest.mark.slow
def test_scenario_passes_within_the_heap_of_the_chip() -> None:
    """Boot, token, weld, collector killed, back-fill and stop: no error, no restart, nothing lost, in 96 KB."""
    sentences: list[str] = []
    chip = interpreter.find(sentences.append)
    if chip is None:
        told = "NO MICROPYTHON: " + "; ".join(sentences)
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)

    with open_scenario(chip) as scenario:
        held = scenario.passes(heap_after_import(chip) + DATA_BUDGET_BYTES)

    assert held, scenario.trouble
