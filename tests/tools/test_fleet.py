"""`weldgate fleet run` from outside: what it refuses, and whom it makes known to the collector."""

import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from weldgate_collector import list_chips
from weldgate_issuer import Issuer
from weldgate_protocol.errors import LocalError
from weldgate_tools import fleet as command
from weldgate_tools.fleet import fleet


@pytest.fixture
def site(tmp_path: Path) -> Path:
    Issuer.create(tmp_path / "issuer", int(time.time()))
    (tmp_path / "chips.jsonl").touch(0o600)
    return tmp_path


def test_address_without_a_port_is_refused(site: Path) -> None:
    """Exit 2, and the sentence says what is wanted."""
    result = CliRunner().invoke(fleet, ["run", "--site", str(site), "--collector", "somewhere"])

    assert result.exit_code == 2
    assert "no HOST:PORT" in result.output


def test_folder_without_keys_is_refused(tmp_path: Path) -> None:
    """It says how a site is made."""
    result = CliRunner().invoke(fleet, ["run", "--site", str(tmp_path)])

    assert result.exit_code == 2
    assert "weldgate init" in result.output


def test_chips_are_made_known_once(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the collector does not know is added to the site's file; what it knows is left alone."""

    def fail(*_: object) -> dict[str, object]:
        raise LocalError(510, "nobody there")

    monkeypatch.setattr(command, "run_fleet", fail)

    for _ in range(2):
        result = CliRunner().invoke(fleet, ["run", "--site", str(site), "--chips", "3", "--first", "70"])

    assert isinstance(result.exception, LocalError)
    assert sorted(list_chips(site / "chips.jsonl")) == [("70", 0), ("71", 0), ("72", 0)]
