"""`weldgate serve`: real processes, kept running, and gone when it ends."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import Result

from weldgate_collector import load_config
from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_EXISTS
from weldgate_simulator.broker import free_port
from weldgate_simulator.line import wait_for
from weldgate_tools import serve as serves
from weldgate_tools.site import Site

Run = Callable[..., Result]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"


def _site(run: Run, folder: Path) -> Path:
    """Make a site with two chips on free ports."""
    site = folder / "site"
    ports = [free_port() for _ in range(3)]
    run("init", site, "--chips", 2, "--port", ports[0], "--mqtt-port", ports[1], "--metrics-port", ports[2])
    return site


@contextmanager
def _serving(site: Path, said: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Serve a site in a process of its own, which is ended in any case."""
    command = [sys.executable, "-m", "weldgate_tools.cli", "serve", str(site), *options]
    with said.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as server:
        try:
            yield server
        finally:
            server.terminate()
            server.wait(60)


def _pids(said: Path) -> dict[str, int]:
    found = re.findall(r"^(\w[\w ]*) runs, process (\d+)$", said.read_text(), re.MULTILINE)
    return {name: int(pid) for name, pid in found}


@pytest.mark.slow
def test_site_runs_with_chips_online_and_ends_whole(run: Run, tmp_path: Path) -> None:
    """init, serve, chips online, a token welded with, a killed collector started again; SIGTERM ends every process."""
    site = _site(run, tmp_path)
    said = tmp_path / "said"

    def status() -> dict[str, object]:
        result = run("collector", "status", site, "--json")
        return dict(json.loads(result.stdout)) if result.stdout else {}

    with _serving(site, said, "--demo-chips", "--consumer"):
        wait_for("both chips online", lambda: "2 demo chips online" in said.read_text(), 30)
        assert "ready: chips connect to port" in said.read_text()
        token = run("token", "issue", "--chip", 410811001, "--holder", "zhang3", "--site", site).stdout.strip()
        assert "sent" in run("order", "token", token, "--chip", 410811001, "--site", site).stdout
        wait_for("a session", lambda: bool(json.loads(run("store", "sessions", site, "--json").stdout or "[]")), 30)
        assert run("doctor", site).exit_code == 0
        pids = _pids(said)
        assert set(pids) == {"broker", "collector", "consumer", "demo chips"}
        for name in ("collector", "broker"):
            again = f"{name} started again"
            os.kill(pids[name], signal.SIGKILL)
            wait_for(again, lambda: again in said.read_text(), 30)  # noqa: B023 - waited for in this round
        wait_for("the chips to be back", lambda: status().get("chips_online") == 2, 60)
    assert said.read_text().endswith("stopped\n")
    wait_for("every process to end", lambda: not any(_alive(pid) for pid in pids.values()), 20)
    assert run("store", "gaps", site).exit_code == 0


@pytest.mark.slow
def test_killed_serve_leaves_nobody_and_a_second_one_is_turned_away(run: Run, tmp_path: Path) -> None:
    """Kill -9 of `serve` ends its children too; while it lived the site was its own."""
    site = _site(run, tmp_path)
    with _serving(site, tmp_path / "said", "--demo-chips") as server:
        wait_for("both chips online", lambda: "2 demo chips online" in (tmp_path / "said").read_text(), 30)
        pids = _pids(tmp_path / "said")

        second = run("serve", site)
        assert isinstance(second.exception, LocalError)
        assert second.exception.code == TOOL_EXISTS
        server.kill()
        server.wait(20)

    wait_for("every process to end", lambda: not any(_alive(pid) for pid in pids.values()), 30)


def test_remote_broker_is_not_started_here(run: Run, tmp_path: Path) -> None:
    """A broker of another machine is somebody else's."""
    run("init", tmp_path / "s")
    config = tmp_path / "s" / "collector.toml"
    text = config.read_text(encoding="utf-8")
    head, tail = text.split("[[upstream]]")
    config.write_text(head + "[[upstream]]" + tail.replace("127.0.0.1", "192.0.2.1"), encoding="utf-8")

    children = serves._children(Site(tmp_path / "s"), load_config(config), True, False, False)

    assert [child.name for child in children] == ["collector"]


def test_folder_without_a_site(run: Run, tmp_path: Path) -> None:
    """Said with the next step."""
    result = run("serve", tmp_path)

    assert isinstance(result.exception, LocalError)
    assert "weldgate init" in result.exception.message


def test_site_without_an_upstream(run: Run, tmp_path: Path) -> None:
    """A broker is of no use there, and that is said."""
    run("init", tmp_path / "s")
    config = tmp_path / "s" / "collector.toml"
    config.write_text(config.read_text(encoding="utf-8").split("[[upstream]]")[0], encoding="utf-8")

    result = run("serve", tmp_path / "s")

    assert isinstance(result.exception, LocalError)
    assert "--no-broker" in result.exception.message
