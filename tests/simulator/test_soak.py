"""`make soak` itself: what it prints, what it answers with, and that it finds what is planted."""

import json
import subprocess
import sys

import pytest

from weldgate_simulator.soak import ALL_FAULTS, Outcome, main
from weldgate_simulator.soak_audit import Settled, Trouble

KEYS = {"faults", "acknowledged", "stored", "delivered", "declared", "lost", "doubled"}


def test_counts_are_of_every_fault_and_the_sets_of_every_site() -> None:
    """Sets grow on a site, so its last count stands for it; what is lost or doubled is added up."""
    outcome = Outcome()

    outcome.add("a", [], Settled(10, 10, 9, 1, [], []))
    outcome.add("b", [Trouble(2, "x")], Settled(20, 20, 18, 2, [Trouble(3, "y")], [Trouble(4, "z")]))
    outcome.next_site()
    outcome.failed("a", OSError("gone"))
    outcome.add("a", [], Settled(5, 5, 5, 0, [], []))

    told = outcome.told()
    assert told.keys() == KEYS
    assert told == {
        "faults": 4, "acknowledged": 25, "stored": 25, "delivered": 23, "declared": 2, "lost": 6, "doubled": 4,
    }  # fmt: skip
    assert outcome.troubles == [("b", "x"), ("b", "y"), ("b", "z"), ("a", "OSError: gone")]


@pytest.mark.broker
@pytest.mark.slow
def test_planted_missing_fsync_is_found() -> None:
    """A power cut under `synchronous=OFF` takes what was acknowledged: it is counted, told, and the exit code is 1."""
    command = [
        sys.executable, "-m", "weldgate_simulator.soak", "--seconds", "0.1", "--only", "power-cut", "--json",
        "--plant", "PRAGMA synchronous=OFF", "--chips", "4", "--rate", "240", "--pause", "0.3", "--seed", "7",
    ]  # fmt: skip

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    told = json.loads(done.stdout)
    assert told.keys() >= KEYS
    assert done.returncode == 1
    assert told["lost"] > 0
    assert told["troubles"][0]["fault"] == "power-cut"


def test_fault_that_is_not_there_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever misspells one sees which there are."""
    with pytest.raises(SystemExit) as ended:
        main(["--only", "power-cat"])

    assert ended.value.code == 2
    assert "power-cut" in capsys.readouterr().err


def test_every_fault_says_what_it_does() -> None:
    """The page names each; so does the code."""
    assert all(fault.do.__doc__ for fault in ALL_FAULTS.values())
    assert len({fault.do for fault in ALL_FAULTS.values()}) == len(ALL_FAULTS)
