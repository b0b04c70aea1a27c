"""The watchdog is fed by the gate's tick alone, and a tick that fails opens the relay and ends the app."""

import asyncio
import time
from array import array

import pytest

from weldgate_firmware.app import App, load_identity
from weldgate_firmware.meter import dc_hall_1000a
from weldgate_firmware.storage import Storage
from weldgate_issuer import Issuer, token_text
from weldgate_simulator import provision
from weldgate_simulator.board import WATCHDOG_RESET, Board, BoardReset
from weldgate_simulator.clock import VirtualClock

DEVICE = (7).to_bytes(8, "big")
STEP_MS = 10
WATCHDOG_MS = 1_500
TURNS = 3  # of each part
PATIENCE_S = 20


class FailingBoard(Board):
    """A board whose converter can be broken and whose console can stop the firmware; it counts looks at the console."""

    broken = False
    stopping = False
    looks = 0

    def sample(self, buffer: "array[int]") -> int:
        """Return samples, or fail."""
        if self.broken:
            raise OSError("the converter does not answer")
        return super().sample(buffer)

    def console_read(self, buffer: bytearray) -> int:
        """Return what was typed, or stop."""
        self.looks += 1
        if self.stopping:
            raise BoardReset("stopped from the console")
        return super().console_read(buffer)


class House:
    """One chip of a new site on virtual time."""

    def __init__(self) -> None:
        now_s = int(time.time())
        self.clock = VirtualClock(now_s)
        self.issuer = Issuer.generate(now_s)
        self.now_s = now_s
        flash = provision.new_flash()
        identity = provision.identity_of(self.issuer, DEVICE, "", 0)
        provision.provision(flash, identity, self.issuer.issue_key_set(issued_s=now_s))
        self.board = FailingBoard(self.clock, dc_hall_1000a(), flash)
        storage = Storage(flash, self.board.random)
        self.app = App(self.board, load_identity(storage), storage)
        self.app.boot()

    def others(self) -> None:
        """Do what the app does besides its tick."""
        self.app.driver.work()
        self.app.read_serial()

    def pass_time(self, ms: int, ticks: bool) -> None:
        """Let time pass with or without the tick."""
        for _ in range(ms // STEP_MS):
            self.clock.advance(STEP_MS)
            if ticks:
                self.app.tick()
            self.others()

    def weld(self) -> None:
        """Have a token close the relay."""
        token = self.issuer.issue_token(device=DEVICE, holder=b"holder-1", issued_s=self.now_s)
        self.board.scanner.put(token_text(token).encode() + b"\r")
        self.pass_time(5_000, ticks=True)
        assert self.board.relay_closed


@pytest.fixture
def house() -> House:
    """Return a chip that has booted."""
    return House()


def test_watchdog_starves_without_the_tick(house: House) -> None:
    """S1: link, console, scanner and flash go on, the tick does not: the watchdog resets and the relay is open."""
    house.weld()
    slices = 0
    work = house.app.driver.work

    def counted() -> bool:
        nonlocal slices
        slices += 1
        return work()

    house.app.driver.work = counted  # type: ignore[method-assign]

    async def parts() -> None:
        house.board.looks = 0
        tasks = [asyncio.create_task(part) for part in (house.app._work(), house.app._serial_ports())]
        async with asyncio.timeout(PATIENCE_S):
            while slices < TURNS or house.board.looks < TURNS:  # in real time; the board's stands still
                await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    house.clock.advance(WATCHDOG_MS - 100)
    asyncio.run(parts())
    house.clock.advance(200)

    assert house.board.watch()
    assert house.board.resets[-1] == WATCHDOG_RESET
    assert not house.board.relay_closed


def test_tick_keeps_the_watchdog_fed(house: House) -> None:
    """With the tick alone nothing resets."""
    for _ in range(500):
        house.clock.advance(STEP_MS)
        house.app.tick()

    assert not house.board.watch()
    assert house.board.resets == [1]


def test_failing_tick_opens_and_ends_the_app(house: House) -> None:
    """S1: what a tick fails of reaches the caller, with the relay open and the watchdog unfed."""
    house.weld()
    house.board.broken = True
    house.clock.advance(STEP_MS)

    with pytest.raises(OSError, match="converter"):
        asyncio.run(house.app.run())

    assert not house.board.relay_closed


def test_part_lost_to_no_exception_ends_the_app(house: House) -> None:
    """S1: a part that ends by what no handler catches is noticed by the tick, which feeds the watchdog no more."""
    house.weld()
    house.board.stopping = True

    async def running() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await house.app.run()

    with pytest.raises(BoardReset, match="from the console"):
        asyncio.run(running())

    assert not house.board.relay_closed
