"""`weldgate collector units` and `dashboard` print what is shipped."""

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Run = Callable[..., Result]


def test_unit_is_of_this_site(run: Run, bare_site: Path) -> None:
    """Its paths, its user, its program."""
    result = run("collector", "units", bare_site, "--user", "weldgate", "--program", "/opt/weldgate/bin/weldgate")

    assert result.exit_code == 0
    assert f"ExecStart=/opt/weldgate/bin/weldgate collector run {bare_site}/collector.toml\n" in result.stdout
    assert "User=weldgate\n" in result.stdout


def test_unit_takes_this_program_when_none_is_named(run: Run, bare_site: Path) -> None:
    """An absolute path, as systemd wants it."""
    line = next(line for line in run("collector", "units", bare_site).stdout.splitlines() if "ExecStart" in line)

    assert line.startswith("ExecStart=/")


def test_dashboard_is_json(run: Run) -> None:
    """Ready to be imported."""
    assert json.loads(run("collector", "dashboard").stdout)["title"] == "weldgate collectors"
