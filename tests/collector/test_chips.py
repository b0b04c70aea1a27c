"""The file of known chips: modes, checks, and that keys stay in it."""

import os
from pathlib import Path

import pytest

from weldgate_collector.chips import (
    Chip,
    Chips,
    add_chips,
    list_chips,
    read_chips,
    read_key,
    remove_chips,
    write_secret,
)
from weldgate_collector.errors import ChipsError, KeyFileError

UP, DOWN = "11" * 32, "22" * 32
LARGEST = str((1 << 63) - 1)


def test_added_chips_are_listed_and_looked_up(tmp_path: Path) -> None:
    """What the tool adds, the collector knows; the largest id comes through unharmed."""
    path = tmp_path / "chips.jsonl"

    added = add_chips(path, [Chip("7", 1, UP, DOWN), Chip(LARGEST, 2, UP, DOWN)])

    assert added == 2
    assert list_chips(path) == [("7", 1), (LARGEST, 2)]
    keys = Chips(path).lookup(int(LARGEST).to_bytes(8, "big"))
    assert keys is not None
    assert keys.generation == 2
    assert keys.down == bytes.fromhex(DOWN)
    assert Chips(path).lookup(bytes(8)) is None


def test_file_is_made_with_mode_0600(tmp_path: Path) -> None:
    """Nobody else may read the keys."""
    add_chips(tmp_path / "chips.jsonl", [Chip("7", 1, UP, DOWN)])

    assert (tmp_path / "chips.jsonl").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_laxer_mode_is_refused(tmp_path: Path, mode: int) -> None:
    """A file that others may read is not used."""
    path = tmp_path / "chips.jsonl"
    add_chips(path, [Chip("7", 1, UP, DOWN)])
    path.chmod(mode)

    with pytest.raises(KeyFileError, match="at most 0600"):
        Chips(path)


@pytest.mark.parametrize(
    "chip",
    [
        Chip("-1", 1, UP, DOWN),
        Chip("07", 1, UP, DOWN),
        Chip(str(1 << 63), 1, UP, DOWN),
        Chip("9" * 5000, 1, UP, DOWN),
        Chip("7", -1, UP, DOWN),
        Chip("7", 1, UP[:-2], DOWN),
        Chip("7", 1, UP, "zz" * 32),
        Chip("7", 1, UP, DOWN, "11"),
    ],
)
def test_malformed_chip_is_refused_and_file_stays(tmp_path: Path, chip: Chip) -> None:
    """A wrong chip leaves the file as it was."""
    path = tmp_path / "chips.jsonl"
    add_chips(path, [Chip("5", 1, UP, DOWN)])

    with pytest.raises(ChipsError):
        add_chips(path, [Chip("6", 1, UP, DOWN), chip])

    assert list_chips(path) == [("5", 1)]


def test_errors_and_repr_hold_no_key(tmp_path: Path) -> None:
    """Neither a message nor a repr shows key bytes."""
    path = tmp_path / "chips.jsonl"
    write_secret(path, b'{"device":"7","generation":1,"up":"' + UP.encode() + b'","down":"ab"}\n')

    with pytest.raises(ChipsError) as caught:
        list(read_chips(path))

    assert "line 1" in str(caught.value)
    assert UP not in str(caught.value)
    assert UP not in repr(Chip("7", 1, UP, DOWN))


def test_chip_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """Two lines for one chip would hide which key counts."""
    path = tmp_path / "chips.jsonl"
    add_chips(path, [Chip("7", 1, UP, DOWN)])
    write_secret(path, path.read_bytes() * 2)

    with pytest.raises(ChipsError, match="line 2: chip 7 is there twice"):
        Chips(path)


def test_reload_takes_changes_and_survives_a_wrong_file(tmp_path: Path) -> None:
    """A wrong new file leaves the known chips as they were."""
    path = tmp_path / "chips.jsonl"
    add_chips(path, [Chip("7", 1, UP, DOWN)])
    chips = Chips(path)
    assert not chips.reload()

    add_chips(path, [Chip("8", 1, UP, DOWN)])
    assert chips.reload()
    write_secret(path, b"{}\n")
    with pytest.raises(ChipsError):
        chips.reload()

    assert len(chips) == 2


def test_removed_chip_is_gone(tmp_path: Path) -> None:
    """Removing counts what it removed; unknown ones count as nothing."""
    path = tmp_path / "chips.jsonl"
    add_chips(path, [Chip("7", 1, UP, DOWN), Chip("8", 1, UP, DOWN)])

    assert remove_chips(path, ["8", "9"]) == 1
    assert list_chips(path) == [("7", 1)]


def test_import_of_another_file(tmp_path: Path) -> None:
    """The issuer's export is a file of the same form."""
    add_chips(tmp_path / "export.jsonl", [Chip("7", 1, UP, DOWN)])

    add_chips(tmp_path / "chips.jsonl", read_chips(tmp_path / "export.jsonl"))

    assert list_chips(tmp_path / "chips.jsonl") == [("7", 1)]


def test_key_file_is_read_and_checked(tmp_path: Path) -> None:
    """64 hex digits in a file of mode 0600 are a key, anything else isn't."""
    path = tmp_path / "collector.key"
    write_secret(path, b"33" * 32 + b"\n")
    assert read_key(path) == b"\x33" * 32

    write_secret(path, b"33" * 31)
    with pytest.raises(KeyFileError, match="64 hex digits"):
        read_key(path)

    os.unlink(path)
    with pytest.raises(KeyFileError, match="can't be read"):
        read_key(path)
