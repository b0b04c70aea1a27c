"""A flood in small: it is slowed down and told once, and the others lose neither a connection nor an answer."""

import json
from pathlib import Path

import pytest

from weldgate_simulator import flood


@pytest.mark.parametrize("kind", flood.KINDS)
def test_flood_harms_nobody_else(tmp_path: Path, kind: str) -> None:
    """Every frame of the others is acknowledged on its first connection; one line tells of the flood."""
    found = flood.play(tmp_path, kind, workers=5, seconds=1.5)

    assert found["unanswered"] == 0
    assert found["connections"] == 5
    assert found["sent"] >= 5 * 10
    assert found["slowed"] == ["1"]
    assert found["lines"] == 1
    assert found["log_lines"] < 40


def test_program_prints_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    """For people."""
    assert flood.main(["--kind", "noise", "--workers", "2", "--seconds", "0.5"]) == 0

    assert json.loads(capsys.readouterr().out)["kind"] == "noise"
