"""That the scenario stops at the first outcome that does not come; the whole of it is played in tests/system."""

import sys
from pathlib import Path
from typing import Any, cast

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package; the double stands beside them

from stage_double import StageDouble, Told

from weldgate_simulator.arc import run_names
from weldgate_simulator.demo import TRACE
from weldgate_simulator.line import LineError
from weldgate_simulator.scenario import RUN, Scenario


def test_chip_that_is_never_heard_of_ends_it() -> None:
    """The error names the record that was waited for, and no step was ticked."""
    told = Told()
    scenario = Scenario(cast(Any, StageDouble()), TRACE, told, 1, patience_s=0.01)

    with pytest.raises(LineError, match="config-report of chip 1 at the consumer"):
        scenario.play()

    assert [line for line in told.lines if line.startswith("done")] == []


def test_recorded_run_is_in_the_trace() -> None:
    """The name is a run's whole name or its unambiguous beginning."""
    assert sum(name.startswith(RUN) for name in run_names(TRACE)) == 1
