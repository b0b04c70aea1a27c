"""What `weldgate doctor` makes of a running collector's answer."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from weldgate_tools.finding import BAD, GOOD, NOTE, Finding
from weldgate_tools.running_findings import examine_running
from weldgate_tools.site import Site

Run = Callable[..., Result]
LINK: dict[str, Any] = {"up": True, "connections": 1, "refused": 0, "faults": 0, "trouble": ""}
UPSTREAM: dict[str, Any] = {
    "connected": True, "through": 3, "waiting_rows": 0, "trouble": "", "undelivered": False, "aside": 0,
}  # fmt: skip


def found(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> dict[str, Finding]:
    """Return the findings about a collector that answers so."""
    run("init", folder, "--chips", 1)
    health = {
        "store": "ok", "low_space": False, "chips_online": 1, "committed": 1, "chips_silent": [],
        "links": {"tcp": LINK, "line-1": LINK}, "upstreams": {"platform": UPSTREAM},
        "lines_with_holes": 0, "holes_since_s": 0, "proved_at_s": time.time() - 60,
        **changes,
    }  # fmt: skip
    monkeypatch.setattr("weldgate_tools.asking.ask", lambda _folder, _asked: health)
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data/control.sock").touch()
    return {finding.what: finding for finding in examine_running(Site(folder))}


def test_sound_collector_needs_nothing(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each link, each upstream, the store, its completeness: all looked at, all good."""
    states = {what: one.state for what, one in found(run, tmp_path / "s", monkeypatch).items()}

    assert states == dict.fromkeys(
        ["collector", "live sessions", "completeness", "link tcp", "link line-1", "upstream platform"], GOOD
    )


@pytest.mark.parametrize(
    ("what", "state", "text", "changes"),
    [
        ("collector", BAD, "disk is full", {"store": "database or disk is full"}),
        ("collector", BAD, "little room", {"low_space": True}),
        ("live sessions", BAD, "7", {"chips_silent": ["7"]}),
        ("completeness", BAD, "2 chips", {"lines_with_holes": 2, "holes_since_s": 1_790_000_000}),
        ("completeness", BAD, "nobody knows", {"lines_with_holes": 1}),
        ("completeness", NOTE, "not proved", {"proved_at_s": 0}),
        ("completeness", NOTE, "48 h", {"proved_at_s": 1}),
        ("link line-1", BAD, "no such", {"links": {"line-1": {**LINK, "up": False, "trouble": "no such port"}}}),
        ("link line-1", BAD, "down", {"links": {"line-1": {**LINK, "up": False}}}),
        ("upstream platform", BAD, "ACL", {"upstreams": {"platform": {**UPSTREAM, "trouble": "ACL"}}}),
        ("upstream platform", BAD, "not connected", {"upstreams": {"platform": {**UPSTREAM, "connected": False}}}),
    ],
)  # fmt: skip
def test_each_trouble_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, state: str, text: str, changes: dict[str, Any]
) -> None:
    """With what to do."""
    if changes.get("proved_at_s") == 1:
        changes = {"proved_at_s": time.time() - 2 * 86_400}
    one = found(run, tmp_path / "s", monkeypatch, **changes)[what]

    assert one.state == state
    assert text in one.found
    assert one.do


def test_collector_that_does_not_run(run: Run, tmp_path: Path) -> None:
    """A note with the command that starts it."""
    run("init", tmp_path / "s", "--chips", 1)
    (one,) = examine_running(Site(tmp_path / "s"))

    assert (one.state, one.found) == (NOTE, "does not run")
