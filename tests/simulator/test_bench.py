"""That `bench` writes what it measured in this run, and nothing else."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from weldgate_protocol.cose import SM2_SM3
from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_INTERPRETER
from weldgate_simulator import bench, figures
from weldgate_simulator.chip_snippets import token_snippets
from weldgate_simulator.figures import FIGURES

UNITS = {
    "line.frames_per_s": "frames/s",
    "chip.mpy_bytes": "bytes",
    "chip.heap_after_import_bytes": "bytes",
    "chip.heap_high_water_bytes": "bytes",
    "chip.frame.x86_64_instructions": "instructions",
    "chip.gate_tick.x86_64_instructions": "instructions",
    "chip.token_check.x86_64_instructions": "instructions",
    "chip.token_check.heap_bytes": "bytes",
    "chip.sm2_check.x86_64_instructions": "instructions",
    "chip.sm2_check.heap_bytes": "bytes",
    "chip.lock_to_open_worst_ms": "ms",
    "chip.bypass_to_alarm_worst_ms": "ms",
}
CHEAP = ("chip.mpy_bytes", "chip.heap_after_import_bytes")


def written(path: Path) -> list[dict[str, Any]]:
    """Return what the run wrote."""
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_every_figure_has_its_name() -> None:
    """The names are those that others compare by."""
    assert list(FIGURES) == list(UNITS)


@pytest.mark.mpy
@pytest.mark.usefixtures("chip")
def test_cheap_figures_come_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Named figures alone are measured, written and printed, with value, unit and note."""
    path = tmp_path / "bench.json"

    code = bench.main(["--only", *CHEAP, "--json", "--output", str(path)])

    figures = written(path)
    assert code == 0
    assert json.loads(capsys.readouterr().out) == figures
    assert [figure["name"] for figure in figures] == list(CHEAP)
    for figure in figures:
        assert set(figure) == {"name", "value", "unit", "note"}
        assert figure["unit"] == UNITS[figure["name"]]
        assert figure["value"] > 10_000
    assert figures[0]["value"] <= 160 * 1024


@pytest.mark.mpy
@pytest.mark.usefixtures("chip", "valgrind")
def test_instructions_of_a_frame_are_counted(tmp_path: Path) -> None:
    """Both directions of a frame are told, and their sum is the value."""
    path = tmp_path / "bench.json"

    bench.main(["--only", "chip.frame.x86_64_instructions", "--output", str(path)])

    (figure,) = written(path)
    told = [int(word) for word in figure["note"].replace(",", "").split() if word.isdigit()]
    assert figure["unit"] == "instructions"
    assert sum(told[-2:]) == figure["value"]


@pytest.mark.mpy
@pytest.mark.usefixtures("chip", "valgrind")
def test_token_check_keeps_its_bounds(tmp_path: Path) -> None:
    """The largest token: 9.5 million instructions, none of its slices 4 million, 40 KB of heap."""
    path = tmp_path / "bench.json"

    bench.main(["--only", "chip.token_check.x86_64_instructions", "chip.token_check.heap_bytes", "--output", str(path)])

    instructions, heap = written(path)
    slices, dearest = (int(words.split()[0]) for words in re.findall(r"(?:in|dearest) (\d+)", instructions["note"]))
    assert 1_000_000 < instructions["value"] <= 9_500_000
    assert slices >= 10
    assert dearest <= 4_000_000
    assert slices * dearest >= instructions["value"]
    assert heap["value"] <= 40 * 1024


@pytest.mark.mpy
@pytest.mark.usefixtures("chip", "valgrind")
def test_check_by_sm2_keeps_its_bound() -> None:
    """The largest token by a known key of SM2: 9 million instructions; `bench` counts its slices and heap too."""
    ((_, count),) = figures._counts(token_snippets(SM2_SM3)[:1])

    assert 1_000_000 < count <= 9_000_000


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_what_cannot_be_measured_is_named_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, ci: str, code: int
) -> None:
    """One sentence says why; in CI the run fails, elsewhere the rest counts."""

    def missing(_say: object) -> bench.Figure:
        raise LocalError(TOOL_INTERPRETER, "valgrind is not installed")

    monkeypatch.setitem(FIGURES, "chip.frame.x86_64_instructions", missing)
    monkeypatch.setenv("CI", ci)
    path = tmp_path / "bench.json"

    found = bench.main(["--only", "chip.frame.x86_64_instructions", "--output", str(path)])

    assert found == code
    assert written(path) == []
    assert "chip.frame.x86_64_instructions was not measured: valgrind is not installed" in capsys.readouterr().err
