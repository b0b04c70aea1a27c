"""`weldgate doctor`: a sound machine and site, and each thing that can be wrong with them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from weldgate_tools import doctor as doctors
from weldgate_tools.doctor import BAD, GOOD, NOTE, examine_machine, examine_site
from weldgate_tools.site import Site

Run = Callable[..., Result]


@pytest.fixture
def folder(run: Run, tmp_path: Path) -> Path:
    """A new site."""
    run("init", tmp_path / "s", "--chips", 1)
    return tmp_path / "s"


def _states(folder: Path) -> dict[str, str]:
    return {finding.what: finding.state for finding in examine_site(Site(folder))}


def test_sound_machine_needs_nothing(run: Run) -> None:
    """Whoever runs the tests has what is needed."""
    found = json.loads(run("doctor", "--json").stdout)

    assert found["ok"] is True
    assert all(finding["do"] for finding in found["findings"] if finding["state"] != "ok")


def test_new_site_is_sound(run: Run, folder: Path) -> None:
    """Only notes: the collector does not run, the offline root lies there."""
    result = run("doctor", folder)

    assert result.exit_code == 0, result.output
    assert "weldgate serve" in result.stdout


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """An extra that is not there is a note with the command that installs it."""
    monkeypatch.setattr(doctors, "_present", lambda name: name not in ("segno", "weldgate_simulator"))
    found = {finding.what: finding for finding in examine_machine()}

    assert found["extra issuer"].state == NOTE
    assert "segno" in found["extra issuer"].found
    assert "weldgate[issuer]" in found["extra issuer"].do
    assert "micropython" not in found


def test_clock_that_stands_at_1970(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without time no token can be issued or judged."""
    monkeypatch.setattr(doctors.time, "time", lambda: 0.0)
    found = {finding.what: finding.state for finding in examine_machine()}

    assert found["clock"] == BAD


@pytest.mark.parametrize("name", ["collector.key", "chips.jsonl", "issuer/key-start.pem"])
def test_secret_open_to_others(run: Run, folder: Path, name: str) -> None:
    """A mode that lets others read is told, with the command that mends it."""
    (folder / name).chmod(0o644)
    result = run("doctor", folder, "--json")
    modes: dict[str, Any] = next(f for f in json.loads(result.stdout)["findings"] if f["what"] == "file modes")

    assert result.exit_code == 1
    assert modes["state"] == BAD
    assert modes["do"].startswith("chmod 600")


def test_broken_configuration(folder: Path) -> None:
    """What the collector would not start with is bad."""
    (folder / "collector.toml").write_text("[collector]\nname = 5\n", encoding="utf-8")

    assert _states(folder)["configuration"] == BAD


def test_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than a gibibyte is little."""
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(doctors.shutil, "disk_usage", lambda _path: usage)

    assert _states(folder)["disk"] == BAD


def test_keys_that_end_soon(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two months before their end somebody must act."""
    now_s = doctors.time.time()
    monkeypatch.setattr(doctors.time, "time", lambda: now_s + 380 * 86400)
    found = {finding.what: finding for finding in examine_site(Site(folder))}

    assert found["key set"].state == BAD
    assert found["issuer keys"].state == GOOD


def test_machine_without_the_issuer(folder: Path) -> None:
    """A collector's machine need not hold the keys."""
    for path in (folder / "issuer").iterdir():
        path.unlink()
    (folder / "issuer").rmdir()

    assert _states(folder)["keys"] == NOTE


def test_no_site_there(tmp_path: Path) -> None:
    """Each thing that can't be looked at says so."""
    assert _states(tmp_path)["configuration"] == BAD


def test_socket_that_nobody_listens_at(folder: Path) -> None:
    """A collector that died leaves its socket: told as not answering."""
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / "control.sock").touch()

    assert _states(folder)["collector"] == BAD
