"""`weldgate serve`: real processes, kept running, and gone when it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from weldgate_protocol.errors import LocalError
from weldgate_simulator.broker import free_port
from weldgate_simulator.line import wait_for
from weldgate_tools.serve import Child

Run = Callable[..., Result]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"


@pytest.mark.slow
def test_site_runs_with_chips_online_and_ends_whole(run: Run, tmp_path: Path) -> None:
    """init, serve, chips online, a token welded with, a killed collector started again; SIGTERM ends every process."""
    site = tmp_path / "site"
    ports = [free_port() for _ in range(3)]
    for option, port in zip(("--port", "--mqtt-port", "--metrics-port"), ports, strict=True):
        assert port, option
    run("init", site, "--chips", 2, "--port", ports[0], "--mqtt-port", ports[1], "--metrics-port", ports[2])
    said = (tmp_path / "said").open("w+b")
    with (
        said,
        subprocess.Popen(
            [sys.executable, "-m", "weldgate_tools.cli", "serve", str(site), "--demo-chips", "--consumer"],
            stdout=said,
            stderr=said,
        ) as server,
    ):

        def status() -> dict[str, object]:
            result = run("collector", "status", site, "--json")
            return dict(json.loads(result.stdout)) if result.stdout else {}

        def text() -> str:
            return (tmp_path / "said").read_text()

        try:
            wait_for("both chips online", lambda: status().get("chips_online") == 2, 30)
            token = run("token", "issue", "--chip", 410811001, "--holder", "zhang3", "--site", site).stdout.strip()
            assert "sent" in run("order", "token", token, "--chip", 410811001, "--site", site).stdout
            wait_for("a session", lambda: bool(json.loads(run("store", "sessions", site, "--json").stdout or "[]")), 30)
            pids = dict(re.findall(r"^(\w[\w ]*) runs, process (\d+)$", text(), re.MULTILINE))
            assert set(pids) == {"broker", "collector", "consumer", "demo chips"}
            os.kill(int(pids["collector"]), signal.SIGKILL)
            wait_for("the collector to be back", lambda: "collector started again" in text(), 30)
            wait_for("the chips to be back", lambda: status().get("chips_online") == 2, 60)
        finally:
            server.terminate()
            server.wait(60)
        assert text().endswith("stopped\n")
        wait_for("every process to end", lambda: not any(_alive(int(pid)) for pid in pids.values()), 20)
    assert run("store", "gaps", site).exit_code == 0


def test_child_waits_longer_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What dies at once is not started in a loop."""
    child = Child("short", [sys.executable, "-c", ""], tmp_path / "log")
    child.start()
    wait_for("it to end", lambda: child.process_id is None, 20)

    assert "again in 0.5 s" in child.look()
    assert child.look() == ""
    moment = time.monotonic()
    monkeypatch.setattr("weldgate_tools.serve.time.monotonic", lambda: moment + 1)
    assert child.look() == "short started again"
    wait_for("it to end", lambda: child.process_id is None, 20) if child.process_id is None else child.stop()
    child.stop()


def test_child_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM first, then harder."""
    monkeypatch.setattr("weldgate_tools.serve.STOP_S", 0.2)
    program = "import signal,sys;signal.signal(signal.SIGTERM,signal.SIG_IGN);print(1,flush=True);signal.pause()"
    child = Child("deaf", [sys.executable, "-c", program], tmp_path / "log")
    child.start()
    wait_for("it to be deaf", lambda: (tmp_path / "log").read_text() != "", 20)

    child.stop()

    assert child.process_id is None


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
