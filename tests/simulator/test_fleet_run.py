"""A fleet against a real collector, and what its report says."""

import time
from pathlib import Path

import pytest

from weldgate_collector import Chip
from weldgate_issuer import Issuer
from weldgate_protocol.errors import LocalError
from weldgate_simulator.fleet_run import Request, run_fleet
from weldgate_simulator.line import Line
from weldgate_simulator.provision import GENERATION

DEVICES = (10, 11)


def known(issuer: Issuer) -> list[Chip]:
    chips = []
    for device in DEVICES:
        secrets = issuer.chip_secrets(device.to_bytes(8, "big"))
        chips.append(Chip(str(device), GENERATION, secrets.up.hex(), secrets.down.hex()))
    return chips


@pytest.mark.broker
@pytest.mark.slow
def test_report_is_what_the_collector_has(tmp_path: Path) -> None:
    """Each record in the chips' flash was acknowledged, so the store has as many."""
    issuer = Issuer.create(tmp_path / "site", int(time.time()))
    told: list[str] = []

    with Line(tmp_path / "line", known(issuer)) as line:
        request = Request(tmp_path / "site", DEVICES, "127.0.0.1", line.port, 1, 1, 1, arcs=1)
        report = run_fleet(request, told.append)
        stored = len(line.stored())

    assert report["troubles"] == []
    assert report["acknowledged"] == stored > 0
    assert report["records"]["session-start"] == report["records"]["session-stop"] == report["sessions"]
    assert "2 chips online" in told[0]


@pytest.mark.broker
def test_chips_that_nobody_knows_are_told(tmp_path: Path) -> None:
    """The error says how many got online and where."""
    Issuer.create(tmp_path / "site", int(time.time()))

    with Line(tmp_path / "line", []) as line:
        request = Request(tmp_path / "site", DEVICES, "127.0.0.1", line.port, 1, 1, 1, patience_s=1)
        with pytest.raises(LocalError, match=f"0 of 2 chips got online at 127.0.0.1:{line.port}"):
            run_fleet(request, lambda _: None)
