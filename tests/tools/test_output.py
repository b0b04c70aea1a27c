"""Languages, JSON and errors as the command line prints them."""

import pytest

from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_EXISTS
from weldgate_tools.output import language, print_json, say_error


@pytest.mark.parametrize(
    ("environment", "wanted", "expected"),
    [({"LANG": "zh_CN.UTF-8"}, None, "zh"), ({"LANG": "de_DE"}, None, "en"), ({}, None, "en"), ({}, "zh", "zh")],
)
def test_language_follows_wish_and_locale(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], wanted: str | None, expected: str
) -> None:
    """What was asked for, else the locale, else English."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert language(wanted) == expected


def test_json_keeps_chinese(capsys: pytest.CaptureFixture[str]) -> None:
    """Chinese stays readable."""
    print_json({"text": "焊机"})

    assert "焊机" in capsys.readouterr().out


def test_errors_go_to_standard_error(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Number, sentence, next step; nothing on standard output. An unknown number has no next step."""
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    say_error(LocalError(TOOL_EXISTS, "there already"))
    say_error(LocalError(9999, "new"))
    out, err = capsys.readouterr()

    assert out == ""
    assert len(err.splitlines()) == 3
