"""`weldgate demo` from outside: what it refuses, and that its help names what it takes."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from weldgate_tools import cli
from weldgate_tools.demo import demo


def test_help_names_the_options() -> None:
    """Somebody new can start it."""
    result = CliRunner().invoke(demo, ["--help"])

    assert result.exit_code == 0
    for option in ("--seconds", "--seed", "--chips", "--json", "--keep"):
        assert option in result.output


def test_folder_in_use_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence and exit 4; what lies there stays."""
    (tmp_path / "something").touch()

    with pytest.raises(SystemExit) as ended:
        cli.main(["demo", "--keep", str(tmp_path)])

    assert ended.value.code == 4
    assert "is not empty" in capsys.readouterr().err


def test_number_out_of_range_is_refused() -> None:
    """As click has it: exit 2 and the range."""
    result = CliRunner().invoke(demo, ["--chips", "0"])

    assert result.exit_code == 2
    assert "1<=x<=500" in result.output
