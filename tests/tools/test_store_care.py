"""`weldgate store check`, `salvage`, `backup`, `restore` and `join`: what an operator does with a store."""

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from tests.tools.conftest import CHIP, SILENT, Tape, write_store

from weldgate_collector import Chip, Reader, add_chips, list_segments
from weldgate_issuer import Issuer
from weldgate_protocol import messages
from weldgate_protocol.errors import LocalError

Run = Callable[..., Result]


@pytest.fixture
def folder(site: Path, tmp_path: Path) -> Path:
    """A store of a hundred refusals by each of two chips."""
    issuer = Issuer.open(site / "issuer")
    rows = []
    for number in (CHIP, SILENT):
        tape = Tape(issuer, number)
        rows += [tape.row(messages.REFUSAL, {"reason": 9, "via": 1, "count": 1}, n) for n in range(100)]
    write_store(tmp_path / "data", rows)
    return tmp_path / "data"


def test_check_verifies_tags_with_the_chips_keys(run: Run, folder: Path, site: Path, tmp_path: Path) -> None:
    """A frame that was changed in its place is found by its tag, and the exit code says so."""
    issuer = Issuer.open(site / "issuer")
    secrets = issuer.chip_secrets(CHIP.to_bytes(8, "big"))
    add_chips(tmp_path / "chips.jsonl", [Chip(str(CHIP), secrets.generation, secrets.up.hex(), secrets.down.hex())])
    assert json.loads(run("store", "check", folder, "--json").stdout)["sound"]
    connection = sqlite3.connect(list_segments(folder)[0].path)
    connection.execute(
        "UPDATE records SET raw = CAST(substr(raw, 1, 30) || x'ff' || substr(raw, 32) AS BLOB) WHERE idx = 3"
    )
    connection.commit()
    connection.close()

    assert run("store", "check", folder).exit_code == 0
    result = run("store", "check", folder, "--chips-file", tmp_path / "chips.jsonl")
    assert result.exit_code == 1
    assert f"row 3, chip {CHIP}" in result.stdout


def test_salvage_mends_and_asks_first(run: Run, folder: Path) -> None:
    """A damaged file is set aside on the operator's word, and check is content afterwards."""
    path = list_segments(folder)[0].path
    os.truncate(path, path.stat().st_size * 9 // 10 // 4096 * 4096)
    assert run("store", "check", folder).exit_code == 1

    assert run("store", "salvage", folder, input="n\n").exit_code == 1
    assert run("store", "check", folder).exit_code == 1
    (done,) = json.loads(run("store", "salvage", folder, "--yes", "--json").stdout)
    assert Path(done["aside"]).exists()
    assert done["kept"] > 0
    assert run("store", "check", folder).exit_code == 0
    assert "sound" in run("store", "salvage", folder, "--yes").stdout


def test_backup_and_restore(run: Run, folder: Path, tmp_path: Path) -> None:
    """What was backed up comes back, also where no store was."""
    assert "1 of 1 files" in run("store", "backup", folder, tmp_path / "copy").stdout
    target = tmp_path / "elsewhere"

    done = json.loads(run("store", "restore", tmp_path / "copy", target, "--yes", "--json").stdout)

    assert done["last"] == 200
    with Reader(target) as reader:
        assert reader.last_index() == 200
    assert run("store", "restore", tmp_path / "copy", folder, input="n\n").exit_code == 1


def test_join_makes_one_file_with_large_numbers_unharmed(run: Run, folder: Path, tmp_path: Path) -> None:
    """One file has all rows, the views and indexes; a chip number of 2^63 - 1 is what it was."""
    target = tmp_path / "all.sqlite3"

    assert run("store", "join", folder, target).exit_code == 0

    connection = sqlite3.connect(target)
    assert connection.execute("SELECT max(device), count(*) FROM frames").fetchone() == ((1 << 63) - 1, 200)
    plan = connection.execute("EXPLAIN QUERY PLAN SELECT * FROM frames WHERE received_ms > 5").fetchall()
    assert "by_time" in str(plan)
    connection.close()
    assert isinstance(run("store", "join", folder, target).exception, LocalError)
    found = json.loads(run("store", "gaps", folder, "--json").stdout)
    assert (found["complete"], len(found["lines"])) == (True, 2)
