"""`weldgate doctor`: a sound machine and site, and each thing that can be wrong with them."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from weldgate_collector.store import Writer
from weldgate_protocol.collector_record import RECORD_PRESENCE, Record, encode_record
from weldgate_tools import doctor as doctors
from weldgate_tools.doctor import examine_machine
from weldgate_tools.finding import BAD, GOOD, NOTE
from weldgate_tools.site import Site
from weldgate_tools.site_findings import examine_site

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
    monkeypatch.setattr(time, "time", lambda: 0.0)
    found = {finding.what: finding.state for finding in examine_machine()}

    assert found["clock"] == BAD


@pytest.mark.parametrize("name", ["collector.key", "issuer/key-start.pem", "issuer/root.secret"])
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
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)

    assert _states(folder)["disk"] == BAD


def test_keys_that_end_soon(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two months before their end somebody must act."""
    now_s = time.time()
    monkeypatch.setattr(time, "time", lambda: now_s + 380 * 86400)
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


@pytest.mark.parametrize(("silent", "state"), [([], GOOD), (["410811001", "7"], BAD)])
def test_chip_that_is_silent_in_a_live_session(
    folder: Path, monkeypatch: pytest.MonkeyPatch, silent: list[str], state: str
) -> None:
    """Somebody has to go and see; the chips are named."""
    status = {"store": "ok", "chips_online": 1, "committed": 1, "chips_silent": silent, "links": {}, "upstreams": {}}
    monkeypatch.setattr("weldgate_tools.asking.ask", lambda _folder, _asked: status)
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data/control.sock").touch()
    found = {finding.what: finding for finding in examine_site(Site(folder))}["live sessions"]

    assert found.state == state
    assert all(device in found.found for device in silent)
    assert bool(found.do) == bool(silent)


@pytest.mark.parametrize(("trouble", "state"), [("", GOOD), ("could not open port", BAD)])
def test_link_that_is_down_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch, trouble: str, state: str) -> None:
    """What is wrong with it stands there, with what to look at."""
    link = {"up": not trouble, "connections": 0, "refused": 0, "faults": 1, "trouble": trouble}
    status = {
        "store": "ok", "chips_online": 1, "committed": 1, "chips_silent": [], "links": {"line-1": link},
        "upstreams": {},
    }  # fmt: skip
    monkeypatch.setattr("weldgate_tools.asking.ask", lambda _folder, _asked: status)
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data/control.sock").touch()
    found = {finding.what: finding for finding in examine_site(Site(folder))}["link line-1"]

    assert found.state == state
    assert trouble in found.found
    assert bool(found.do) == bool(trouble)


def test_site_in_the_current_folder_is_found(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`site` is where init puts one when nothing else is said."""
    monkeypatch.chdir(folder.parent)
    assert "configuration" not in run("doctor").stdout
    folder.rename(folder.parent / "site")

    assert "configuration" in run("doctor").stdout


def test_receipts_that_nobody_gives(folder: Path) -> None:
    """Rows that have waited long are a note: nothing is lost, but somebody must take them."""
    row_s = int(time.time()) - 3600
    device = 410811001
    record = encode_record(Record(RECORD_PRESENCE, device.to_bytes(8, "big"), bytes(4), 0, 0, online=True))
    (folder / "data").mkdir()
    writer = Writer(folder / "data" / "store.sqlite3", 0, 100, lambda _index: None)
    writer.start()
    writer.put([(row_s * 1000, 2, device, 0, 0, RECORD_PRESENCE, record)])
    writer.stop()
    found = {finding.what: finding for finding in examine_site(Site(folder))}

    assert found["store"].state == GOOD
    assert "1 rows" in found["store"].found
    assert found["receipts platform"].state == NOTE
    assert "--consumer" in found["receipts platform"].do


def test_store_that_is_none(folder: Path) -> None:
    """A damaged store is bad, with the number that the reason has."""
    (folder / "data").mkdir()
    (folder / "data" / "store.sqlite3").write_bytes(b"no database at all, only words " * 50)

    assert _states(folder)["store"] == BAD


def test_site_without_chips(run: Run, tmp_path: Path) -> None:
    """A note with the command that adds one."""
    run("init", tmp_path / "empty", "--chips", 0)

    assert _states(tmp_path / "empty")["chips"] == NOTE
