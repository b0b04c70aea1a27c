"""That the hardships hold the line to its promises, on a stage where it breaks them."""

import sys
from pathlib import Path
from typing import Any, cast

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package; the double stands beside them

from stage_double import StageDouble, Told

from weldgate_protocol import messages, reasons
from weldgate_simulator import hardships
from weldgate_simulator.line import LineError
from weldgate_simulator.onlooker import Onlooker, ScenarioError


@pytest.mark.parametrize(
    ("at_ms", "latched", "sentence"),
    [
        pytest.param(6_001, True, "alarm after 1001 ms, at most 1000", id="late"),
        pytest.param(5_500, False, "did not latch", id="not-latched"),
    ],
)
def test_alarm_that_breaks_rule_s4_fails(at_ms: int, latched: bool, sentence: str) -> None:
    """Current past the open relay is an alarm within a second, and it latches."""
    stage = StageDouble()
    stage.answers["bypass"] = {"wall_ms": 5_000}
    stage.arrive(messages.ALARM, 2, {"alarm": reasons.ALARM_BYPASS, "latched": latched}, at_ms)

    with pytest.raises(ScenarioError, match=sentence):
        hardships.bypass(cast(Any, stage), Onlooker(cast(Any, stage), Told(), 0.01))


def test_alarm_of_another_chip_is_none() -> None:
    """Only the chip in question counts."""
    stage = StageDouble()
    stage.answers["bypass"] = {"wall_ms": 5_000}
    stage.arrive(messages.ALARM, 1, {"alarm": reasons.ALARM_BYPASS, "latched": True}, 5_100)

    with pytest.raises(LineError, match="alarm of chip 2"):
        hardships.bypass(cast(Any, stage), Onlooker(cast(Any, stage), Told(), 0.01))
