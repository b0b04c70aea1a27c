"""`weldgate store`: counts, frames, sessions, the proof of completeness, exports."""

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from tests.tools.conftest import CHIP, SILENT, START_S, TOKEN, Tape, own, write_store

from weldgate_collector import Reader
from weldgate_issuer import Issuer
from weldgate_protocol import messages
from weldgate_protocol.collector_record import RECORD_GAP
from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_NOT_FOUND
from weldgate_tools.store_view import sessions

Run = Callable[..., Result]


def test_summary_counts_by_chip_and_keeps_large_numbers(run: Run, store: Path) -> None:
    """Numbers up to 2^63 - 1 come through JSON as text."""
    found = json.loads(run("store", "summary", store, "--json").stdout)

    assert found["frames"] == 9
    assert [(chip["device"], chip["frames"], chip["own_records"]) for chip in found["chips"]] == [
        (str(CHIP), 7, 1),
        (str(SILENT), 2, 1),
    ]


def test_summary_and_gaps_by_chip_time_and_as_csv(run: Run, store: Path) -> None:
    """Chosen by chip, type and time, for spreadsheets too."""
    one = json.loads(run("store", "summary", store, "--chip", CHIP, "--type", "refusal", "--json").stdout)
    assert [(chip["device"], chip["frames"]) for chip in one["chips"]] == [(str(CHIP), 1)]
    assert json.loads(run("store", "summary", store, "--until", 5, "--json").stdout)["chips"] == []
    rows = list(csv.DictReader(io.StringIO(run("store", "summary", store, "--csv").stdout)))
    assert [row["frames"] for row in rows] == ["7", "2"]
    gaps = list(csv.DictReader(io.StringIO(run("store", "gaps", store, "--chip", SILENT, "--csv").stdout)))
    assert [(row["first"], row["last"], row["state"], row["held"]) for row in gaps] == [
        ("1", "4", "elsewhere", "False"), ("6", "6", "chip", "False"),
    ]  # fmt: skip


def test_proof_as_of_a_time_and_of_who_was_heard(run: Run, store: Path) -> None:
    """`--until` ends the proof, `--since` leaves out who was silent; it begins at number 1 in any case."""
    early = json.loads(run("store", "gaps", store, "--until", START_S + 15, "--json").stdout)["lines"]
    late = json.loads(run("store", "gaps", store, "--since", START_S + 65, "--json").stdout)["lines"]

    assert [(line["device"], line["stored"]) for line in early] == [(str(CHIP), 3), (str(SILENT), 0)]
    assert [(line["device"], line["stored"], line["missing"]) for line in late] == [(str(SILENT), 2, [])]


def test_hole_before_the_time_asked_for_is_a_hole(run: Run, site: Path, tmp_path: Path) -> None:
    """A recent look does not hide an old loss of a chip that is still heard."""
    tape = Tape(Issuer.open(site / "issuer"), CHIP)
    rows = [tape.row(messages.POWER_OFF, {})]
    tape.skip(1)
    rows.append(tape.row(messages.POWER_OFF, {}, 50))
    write_store(tmp_path / "store.sqlite3", rows)

    assert run("store", "gaps", tmp_path, "--since", START_S + 40).exit_code == 1
    assert run("store", "gaps", tmp_path, "--since", START_S + 60).exit_code == 0


def test_sessions_take_no_type(run: Run, store: Path) -> None:
    """A choice that would be ignored is not offered."""
    assert run("store", "sessions", store, "--type", "arc").exit_code == 2


@pytest.mark.parametrize(
    "arguments", [["--since", "9" * 20], ["--limit", "9" * 30], ["--limit", 0], ["--chip", "9" * 30]]
)
def test_impossible_choice_is_a_usage_error(run: Run, store: Path, arguments: list[object]) -> None:
    """Numbers that no store can hold never reach it."""
    assert run("store", "frames", store, *arguments).exit_code == 2


def test_summary_finds_the_store_in_a_site(run: Run, store: Path, site: Path) -> None:
    """A site's folder is as good as the file."""
    assert run("store", "summary", site).stdout == run("store", "summary", store).stdout


def test_missing_store_is_a_clear_error(run: Run, tmp_path: Path) -> None:
    """What is not there is named."""
    result = run("store", "summary", tmp_path)

    assert isinstance(result.exception, LocalError)
    assert result.exception.code == TOOL_NOT_FOUND
    assert str(tmp_path) in result.exception.message


def test_frames_are_chosen_by_chip_type_and_time(run: Run, store: Path) -> None:
    """Each choice leaves the others out."""
    found = json.loads(
        run("store", "frames", store, "--chip", CHIP, "--type", "refusal", "--type", "arc", "--json").stdout
    )
    assert [row["message"] for row in found] == ["refusal", "arc"]
    assert found[0]["fields"]["reason"] == {"value": 9, "meaning": "reason number", "text": "TOKEN_USED"}

    late = json.loads(run("store", "frames", store, "--since", 1_795_500_060, "--json").stdout)
    assert [row["message"] for row in late] == ["session-stop", "power-off", "gap"]
    early = json.loads(run("store", "frames", store, "--until", 1_795_500_006, "--limit", 2, "--json").stdout)
    assert [row["kind"] for row in early] == ["collector", "frame"]


