"""Children that are kept running: waits that grow, words about it, an end that is an end."""

import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_BROKER
from weldgate_simulator.line import wait_for
from weldgate_tools import child as children
from weldgate_tools.child import BACKOFF_FIRST_S, BACKOFF_LAST_S, STEADY_S, BrokerChild, Child


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that stands until it is moved."""
    clock = SimpleNamespace(now_s=1000.0)
    monkeypatch.setattr(children, "time", SimpleNamespace(monotonic=lambda: clock.now_s))
    return clock


def _ended(child: Child) -> bool:
    return child.process_id is None


def test_child_waits_longer_each_time(tmp_path: Path, clock: SimpleNamespace) -> None:
    """What dies at once is not started in a loop; its code and last words are told, and never a wait without end."""
    child = Child("short", [sys.executable, "-c", "print('no luck'); raise SystemExit(3)"], tmp_path / "log")
    child.start()
    expected_s = BACKOFF_FIRST_S
    for _ in range(9):
        wait_for("it to end", lambda: _ended(child), 20)
        said = child.look()
        assert said.startswith(f"short ended with 3 (no luck), again in {expected_s:g} s; see ")
        assert child.look() == ""
        clock.now_s += expected_s
        assert child.look().startswith("short started again, process ")
        expected_s = min(2 * expected_s, BACKOFF_LAST_S)
    assert expected_s == BACKOFF_LAST_S
    child.stop()


def test_child_that_ran_long_starts_without_a_wait(tmp_path: Path, clock: SimpleNamespace) -> None:
    """An old failure is forgotten."""
    child = Child("short", [sys.executable, "-c", ""], tmp_path / "log")
    child.start()
    wait_for("it to end", lambda: _ended(child), 20)
    child.look()
    clock.now_s += BACKOFF_FIRST_S
    child.look()
    wait_for("it to end", lambda: _ended(child), 20)
    clock.now_s += STEADY_S + 1

    assert f"again in {BACKOFF_FIRST_S:g} s" in child.look()


def test_child_that_cannot_start_is_tried_again(tmp_path: Path, clock: SimpleNamespace) -> None:
    """A folder that went away is told, and looked for again."""
    child = Child("short", [sys.executable, "-c", ""], tmp_path / "log")
    child.start()
    wait_for("it to end", lambda: _ended(child), 20)
    child.look()
    child.log = tmp_path / "gone" / "log"
    clock.now_s += BACKOFF_FIRST_S

    assert child.look().startswith("short does not start: ")
    child.log = tmp_path / "log"
    clock.now_s += 2 * BACKOFF_FIRST_S
    assert child.look().startswith("short started again")
    child.stop()


def test_child_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM first, then harder."""
    monkeypatch.setattr(children, "STOP_S", 0.2)
    program = "import signal,sys;signal.signal(signal.SIGTERM,signal.SIG_IGN);print(1,flush=True);signal.pause()"
    child = Child("deaf", [sys.executable, "-c", program], tmp_path / "log")
    child.start()
    wait_for("it to be deaf", lambda: (tmp_path / "log").read_text() != "", 20)

    child.stop()

    assert child.process_id is None
    child.stop()  # twice is once


@pytest.mark.broker
def test_broker_that_dies_is_started_again(tmp_path: Path, clock: SimpleNamespace) -> None:
    """On the same port, after a wait."""
    child = BrokerChild(tmp_path / "broker", 0)
    child.start()
    try:
        assert child.look() == ""
        child._broker.kill()
        assert child.look().startswith("broker ended")
        clock.now_s += BACKOFF_FIRST_S
        assert child.look().startswith("broker started again, process ")
    finally:
        child.stop()
    assert child.process_id is None


def test_port_of_somebody_else_is_told(tmp_path: Path) -> None:
    """Another program's answer is not taken for the broker's."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        child = BrokerChild(tmp_path / "broker", other.getsockname()[1])

        with pytest.raises(LocalError, match="--no-broker") as caught:
            child.start()

    assert caught.value.code == TOOL_BROKER
