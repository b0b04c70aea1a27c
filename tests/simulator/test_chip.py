"""A chip on CPython: lives, resets, power cuts; the site's demo chips; provisioning; stubs."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from weldgate_firmware import gate
from weldgate_firmware.app import load_identity
from weldgate_firmware.meter import dc_hall_1000a
from weldgate_firmware.storage import Storage
from weldgate_issuer import Issuer, token_text
from weldgate_simulator import site_chips, typings
from weldgate_simulator.board import Board
from weldgate_simulator.chip import Chip
from weldgate_simulator.clock import HostClock
from weldgate_simulator.provision import GENERATION, identity_of, new_flash, provision

DEVICE = (7).to_bytes(8, "big")
Scene = Callable[[Chip, Board], Awaitable[None]]


@pytest.fixture(scope="module")
def site() -> Issuer:
    """A site whose keys the chip trusts."""
    return Issuer.generate(int(time.time()))


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.01)


def play(site: Issuer, scene: Scene) -> None:
    """Run a provisioned chip and a scene beside it."""

    async def both() -> None:
        flash = new_flash()
        provision(flash, identity_of(site, DEVICE, "", 0), site.issue_key_set(issued_s=int(time.time())))
        board = Board(HostClock(), dc_hall_1000a(), flash)
        chip = Chip(board)
        running = asyncio.create_task(chip.run())
        try:
            await scene(chip, board)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(both())


def _state(chip: Chip) -> int:
    return chip.app.driver.state if chip.app is not None else 0


def test_token_by_scanner_closes_and_power_cut_suspends(site: Issuer) -> None:
    """The same life as the module's: live, cut, suspended, resumed by the same code."""
    now_s = int(time.time())
    text = token_text(site.issue_token(device=DEVICE, holder=b"holder01", issued_s=now_s, life_s=3600, limit_s=3600))

    async def scene(chip: Chip, board: Board) -> None:
        await until(lambda: _state(chip) == gate.IDLE)
        board.scanner.put(text.encode() + b"\r")
        await until(lambda: board.relay_closed)
        board.cut_power()
        assert not board.relay_closed
        await until(lambda: chip.app is None)
        board.restore_power()
        await until(lambda: _state(chip) == gate.SUSPENDED)
        board.scanner.put(text.encode() + b"\r")
        await until(lambda: board.relay_closed)
        assert chip.starts == 2

    play(site, scene)


def test_error_that_ends_the_app_restarts_the_board(site: Issuer) -> None:
    """As on the module: the relay is open, the failure is kept to be looked at, and the chip boots again."""

    async def scene(chip: Chip, board: Board) -> None:
        await until(lambda: _state(chip) == gate.IDLE)
        app = chip.app
        assert app is not None

        def broken() -> None:
            raise ValueError("a bug in the tick")

        app.tick = broken  # type: ignore[method-assign]
        await until(lambda: chip.starts == 2 and _state(chip) == gate.IDLE)
        assert not board.relay_closed
        assert str(chip.failed) == "a bug in the tick"
        assert len(board.resets) == 2

    play(site, scene)


def test_failing_supply_ends_the_life_after_its_stored_energy(site: Issuer) -> None:
    """The last gasp is written while the energy lasts."""

    async def scene(chip: Chip, board: Board) -> None:
        await until(lambda: _state(chip) == gate.IDLE)
        board._hold_ms = 300
        board.fail_supply()
        await until(lambda: chip.app is None)
        assert not board.powered

    play(site, scene)


def test_provisioned_flash_holds_the_chips_keys(site: Issuer) -> None:
    """Identity and key set where the firmware looks for them, and room for the first session."""
    flash = new_flash()
    provision(
        flash, identity_of(site, DEVICE, "192.0.2.1", 7460, area="410184"), site.issue_key_set(issued_s=1_795_500_000)
    )
    storage = Storage(flash, lambda count: bytes(count))
    identity = load_identity(storage)
    storage.mount()

    assert identity.k_down == site.chip_secrets(DEVICE, GENERATION).down
    assert (identity.host, identity.area) == ("192.0.2.1", "410184")
    assert storage.admits_session() == 0


def test_site_chips_run_from_their_images_and_keep_them(site: Issuer, tmp_path: Path) -> None:
    """Each image is one chip; what it writes is in its file."""
    flash = new_flash()
    provision(flash, identity_of(site, DEVICE, "", 0), site.issue_key_set(issued_s=int(time.time())))
    image = tmp_path / "7.flash"
    image.write_bytes(flash.data)

    async def scene() -> None:
        running = asyncio.create_task(site_chips.run_chips([image]))
        await until(lambda: image.read_bytes() != bytes(flash.data))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(scene())


def test_site_without_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to run is said."""
    assert site_chips.main([str(tmp_path)]) == 2
    assert "weldgate init" in capsys.readouterr().err
    assert site_chips.main([]) == 2


def test_stubs_are_copied_and_missing_ones_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """mypy finds the ESP32's modules; without the dev extra their names are told."""
    assert typings.collect(tmp_path / "typings") == []
    assert (tmp_path / "typings" / "machine.pyi").is_file()
    monkeypatch.setattr(typings.sysconfig, "get_path", lambda _name: str(tmp_path / "nowhere"))
    assert typings.collect(tmp_path / "typings") == list(typings.STUBS)