def test_frames_for_people_and_spreadsheets(run: Run, store: Path) -> None:
    """A line a row, and CSV that a program reads back."""
    assert "TOKEN_USED" in run("store", "frames", store, "--type", "refusal").stdout
    rows = list(csv.DictReader(io.StringIO(run("store", "frames", store, "--type", "arc", "--csv").stdout)))
    assert json.loads(rows[0]["fields"])["duration_ms"]["value"] == 10980


def test_sessions_join_start_arc_and_stop(run: Run, store: Path) -> None:
    """One session, with its arc, its suspension and why it ended."""
    found = json.loads(run("store", "sessions", store, "--json").stdout)

    assert len(found) == 1
    assert found[0]["token"] == TOKEN.hex()
    assert (found[0]["arcs"], found[0]["arc_s"], found[0]["peak_a"]) == (1, 10.98, 252.0)
    assert (found[0]["cause_name"], found[0]["suspended"]) == ("END_WELDER", 1)
    assert "END_WELDER" in run("store", "sessions", store).stdout
    assert run("store", "sessions", store, "--csv").stdout.startswith("device,token")


def test_session_cut_off_by_a_time_range_is_still_shown(store: Path) -> None:
    """A session whose start lies before the range begins with what is known of it."""
    with Reader(store) as reader:
        found = sessions(reader.records(since_ms=1_795_500_060_000))

    assert found[0]["started"] is None
    assert found[0]["cause"] == 120


def test_declared_gaps_are_no_loss(run: Run, store: Path) -> None:
    """Stored and declared together leave no hole, whoever declared."""
    result = run("store", "gaps", store, "--json")
    lines = {line["device"]: line for line in json.loads(result.stdout)["lines"]}

    assert result.exit_code == 0
    assert lines[str(SILENT)]["declared"] == ["1-4", "6-6"]


def test_undeclared_hole_is_found(run: Run, site: Path, tmp_path: Path) -> None:
    """One missing number is named, and the exit code says so."""
    tape = Tape(Issuer.open(site / "issuer"), CHIP)
    rows = [tape.row(messages.POWER_OFF, {})]
    tape.skip(2)
    rows.append(tape.row(messages.POWER_OFF, {}))
    write_store(tmp_path, rows)

    result = run("store", "gaps", tmp_path, "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["lines"][0]["missing"] == ["2-3"]
    assert "1 with holes" in run("store", "gaps", tmp_path).stdout


def test_gap_of_another_epoch_covers_nothing_here(run: Run, site: Path, tmp_path: Path) -> None:
    """A gap record that speaks of an unknown epoch fills no hole of this one."""
    tape = Tape(Issuer.open(site / "issuer"), CHIP)
    tape.skip(2)
    rows = [tape.row(messages.GAP, {"epoch": b"\0\0\0\0", "first": 1, "last": 2, "cause": 3})]
    write_store(tmp_path, rows)

    assert json.loads(run("store", "gaps", tmp_path, "--json").stdout)["lines"][0]["missing"] == ["1-2"]


def test_collector_gap_alone_is_a_complete_line(run: Run, tmp_path: Path) -> None:
    """A chip of which only a declaration is there has lost nothing silently."""
    write_store(tmp_path, [own(RECORD_GAP, CHIP, 1, 9)])

    assert json.loads(run("store", "gaps", tmp_path, "--json").stdout)["complete"]


@pytest.mark.parametrize("as_csv", [False, True])
def test_export_keeps_every_byte(run: Run, store: Path, tmp_path: Path, as_csv: bool) -> None:
    """All rows are written with their bytes, to a file at once or not at all."""
    target = tmp_path / "rows"
    result = run("store", "export", store, target, *(["--csv"] if as_csv else []))
    text = target.read_text(encoding="utf-8")
    rows: list[Any] = list(csv.DictReader(io.StringIO(text))) if as_csv else [json.loads(x) for x in text.splitlines()]

    assert result.exit_code == 0
    with Reader(store) as reader:
        assert [row["raw"] for row in rows] == [record.raw.hex() for record in reader.records()]


def test_export_to_standard_output(run: Run, store: Path) -> None:
    """Data on standard output, the count on standard error."""
    result = run("store", "export", store, "-", "--type", "arc")

    assert json.loads(result.stdout)["message"] == "arc"
    assert result.stderr == "1 rows\n"


def test_export_takes_the_same_words_as_the_others(run: Run, store: Path) -> None:
    """--json is what it does anyway; both at once is wrong usage."""
    assert run("store", "export", store, "--json").stdout == run("store", "export", store).stdout
    assert run("store", "export", store, "--json", "--csv").exit_code == 2


def test_export_into_what_is_no_file_replaces_nothing(run: Run, store: Path, tmp_path: Path) -> None:
    """A pipe (or a device, /dev/stdout among them) is written to; a file is replaced whole."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert run("store", "export", store, pipe).exit_code == 0
        assert pipe.is_fifo()
        assert os.read(reading, 100).startswith(b"{")
    finally:
        os.close(reading)


def test_export_to_a_folder_that_is_not_there(run: Run, store: Path, tmp_path: Path) -> None:
    """The folder is named, and nothing is written."""
    result = run("store", "export", store, tmp_path / "nowhere" / "rows.jsonl")

    assert isinstance(result.exception, LocalError)
    assert "no folder" in result.exception.message
