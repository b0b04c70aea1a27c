"""A program that gets ready, waits for its word, and says in the end what came of it; or fails at either."""

import sys

import pytest

from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_CONNECTION, TOOL_TIMEOUT
from weldgate_simulator.ready import ready_program

PREPARED = "import sys; print('ready', flush=True); sys.stdin.readline(); "


def test_it_starts_when_it_is_told_and_tells_its_result() -> None:
    """Nothing is said before the word."""
    with ready_program([sys.executable, "-c", PREPARED + "print('{\"frames\": 3}')"]) as program:
        program.go()

        assert program.result() == {"frames": 3}
        assert program.pid > 0


def test_one_that_does_not_get_ready_or_gives_up_is_an_error() -> None:
    """Then there is no figure."""
    with pytest.raises(LocalError) as unready, ready_program([sys.executable, "-c", "print('no')"]):
        pass
    assert unready.value.code == TOOL_TIMEOUT
    with ready_program([sys.executable, "-c", PREPARED]) as program:
        program.go()
        with pytest.raises(LocalError) as gone:
            program.result()
    assert gone.value.code == TOOL_CONNECTION
