"""`weldgate store aside`, and `weldgate doctor` on what upstreams could not deliver."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from tests.tools.conftest import START_S, own, write_store

from weldgate_collector import Reader, Row
from weldgate_collector.store import Writer
from weldgate_collector.upstream.row_source import put_aside
from weldgate_protocol.collector_record import RECORD_PRESENCE
from weldgate_tools.finding import BAD, GOOD
from weldgate_tools.site import Site
from weldgate_tools.site_findings import examine_site

Run = Callable[..., Result]


@pytest.fixture
def folder(run: Run, tmp_path: Path) -> Path:
    """A new site whose store has two rows."""
    run("init", tmp_path / "s", "--chips", 1)
    (tmp_path / "s" / "data").mkdir()
    write_store(tmp_path / "s" / "data", [own(RECORD_PRESENCE, 1), own(RECORD_PRESENCE, 2)])
    return tmp_path / "s"


def refuse(folder: Path, upstream: str, reason: str) -> None:
    """Set the first row aside."""
    path = folder / "data"
    with Reader(path) as reader:
        store_id, row = reader.store_id(), Row(*next(iter(reader.rows(1, 1))))
    writer = Writer(path, 0, 100, lambda _index: None)
    writer.start()
    writer.submit(lambda connection: put_aside(connection, store_id, upstream, row, 5, reason, START_S * 1000)).result(
        20
    )
    writer.stop()


def test_nothing_is_set_aside(run: Run, folder: Path) -> None:
    """Exit 0, and doctor says so."""
    assert "nothing is set aside" in run("store", "aside", folder).stdout
    assert run("store", "aside", folder, "--json").exit_code == 0
    assert {one.what: one.state for one in examine_site(Site(folder))}["set aside"] == GOOD


def test_what_is_set_aside_is_printed_and_a_finding(run: Run, folder: Path) -> None:
    """Whose, which, why and its bytes; exit 1."""
    refuse(folder, "province", "platform refuses it: no such machine")
    result = run("store", "aside", folder, "--json")
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    finding = {one.what: one for one in examine_site(Site(folder))}["set aside"]

    assert result.exit_code == 1
    assert [(row["upstream"], row["index"], row["tries"]) for row in rows] == [("province", 1, 5)]
    assert rows[0]["record"]["record"] == "presence"
    assert bytes.fromhex(rows[0]["raw"])
    assert "no such machine" in run("store", "aside", folder).stdout
    assert "no such machine" in run("store", "aside", folder, "--csv").stdout
    assert run("store", "aside", folder, "--upstream", "other").exit_code == 0
    assert finding.state == BAD
    assert finding.found == "1 of province, last: platform refuses it: no such machine"
    assert "weldgate store aside" in finding.do


def test_forgetting_is_the_running_collector_s(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked, for one upstream; without a name nothing is."""
    asked: list[Any] = []
    monkeypatch.setattr(
        "weldgate_tools.store_aside.ask", lambda _place, what: (asked.append(what), {"ok": True, "forgotten": 3})[1]
    )

    assert "3 records forgotten" in run("store", "aside", folder, "--upstream", "province", "--forget").stdout
    assert run("store", "aside", folder, "--forget").exit_code == 2
    assert asked == [{"do": "forget-aside", "upstream": "province"}]


def test_upstream_that_nobody_gets_is_a_finding(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what the upstream says, and what to look at."""
    upstream = {
        "connected": True, "through": 0, "waiting_rows": 3, "trouble": "packs leave", "undelivered": True, "aside": 0,
    }  # fmt: skip
    status = {"store": "ok", "chips_online": 1, "committed": 1, "chips_silent": [], "links": {}}
    status["upstreams"] = {"province": upstream}
    monkeypatch.setattr("weldgate_tools.asking.ask", lambda _folder, _asked: status)
    (folder / "data/control.sock").touch()
    finding = {one.what: one for one in examine_site(Site(folder))}["upstream province"]

    assert finding.state == BAD
    assert "packs leave" in finding.found
    assert "ACL" in finding.do
