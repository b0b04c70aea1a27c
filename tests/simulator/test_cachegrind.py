"""That `cachegrind` counts the snippet and nothing else, and repeats."""

import pytest

from weldgate_simulator import cachegrind
from weldgate_simulator.cachegrind import CachegrindError
from weldgate_simulator.interpreter import Interpreter

LOOP = "for _ in range({}):\n  pass"


@pytest.mark.mpy
@pytest.mark.usefixtures("valgrind")
def test_count_grows_with_the_work_and_repeats(chip: Interpreter) -> None:
    """Ten times the turns cost ten times the instructions, twice the same to 0.1 %, whatever the set-up costs."""
    once = cachegrind.count(chip, LOOP.format(1000))
    again = cachegrind.count(chip, LOOP.format(1000), setup="x = [i for i in range(5000)]")
    tenfold = cachegrind.count(chip, LOOP.format(10_000))

    assert abs(once - again) <= once // 1000
    assert 9.5 < tenfold / once < 10.5


@pytest.mark.mpy
@pytest.mark.usefixtures("valgrind")
def test_failing_snippet_is_an_error_with_its_traceback(chip: Interpreter) -> None:
    """A snippet that raises gives no figure."""
    with pytest.raises(CachegrindError, match="ZeroDivisionError"):
        cachegrind.count(chip, "1 // 0")


@pytest.mark.mpy
def test_without_valgrind_one_sentence_says_what_to_do(chip: Interpreter, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the package."""
    monkeypatch.setenv("PATH", "")

    assert "apt install valgrind" in cachegrind.available()
    with pytest.raises(CachegrindError, match="apt install valgrind"):
        cachegrind.count(chip, "pass")


@pytest.mark.parametrize("repeat", [0, -1, 10_000])
def test_repeat_out_of_range_is_refused(repeat: int) -> None:
    """The two programs must have the same length, so the number has four digits."""
    with pytest.raises(ValueError, match="repeat"):
        cachegrind.count(Interpreter.__new__(Interpreter), "pass", repeat=repeat)
