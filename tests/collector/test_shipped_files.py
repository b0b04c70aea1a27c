"""What is shipped for operators holds: systemd takes the unit, and the dashboard names only metrics that exist."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from weldgate_collector import dashboard_text, load_config, unit_text
from weldgate_collector.metrics import Metrics


@pytest.fixture
def unit(tmp_path: Path) -> str:
    """The unit of a collector whose folder has a space and a percent sign in its name."""
    folder = tmp_path / "a site 100%"
    folder.mkdir()
    (folder / "collector.toml").write_text('[collector]\nname = "t"\n', "utf-8")
    path = folder / "collector.toml"
    return unit_text(load_config(path), path, Path(sys.executable), "daemon")


def test_unit_names_program_configuration_and_data(unit: str, tmp_path: Path) -> None:
    """Nothing of the template is left."""
    folder = str(tmp_path / "a site 100%%")

    assert f'ExecStart={Path(sys.executable)} collector run "{folder}/collector.toml"\n' in unit
    assert f'ReadWritePaths="{folder}/data"\n' in unit
    assert "User=daemon\n" in unit
    assert not re.search(r"@[A-Z]+@", unit)
    for needed in ("Type=notify", "WatchdogSec=", "ExecReload=", "NoNewPrivileges=yes", "LimitNOFILE="):
        assert needed in unit


def test_unit_lets_it_write_wherever_the_configuration_says(tmp_path: Path) -> None:
    """Files for others and the operator's socket may lie elsewhere; one that is missing keeps it from nothing else."""
    path = tmp_path / "collector.toml"
    path.write_text(
        '[collector]\nname = "t"\n[control]\nsocket = "/run/weldgate/control.sock"\n'
        '[[upstream]]\nname = "a"\nkind = "file"\nfolder = "/srv/out going"\n'
        '[[upstream]]\nname = "b"\nkind = "file"\nfolder = "data/b"\n',
        "utf-8",
    )
    unit = unit_text(load_config(path), path, Path(sys.executable), "daemon")

    assert f'ReadWritePaths={tmp_path}/data -/run/weldgate "-/srv/out going"\n' in unit
    _verify(unit, tmp_path)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_finds_nothing_wrong(unit: str, tmp_path: Path) -> None:
    """Not a word from `systemd-analyze verify`."""
    _verify(unit, tmp_path)


def test_dashboard_names_only_metrics_that_exist() -> None:
    """Each name in each question is one that a collector shows, with the labels that it has."""
    board = json.loads(dashboard_text())
    metrics = Metrics()
    metrics.source_bad_tags.labels("a")
    shown = {line.split()[2] for line in metrics.text().decode().splitlines() if line.startswith("# TYPE ")}
    questions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    questions.append(board["templating"]["list"][0]["query"])
    named = {name for text in questions for name in re.findall(r"\b(?:weldgate|process)_\w+", text)}

    assert len(named) > 25
    assert {
        f"weldgate_{name}"
        for name in ("store_hole_lines", "gap_numbers", "upstream_undelivered", "link_trouble", "orders_ended_total")
    } <= named
    assert named <= shown
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def _verify(unit: str, folder: Path) -> None:
    """Have `systemd-analyze verify` look at a unit, where it is installed."""
    if shutil.which("systemd-analyze") is None:
        return
    path = folder / "weldgate-collector.service"
    path.write_text(unit, "utf-8")
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    assert path.name not in done.stderr
