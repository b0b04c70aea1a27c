"""`weldgate platform`, as an operator uses it: each command in a process of its own, on a real folder."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from weldgate_platform.backup import read_backup, write_backup
from weldgate_platform.folder import FolderError
from weldgate_protocol import reasons

PASSPHRASE = "correct horse battery"


def run(*arguments: object, code: int = 0) -> str:
    """Run a command and return its output."""
    command = [sys.executable, "-m", "weldgate_tools.cli", "platform", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == code, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a platform that `init` made, with an operator."""
    folder = tmp_path_factory.mktemp("platform") / "county"
    run("init", folder)
    password = folder / "password"
    password.write_text("arc-gap-three-hundred\n", encoding="utf-8")
    run("createuser", folder, "--username", "Operator", "--password-file", password)
    return folder


def _rows(database: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def test_init_makes_a_platform_that_the_doctor_passes(made: Path) -> None:
    """Tables, areas, checks for deployment, an audit log that is whole; WAL."""
    findings = json.loads(run("doctor", made, "--json"))["findings"]

    assert [one["what"] for one in findings if not one["ok"]] == []
    assert {"settings", "database default", "database ingest", "deployment", "audit log"} == {
        one["what"] for one in findings
    }
    assert _rows(made / "platform.sqlite3", "PRAGMA journal_mode") == [("wal",)]
    assert _rows(made / "platform.sqlite3", "SELECT count(*) FROM registry_area WHERE level = 'township'") == [(27,)]
    assert _rows(made / "platform.sqlite3", "SELECT username, is_superuser FROM accounts_user") == [("operator", 1)]


def test_tables_behind_fail_the_doctor(made: Path, tmp_path: Path) -> None:
    """And it says what to run."""
    copy = tmp_path / "copy"
    write_backup(made, tmp_path / "b", PASSPHRASE)
    read_backup(tmp_path / "b", copy, PASSPHRASE)
    with closing(sqlite3.connect(copy / "platform.sqlite3")) as connection, connection:
        connection.execute("DELETE FROM django_migrations WHERE app = 'audit'")

    assert "NO  database default" in run("doctor", copy, code=1)


def test_audit_verify_prints_the_head_and_finds_tampering(made: Path, tmp_path: Path) -> None:
    """The account's creation is its first entry; one row changed breaks it."""
    copy = tmp_path / "copy"
    write_backup(made, tmp_path / "b", PASSPHRASE)
    read_backup(tmp_path / "b", copy, PASSPHRASE)
    head = run("audit", "verify", copy).strip()
    number, _, digest = head.partition(":")
    assert (int(number) >= 1, len(digest)) == (True, 64)
    with closing(sqlite3.connect(copy / "platform.sqlite3")) as connection, connection:
        connection.execute("UPDATE audit_entry SET object = 'accounts.User:9' WHERE number = 1")

    run("audit", "verify", copy, "--known", head, code=1)


def test_backup_restores_the_whole_folder(made: Path, tmp_path: Path) -> None:
    """Secrets, settings and rows are those of the original; nothing is readable without the passphrase."""
    names = write_backup(made, tmp_path / "b", PASSPHRASE)
    read_backup(tmp_path / "b", tmp_path / "again", PASSPHRASE)

    assert len(names) == 7
    for name in (one for one in names if not one.endswith("sqlite3")):
        assert (tmp_path / "again" / name).read_bytes() == (made / name).read_bytes()
    users = "SELECT username, password FROM accounts_user"
    assert _rows(tmp_path / "again" / "platform.sqlite3", users) == _rows(made / "platform.sqlite3", users)
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600
    assert b"operator" not in (tmp_path / "b").read_bytes()
    assert not list(tmp_path.glob(".backup-*"))


def test_damaged_backup_restores_nothing(made: Path, tmp_path: Path) -> None:
    """A byte changed anywhere, a chunk cut off, another passphrase."""
    write_backup(made, tmp_path / "b", PASSPHRASE)
    whole = (tmp_path / "b").read_bytes()
    line = whole.index(b"\n")
    cases = {
        "head": whole.replace(b'"n": 32768', b'"n": 16384'),
        "chunk": whole[: line + 100] + bytes((whole[line + 100] ^ 1,)) + whole[line + 101 :],
        "cut": whole[:-1],
        "head alone": whole[: line + 1],
        "no backup": b"x" * 2000,
    }
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(FolderError) as caught:
            read_backup(tmp_path / name, tmp_path / "never", PASSPHRASE)
        assert caught.value.code == reasons.TOOL_BAD_INPUT, name
    with pytest.raises(FolderError):
        read_backup(tmp_path / "b", tmp_path / "never", PASSPHRASE + "x")

    assert not (tmp_path / "never" / "platform.toml").exists()
    assert not (tmp_path / "never" / "secrets").exists()


def test_chunks_change_places_with_none(made: Path, tmp_path: Path) -> None:
    """A backup of more than one chunk whose end is another chunk's does not open."""
    (made / "ingest.sqlite3").exists()
    write_backup(made, tmp_path / "b", PASSPHRASE)
    whole = (tmp_path / "b").read_bytes()
    start = whole.index(b"\n") + 1
    first = int.from_bytes(whole[start : start + 4], "big") + 4
    (tmp_path / "twice").write_bytes(whole[: start + first] + whole[start:])

    with pytest.raises(FolderError):
        read_backup(tmp_path / "twice", tmp_path / "never", PASSPHRASE)


def test_short_passphrase_and_existing_file_are_refused(made: Path, tmp_path: Path) -> None:
    """Nothing is overwritten, and nothing weak is written."""
    (tmp_path / "there").touch()

    for path, passphrase, code in (
        (tmp_path / "there", PASSPHRASE, reasons.TOOL_EXISTS),
        (tmp_path / "new", "short", reasons.TOOL_BAD_INPUT),
    ):
        with pytest.raises(FolderError) as caught:
            write_backup(made, path, passphrase)
        assert caught.value.code == code


def test_account_without_its_place_or_with_a_weak_password_is_refused(made: Path) -> None:
    """A role needs a place that is there, and a password that is none of the common ones."""
    script = f"""
from pathlib import Path
from weldgate_platform.folder import FolderError
from weldgate_platform.operation import create_user
good = "arc-gap-three-hundred"
for username, password, rest in [
    ("x", good, dict(role="king", area="411081")), ("x", good, dict(role="township")),
    ("x", good, dict(area="411081")), ("x", good, dict(role="township", area="999")),
    ("x", good, dict(role="welder", enterprise=1)), ("x", "password123", dict(role="county", area="411081")),
    ("OPERATOR", good, dict(role="county", area="411081")), ("chen", good, dict(role="county", area="411081")),
]:
    try:
        create_user(Path({str(made)!r}), username, password, **rest)
        print(0)
    except FolderError as error:
        print(error.code)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)

    bad, there = reasons.TOOL_BAD_INPUT, reasons.TOOL_EXISTS
    assert [int(line) for line in done.stdout.split()] == [bad, bad, bad, bad, bad, bad, there, 0]
