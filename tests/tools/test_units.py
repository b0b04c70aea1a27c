"""Durations, times and chip numbers as people write them; where things lie; how output speaks."""

import time
from pathlib import Path

import click
import pytest

from weldgate_protocol.errors import LocalError
from weldgate_tools.annotate import message_name, plain
from weldgate_tools.places import issuer_folder, store_file
from weldgate_tools.units import CHIP, DURATION, MOMENT, device_bytes, device_text, moment_text, seconds_text


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("8h", 28800), ("3 d", 259200)])
def test_durations(text: str, seconds: int) -> None:
    """A number with a unit, seconds without."""
    assert DURATION.convert(text, None, None) == seconds


@pytest.mark.parametrize(
    ("text", "unix_s"),
    [("2026-11-24", 1795449600), ("2026-11-24T08:00", 1795478400), ("2026-11-24T00:00+00:00", 1795478400), ("5", 5)],
)
def test_moments_are_in_shanghai_unless_said(text: str, unix_s: int) -> None:
    """A date without a zone is the site's own day."""
    assert MOMENT.convert(text, None, None) == unix_s


def test_moment_ago() -> None:
    """2h is two hours before now."""
    assert abs(MOMENT.convert("2h", None, None) - (time.time() - 7200)) < 5


@pytest.mark.parametrize(("kind", "text"), [(DURATION, "soon"), (MOMENT, "today"), (CHIP, "-1"), (CHIP, str(1 << 63))])
def test_nonsense_is_refused(kind: click.ParamType[object], text: str) -> None:
    """What can't be meant is a usage error."""
    with pytest.raises(click.BadParameter):
        kind.convert(text, None, None)


def test_chip_numbers_keep_every_digit() -> None:
    """The largest number goes to 8 bytes and back."""
    largest = str((1 << 63) - 1)
    device = device_bytes(largest)

    assert device is not None
    assert device_text(device) == largest
    assert device_bytes("٣") is None


def test_words_for_people() -> None:
    """Durations by size, times with their zone."""
    assert [seconds_text(s) for s in (10.98, 200, 7500)] == ["10.98 s", "3 min 20 s", "2 h 05 min"]
    assert moment_text(1795449600.5, milliseconds=True) == "2026-11-24T00:00:00.500+08:00"


def test_names_of_messages_unknown_and_private() -> None:
    """What has no table is called what it is."""
    assert [message_name(type_) for type_ in (0x44, 0x7F, 0xF1)] == ["arc", "unknown", "private"]
    assert plain({1: [b"\1", (2,)]}) == {"1": ["01", [2]]}


def test_places_are_found_or_named(tmp_path: Path) -> None:
    """A site's parts by the site's folder; what is missing by its name."""
    with pytest.raises(LocalError, match="weldgate init"):
        issuer_folder(tmp_path)
    with pytest.raises(LocalError, match="no collector's store"):
        store_file(tmp_path)
    (tmp_path / "store.sqlite3").touch()
    (tmp_path / "issuer.json").touch()
    assert store_file(tmp_path) == store_file(tmp_path / "store.sqlite3") == tmp_path
    assert issuer_folder(tmp_path) == tmp_path
