"""`weldgate reasons`: by number, by name, in both languages."""

import json
from collections.abc import Callable

from click.testing import Result

from weldgate_protocol.reason_texts import TEXTS

Run = Callable[..., Result]


def test_one_reason_is_told_in_both_languages(run: Run) -> None:
    """Number, name, what happened and what to do."""
    out = run("reasons", "9").stdout

    assert "TOKEN_USED" in out
    assert "这个码已经用过了" in out
    assert "used already" in out


def test_language_can_be_chosen(run: Run) -> None:
    """Only that one then."""
    assert "used already" not in run("reasons", "9", "--lang", "zh").stdout
    assert "用过" not in run("reasons", "9", "--lang", "en").stdout


def test_by_part_of_the_name_and_all(run: Run) -> None:
    """Names are found by a part; without one all are listed."""
    assert "GATE_LATCHED" in run("reasons", "latched", "--lang", "en").stdout
    assert len(json.loads(run("reasons", "--json").stdout)) == len(TEXTS)


def test_unknown_reason_is_exit_1(run: Run) -> None:
    """The answer is no."""
    assert run("reasons", "99999").exit_code == 1
    assert run("reasons", "²").exit_code == 1
