"""`weldgate collector top`: rates from two answers, what is wrong in red, one document for machines."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result
from rich.console import Console
from rich.live import Live

from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_CONNECTION
from weldgate_tools import top as top_module
from weldgate_tools.top import rates, view

Run = Callable[..., Result]
STATE: dict[str, Any] = {
    "ok": True, "store": "ok", "uptime_s": 61, "frames": 1_000, "repeats": 0, "conflicts": 0, "gaps_declared": 0,
    "bad_tags": 0, "dropped": 0, "refused": 0, "committed": 990, "backlog_rows": 10, "chips_online": 7,
    "connections": 9, "connections_unauthenticated": 2, "connections_allowed": 800, "store_disk_bytes": 1 << 20,
    "disk_free_bytes": 5 << 30, "resident_bytes": 50 << 20, "chips_silent": [], "chips_slowed": [],
    "bad_tag_sources": [], "configuration": {"trouble": "", "restart_needed": []},
    "upstreams": {"platform": {"connected": True, "through": 4, "waiting_rows": 3, "aside": 5, "trouble": ""}},
    "links": {"line-1": {"up": True, "connections": 2, "refused": 0, "faults": 6, "trouble": ""}},
    "lines_with_holes": 0, "proved_at_s": 1, "low_space": False, "chips_trouble": "",
    "orders": {"waiting": 1, "applied": 2, "refused": 3, "expired": 4},
}  # fmt: skip


def shown(state: dict[str, Any]) -> str:
    """Return what a terminal would show."""
    console = Console(width=140, record=True, force_terminal=False, file=open("/dev/null", "w", encoding="utf-8"))  # noqa: SIM115
    console.print(view(state))
    console.file.close()
    return console.export_text()


def test_rates_are_differences_over_the_time_between() -> None:
    """A collector that was restarted in between has a rate of nothing, never below."""
    after = {**STATE, "frames": 3_000, "committed": 500}
    found = rates(STATE, after, 2.0)

    assert found["frames_per_s"] == 1_000.0
    assert found["committed_per_s"] == 0
    assert found["frames"] == 3_000


def test_view_shows_what_is_going_on_and_what_is_wrong() -> None:
    """Silent and flooding chips, addresses kept out, a configuration that can't be used: each has its line."""
    good = shown(rates(STATE, STATE, 1.0))
    bad = shown(
        rates(
            STATE,
            {
                **STATE, "ok": False, "store": "disk full", "chips_silent": ["41"], "chips_slowed": ["42"],
                "bad_tag_sources": [{"source": "10.0.0.9", "bad_tags": 3, "throttled": True}],
                "configuration": {"trouble": "line 3: unknown key", "restart_needed": ["tcp.port"]},
                "links": {"line-1": {**STATE["links"]["line-1"], "up": False, "trouble": "no such port"}},
                "lines_with_holes": 9, "chips_trouble": "mode 0644",
            },
            1.0,
        )
    )  # fmt: skip

    assert "7 online of 9 connections" in good
    assert "platform" in good
    assert "nothing is missing" in good
    assert "1 waiting, 2 applied, 3 refused, 4 expired" in good
    for text in ("10.0.0.9", "line 3", "tcp.port", "disk full", "no such port", "9 chips and epochs", "mode 0644"):
        assert text not in good
        assert text in bad
    assert {"41", "42"} <= set(bad.split())


def test_once_of_a_running_collector(
    run: Run, bare_site: Path, running: Callable[[Path], AbstractContextManager[None]]
) -> None:
    """As a document, and for people."""
    with running(bare_site):
        found = json.loads(run("collector", "top", bare_site, "--once", "--json", "--interval", 0.1).stdout)
        text = run("collector", "top", bare_site, "--once", "--interval", 0.1).stdout

    assert found["ok"] is True
    assert found["frames_per_s"] == 0
    assert found["chips_online"] == 0
    assert found["disk_free_bytes"] > 0
    assert "0 online of 0 connections" in text


def test_document_needs_once(run: Run, bare_site: Path) -> None:
    """A live view is for people."""
    result = run("collector", "top", bare_site, "--json")

    assert isinstance(result.exception, (SystemExit, click.UsageError))
    assert result.exit_code != 0


def test_live_view_goes_on_while_the_collector_is_away(
    run: Run, bare_site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so, shows the collector again when it is back, and ends by Ctrl-C without an error."""
    answers: list[Any] = [
        rates(STATE, STATE, 1.0),
        LocalError(TOOL_CONNECTION, "no collector answers"),
        KeyboardInterrupt(),
    ]
    shown_texts: list[str] = []

    def sample(_place: Path, _interval_s: float) -> dict[str, Any]:
        answer = answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return dict(answer)

    class Screen(Live):
        def update(self, renderable: Any, *, refresh: bool = False) -> None:
            shown_texts.append(str(renderable))
            super().update(renderable, refresh=refresh)

    monkeypatch.setattr(top_module, "_sample", sample)
    monkeypatch.setattr(top_module, "Live", Screen)
    result = run("collector", "top", bare_site, "--interval", 0.1)

    assert result.exit_code == 0, result.output
    assert len(shown_texts) == 2
    assert shown_texts[1] == "no collector answers"
