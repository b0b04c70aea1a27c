"""What the demo refuses before anything starts; the whole of it runs in tests/system."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package; the double stands beside them

from stage_double import Told

from weldgate_protocol import reasons
from weldgate_protocol.errors import LocalError
from weldgate_simulator.demo import DemoError, Options, perform


def test_missing_interpreter_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence says why, and nothing is started."""
    monkeypatch.setenv("CI", "true")
    told = Told()

    with pytest.raises(DemoError, match="MicroPython could not be had") as failed:
        perform(Options(interpreter=False), told)

    assert failed.value.code == reasons.TOOL_INTERPRETER
    assert failed.value.document["ok"] is False
    assert len(told.lines) == 1


def test_folder_in_use_is_refused(tmp_path: Path) -> None:
    """What somebody keeps is not written over."""
    (tmp_path / "something").touch()

    with pytest.raises(LocalError, match="is not empty") as refused:
        perform(Options(keep=tmp_path), Told())

    assert refused.value.code == reasons.TOOL_EXISTS
    assert [path.name for path in tmp_path.iterdir()] == ["something"]
