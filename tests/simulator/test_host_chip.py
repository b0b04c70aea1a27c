"""A chip in a thread on CPython: starts, answers, and ends with its thread."""

import threading
import time

import pytest

from weldgate_issuer import Issuer
from weldgate_protocol.errors import LocalError
from weldgate_simulator.broker import free_port
from weldgate_simulator.fleet import new_board
from weldgate_simulator.host_chip import HostChip
from weldgate_simulator.line import wait_for


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer.generate(int(time.time()))


def test_chip_runs_and_ends(issuer: Issuer) -> None:
    """The console answers, and no thread is left."""
    now_s = int(time.time())
    board = new_board(issuer, issuer.issue_key_set(issued_s=now_s), 5, "127.0.0.1", free_port(), 1)
    chip = HostChip(board)
    said = bytearray()

    def answered() -> bool:
        said.extend(board.console_take())
        return b"gate: idle" in said

    chip.start()
    board.console.put(b"status\r")
    wait_for("the console to answer", answered, 10)
    chip.stop()

    assert "host-chip" not in [thread.name for thread in threading.enumerate()]


def test_chip_that_died_is_told(issuer: Issuer) -> None:
    """What ended the firmware comes out at `stop`."""
    board = new_board(issuer, issuer.issue_key_set(issued_s=int(time.time())), 5, "127.0.0.1", free_port(), 1)
    board.flash.data[:] = b"\xff" * len(board.flash.data)  # no identity
    chip = HostChip(board)

    chip.start()
    wait_for("the firmware to fail", lambda: chip.failed is not None, 20)

    with pytest.raises(LocalError, match="no identity"):
        chip.stop()
