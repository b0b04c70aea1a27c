"""What a fleet is made of: members that repeat with the seed, and a halt that leaves nothing behind."""

import asyncio
import time
from contextlib import suppress

import pytest

from weldgate_firmware import app
from weldgate_firmware.storage import Storage
from weldgate_issuer import Issuer
from weldgate_protocol import cbor
from weldgate_simulator.broker import free_port
from weldgate_simulator.fleet import Fleet, Plan, new_board


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer.generate(int(time.time()))


@pytest.fixture(scope="module")
def key_set(issuer: Issuer) -> bytes:
    return issuer.issue_key_set(issued_s=int(time.time()))


def make(issuer: Issuer, key_set: bytes, chips: int, seed: int = 1) -> Fleet:
    return Fleet(issuer, key_set, Plan(tuple(range(10, 10 + chips)), "127.0.0.1", free_port(), seed))


def test_members_repeat_with_the_seed(issuer: Issuer, key_set: bytes) -> None:
    """The same seed draws the same boards, another one others."""

    def drawn(seed: int) -> list[bytes]:
        return [member.board.random(4) for member in make(issuer, key_set, 3, seed).members.values()]

    assert drawn(1) == drawn(1) != drawn(2)


def test_every_seventh_welder_is_to_be_refused(issuer: Issuer, key_set: bytes) -> None:
    """And each kind of wrong token has its turn."""
    kinds = [member.wrong_kind for member in make(issuer, key_set, 21).members.values()]

    assert [kind for kind in kinds if kind] == ["forged", "expired", "other machine"]
    assert kinds.index("forged") == 6


def test_board_is_born_with_its_telemetry(issuer: Issuer, key_set: bytes) -> None:
    """The firmware takes the setting from the slot that provisioning wrote."""
    board = new_board(issuer, key_set, 10, "127.0.0.1", 1, 1, telemetry_s=3)
    storage = Storage(board.flash, board.random)
    running = app.App(board, app.load_identity(storage), storage)

    running.boot()

    assert running.driver.config.telemetry_s == 3
    assert cbor.decode(storage.slots.load(2) or b"") == {1: 1, 2: {2: 3}}


def test_halted_chip_leaves_its_flash_alone(issuer: Issuer, key_set: bytes) -> None:
    """Power and flash are gone at once, and the status counts it out."""
    fleet = make(issuer, key_set, 2)

    async def scene() -> bytes:
        running = asyncio.create_task(fleet.run())
        member = fleet.members[10]
        async with asyncio.timeout(10):
            while member.mark()[2] < 3:  # what a first boot records
                await asyncio.sleep(0.01)
        member.halt()
        image = member.flash.image()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        return image

    image = asyncio.run(scene())

    assert fleet.members[10].flash.image() == image
    assert fleet.members[10].mark() == ("", 0, 0, 0)
    assert fleet.status()["online"] == 0
