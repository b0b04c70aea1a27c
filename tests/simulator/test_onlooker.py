"""That the onlooker waits, tells, and fails with the words for what it saw."""

import sys
from pathlib import Path
from typing import Any, cast

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package; the double stands beside them

from stage_double import StageDouble, Told

from weldgate_protocol import messages, reasons
from weldgate_simulator.line import LineError
from weldgate_simulator.onlooker import Onlooker, ScenarioError


@pytest.fixture
def stage() -> StageDouble:
    return StageDouble()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def see(stage: StageDouble, told: Told) -> Onlooker:
    return Onlooker(cast(Any, stage), told, patience_s=0.01)


def test_step_is_told_with_what_was_seen(see: Onlooker, told: Told) -> None:
    """The text at its end is what was observed."""
    with see.step("try") as tell:
        tell("seen")

    assert told.lines == ["begin try", "done seen"]


def test_step_that_fails_is_not_ticked(see: Onlooker, told: Told) -> None:
    """No tick without its observation."""
    with pytest.raises(ScenarioError), see.step("try"):
        see.must(False, "otherwise")

    assert told.lines == ["begin try"]


def test_wait_that_is_in_vain_says_for_what(see: Onlooker) -> None:
    """The sentence names what did not come."""
    with pytest.raises(LineError, match="waited 0 s for: the moon"):
        see.until("the moon", lambda: False)


def test_process_that_ended_ends_the_wait(see: Onlooker, stage: StageDouble) -> None:
    """Nobody waits for what can't come any more."""
    stage.ended = "collector"

    with pytest.raises(ScenarioError, match="collector ended while waiting for the moon"):
        see.until("the moon", lambda: False, times=1000)


def test_record_that_fits_is_returned(see: Onlooker, stage: StageDouble) -> None:
    """The first one of the chip in question that fits."""
    stage.arrive(messages.REFUSAL, 2, {"reason": 9})
    stage.arrive(messages.REFUSAL, 1, {"reason": 5})
    stage.arrive(messages.REFUSAL, 1, {"reason": 9})

    assert see.record(messages.REFUSAL, lambda fields: fields["reason"] == 9).seq == 3


def test_refusal_with_the_relay_closed_fails(see: Onlooker, stage: StageDouble) -> None:
    """The record alone is not enough."""
    stage.arrive(messages.REFUSAL, 1, {"reason": reasons.TOKEN_USED})
    see.refused(reasons.TOKEN_USED)
    stage.board.relay(True)

    with pytest.raises(ScenarioError, match="relay is closed"):
        see.refused(reasons.TOKEN_USED)


def test_relay_that_blinked_is_noticed(see: Onlooker, stage: StageDouble) -> None:
    """Closed now is not closed all the time."""
    see.before_start()
    stage.board.relay(True)
    see.still_closed()
    stage.board.relay(False)
    stage.board.relay(True)

    with pytest.raises(ScenarioError, match="moved in a session"):
        see.still_closed()


def test_order_has_to_be_applied_by_every_chip(see: Onlooker, stage: StageDouble) -> None:
    """A refused one is none."""
    stage.arrive(messages.ORDER_RESULT, 1, {"result": 0})
    stage.arrive(messages.ORDER_RESULT, 2, {"result": 1})

    with pytest.raises(LineError):
        see.applied((1, 2))

    stage.arrive(messages.ORDER_RESULT, 2, {"result": 0})
    see.applied((1, 2))
