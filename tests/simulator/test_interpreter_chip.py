"""The real MicroPython as a chip: boot, console, a token by its own scanner, hang, power cut, and `board.py` itself."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from weldgate_firmware.meter import dc_hall_1000a
from weldgate_issuer import Issuer, token_text
from weldgate_protocol.errors import LocalError
from weldgate_simulator.board import Board
from weldgate_simulator.clock import HostClock
from weldgate_simulator.flash import VirtualFlash
from weldgate_simulator.interpreter import Interpreter
from weldgate_simulator.interpreter_chip import InterpreterChip, build_modules
from weldgate_simulator.line import wait_for
from weldgate_simulator.provision import identity_of, new_flash, provision

DEVICE = (7).to_bytes(8, "big")
ASK_AGAIN_S = 1.0


class Bench:
    """One chip on the bench, without a collector."""

    def __init__(self, interpreter: Interpreter, flash: VirtualFlash) -> None:
        self.board = Board(HostClock(), dc_hall_1000a(), flash)
        self.chip = InterpreterChip(interpreter, self.board, build_modules(interpreter))

    def ask(self, line: str) -> str:
        """Type a line and return the answer; a chip that is still booting hears it the next time."""
        said = b""
        asked_s = 0.0

        def answered() -> bool:
            nonlocal said, asked_s
            with self.chip.lock:
                said += self.board.console_take()
                if time.monotonic() - asked_s > ASK_AGAIN_S and not said:
                    asked_s = time.monotonic()
                    self.board.console.put(line.encode() + b"\r")
            return said.endswith(b"ok\r\n") or (b"error" in said and said.endswith(b"\n"))

        with self.chip.lock:
            self.board.console_take()
        wait_for(f"an answer to {line}", answered, 20)
        return said.decode()

    def state(self) -> str:
        """Return the gate's state."""
        return self.ask("status").split("gate: ")[1].split()[0]

    def scan(self, text: str) -> None:
        """Show a code to the machine's scanner."""
        self.chip.world(lambda board: board.scanner.put(text.encode() + b"\r"))


@pytest.fixture
def site() -> Issuer:
    """A site whose keys the chip trusts."""
    return Issuer.generate(int(time.time()))


@pytest.fixture
def bench(chip: Interpreter, site: Issuer) -> Iterator[Bench]:
    """A provisioned chip that runs."""
    flash = new_flash()
    provision(flash, identity_of(site, DEVICE, "", 0), site.issue_key_set(issued_s=int(time.time())))
    made = Bench(chip, flash)
    made.chip.start()
    try:
        yield made
    finally:
        made.chip.stop()


def _token(site: Issuer) -> str:
    now_s = int(time.time())
    return token_text(site.issue_token(device=DEVICE, holder=b"holder01", issued_s=now_s, life_s=3600, limit_s=3600))


def _closed(bench: Bench) -> Callable[[], bool]:
    return lambda: bench.board.relay_closed


def test_boots_answers_and_closes_by_its_own_scanner_only_once(bench: Bench, site: Issuer) -> None:
    """The compiled firmware behind `main`, `board.py` included, from the console to the relay's pin."""
    assert "device: 7" in bench.ask("version")
    assert bench.state() == "idle"
    text = _token(site)

    bench.scan(text)
    wait_for("the relay to close", _closed(bench), 20)
    assert bench.state() == "live"
    bench.chip.world(lambda board: setattr(board, "button_down", True))
    wait_for("the welder's stop", lambda: not bench.board.relay_closed, 20)
    bench.chip.world(lambda board: setattr(board, "button_down", False))
    bench.scan(text)
    wait_for("the refusal", lambda: "last_reason: 9\r\n" in bench.ask("status"), 20)
    assert not bench.board.relay_closed


def test_s1_hang_opens_the_relay_within_two_seconds(bench: Bench, site: Issuer) -> None:
    """An interpreter that stands still is reset by the watchdog, and comes back with the relay open."""
    bench.ask("status")
    bench.scan(_token(site))
    wait_for("the relay to close", _closed(bench), 20)
    process_id = bench.chip.process_id
    assert process_id is not None

    os.kill(process_id, signal.SIGSTOP)
    stopped_ms = bench.board.clock.now_ms()
    wait_for("the watchdog", lambda: not bench.board.relay_closed, 20)

    assert bench.board.relay_changes[-1][0] - stopped_ms <= 2000
    assert "gate: suspended" in bench.ask("status")
    assert bench.board.resets[-1] == 3


def test_power_cut_suspends_and_the_same_token_resumes(bench: Bench, site: Issuer) -> None:
    """After a cut nothing resumes by itself; the welder's own code does it, on what flash has kept."""
    bench.ask("status")
    text = _token(site)
    bench.scan(text)
    wait_for("the relay to close", _closed(bench), 20)

    bench.chip.world(lambda board: board.cut_power())
    assert not bench.board.relay_closed
    wait_for("the interpreter to end", lambda: bench.chip.process_id is None, 20)
    bench.chip.world(lambda board: board.restore_power())
    assert bench.state() == "suspended"
    assert not bench.board.relay_closed
    bench.scan(text)
    wait_for("the session to go on", _closed(bench), 20)
    assert bench.chip.starts == 2


def test_s4_bypass_is_latched(bench: Bench) -> None:
    """Current with the relay open, through the sensor, ADC, timer and all."""
    bench.ask("status")
    bench.chip.world(lambda board: board.bypass(120_000))
    wait_for("the latch", lambda: bench.state() == "latched", 20)
    assert "alarms: 150" in bench.ask("status")


def test_levels_of_the_pins_reach_the_firmware(bench: Bench) -> None:
    """Mirror contact and samples as board.py reads them."""
    bench.chip.world(lambda board: board.contactor.command(True, board.clock.now_ms()))
    wait_for("the mirror contact", lambda: "contact_closed: yes" in bench.ask("sensor"), 20)
    bench.chip.world(lambda board: board.contactor.command(False, board.clock.now_ms()))
    wait_for("the mirror contact", lambda: "contact_closed: no" in bench.ask("sensor"), 20)
    assert "fault: 0" in bench.ask("sensor")


def test_chip_without_identity_holds_open_and_says_so(chip: Interpreter) -> None:
    """A bare module: no identity, the console of use, the watchdog content."""
    made = Bench(chip, new_flash())
    made.chip.start()
    try:
        assert "provision" in made.ask("status")
        assert made.board.resets == [1]
        assert not made.board.relay_closed
    finally:
        made.chip.stop()


def test_serving_that_fails_is_told(chip: Interpreter, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the bench itself is not lost in its thread."""
    made = Bench(chip, new_flash())

    def broken(*_: Any) -> bytes:
        raise ValueError("bench")

    monkeypatch.setattr(made.chip, "_perform", broken)
    made.chip.start()
    wait_for("the thread to end", lambda: not made.chip._thread.is_alive(), 20)
    with pytest.raises(LocalError, match="bench"):
        made.chip.stop()
    assert bench.state() == "idle"


def test_stand_ins_have_what_board_asks_for(chip: Interpreter) -> None:
    """Firmware and stand-ins compile for this interpreter, and only they are on its path."""
    folders = build_modules(chip)

    assert (folders[0] / "weldgate_firmware" / "board.mpy").is_file()
    assert (folders[1] / "weldgate_simulator" / "mpy" / "machine.mpy").is_file()
    assert all(path.suffix == ".mpy" for folder in folders for path in Path(folder).rglob("weldgate_*/*.*"))
