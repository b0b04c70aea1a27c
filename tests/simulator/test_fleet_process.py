"""The fleet's process: answers what is asked, refuses what it does not know, and ends with its input."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from weldgate_issuer import Issuer
from weldgate_protocol.errors import LocalError
from weldgate_simulator.broker import free_port
from weldgate_simulator.fleet import Plan
from weldgate_simulator.fleet_process import FleetProcess
from weldgate_simulator.line import wait_for


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[FleetProcess]:
    issuer = Issuer.create(tmp_path / "site", int(time.time()))
    key_set = tmp_path / "key-set"
    key_set.write_bytes(issuer.issue_key_set(issued_s=int(time.time())))
    plan = Plan((10, 11), "127.0.0.1", free_port(), 1)
    with FleetProcess(tmp_path / "site", key_set, plan, tmp_path, tmp_path / "fleet.log") as process:
        yield process


def test_status_counts_the_chips(fleet: FleetProcess) -> None:
    """Without a collector none is online, and the welders wait."""
    status = fleet.ask("status")

    assert (status["chips"], status["online"], status["busy"], status["troubles"]) == (2, 0, 1, [])


def test_power_cut_restarts_a_chip(fleet: FleetProcess) -> None:
    """Cut and restored it boots again, and keeps its epoch."""
    wait_for("the chip to boot", lambda: fleet.ask("marks")["marks"]["11"][2] > 0, 10)
    before = fleet.ask("marks")["marks"]["11"]

    fleet.ask("cut", device=11)
    fleet.ask("restore", device=11)

    wait_for("the chip to boot again", lambda: fleet.ask("status")["restarts"] == 1, 10)
    wait_for("its spool", lambda: fleet.ask("marks")["marks"]["11"][0] == before[0], 10)


@pytest.mark.parametrize("asked", [{"do": "dance"}, {"do": "cut", "device": 99}])
def test_what_it_does_not_know_is_an_error(fleet: FleetProcess, asked: dict[str, object]) -> None:
    """And it goes on answering."""
    with pytest.raises(LocalError, match="the fleet could not"):
        fleet.ask(str(asked["do"]), **{key: value for key, value in asked.items() if key != "do"})

    assert fleet.ask("status")["chips"] == 2


def test_process_ends_with_its_handle(fleet: FleetProcess) -> None:
    """No process is left, and asking on is an error."""
    fleet.ask("status")
    process = fleet._process
    assert process is not None

    fleet.__exit__()

    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
    with pytest.raises(LocalError, match="does not run"):
        fleet.ask("status")
