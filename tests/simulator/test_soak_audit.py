"""The soak's judge: each thing that must not be is planted once, and found."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from weldgate_collector.ingest import gap_row
from weldgate_collector.store import Row, Writer, list_segments
from weldgate_protocol.pack import ITEM_FRAME, NO_DIGEST, Item, Pack, encode_pack
from weldgate_simulator.load import make_chips
from weldgate_simulator.soak_audit import Settled, came_again, kept, settled
from weldgate_simulator.soak_chips import RingChip
from weldgate_simulator.upstream import Journal

KEY = bytes(32)
FRAMES, RING = 30, 10
NOW_MS = 1_780_000_000_000


class World:
    """One chip, a store and a consumer that agree; ``judge`` says whether they still do."""

    def __init__(self, folder: Path) -> None:
        self.chip = RingChip(make_chips(1, bytes(32))[0], 1_000)
        self.chip.record(FRAMES)
        self.chip.acknowledged = self.chip.reached = FRAMES
        self.chip._ring = RING
        self.line = self.chip.device.to_bytes(8, "big"), self.chip.epoch.to_bytes(4, "big")
        self.store, self.journal = folder / "data", folder / "consumer.sqlite3"
        self.raws = [self.raw(seq) for seq in range(1, FRAMES + 1)]
        writer = Writer(self.store, 0, 100, lambda _index: None)
        writer.start()
        writer.put([self.row(raw) for raw in self.raws])
        writer.stop()
        journal = Journal(self.journal, KEY)
        items = [Item(ITEM_FRAME, NOW_MS, number, raw) for number, raw in enumerate(self.raws, 1)]
        journal.take([encode_pack(Pack(bytes(16), "u", 1, NO_DIGEST, items), KEY)], lambda _receipt: None)
        journal.close()

    def raw(self, seq: int) -> bytes:
        """Return header, payload and tag of a frame the chip recorded."""
        inner = self.chip._held[seq][1:-1].replace(b"\x7d\x02", b"\x7e").replace(b"\x7d\x01", b"\x7d")
        return inner[:-2]

    def row(self, raw: bytes) -> Row:
        """Return its row."""
        seq = int.from_bytes(raw[14:18], "big")
        return (NOW_MS, 1, self.chip.device, self.chip.epoch, seq, raw[1], raw)

    def put(self, *rows: Row) -> None:
        """Store more."""
        writer = Writer(self.store, 0, 100, lambda _index: None)
        writer.start()
        writer.put(list(rows))
        writer.stop()

    def sql(self, statement: str, *values: object, consumer: bool = False) -> None:
        """Change a database behind everybody's back."""
        connection = sqlite3.connect(self.journal if consumer else list_segments(self.store)[0].path)
        with connection:
            connection.execute(statement, values)
        connection.close()

    def declare(self, first: int, last: int) -> None:
        """Declare numbers lost, at both ends."""
        row = gap_row(*self.line, first, last, NOW_MS)
        self.put(row)
        self.sql(
            "INSERT INTO own_records VALUES (?, ?, ?, ?)", self.store_id(), FRAMES + 1, NOW_MS, row[6], consumer=True
        )

    def store_id(self) -> bytes:
        """Return the store's id."""
        connection = sqlite3.connect(list_segments(self.store)[0].path)
        found: bytes = connection.execute("SELECT value FROM meta WHERE key = 'store_id'").fetchone()[0]
        connection.close()
        return found

    def judge(self, may_declare: int = 0, *, held: bool = False) -> Settled:
        """Judge the three sets."""
        return settled([self.chip], self.store, self.journal, came_again(self.journal), may_declare, held)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return one where all is well."""
    return World(tmp_path)


def test_sound_sets_are_sound(world: World) -> None:
    """Nothing is found where nothing is wrong, and the counts are the identities'."""
    assert world.judge() == Settled(FRAMES, FRAMES, FRAMES, 0, [], [])
    assert kept([world.chip], world.store) == []


def _drop_row(world: World) -> None:
    world.sql("DELETE FROM records WHERE idx = 7")


def _change_byte(world: World) -> None:
    raw = world.raws[6]
    world.sql("UPDATE records SET raw = ? WHERE idx = 7", raw[:-1] + bytes([raw[-1] ^ 1]))


def _acknowledge_more(world: World) -> None:
    world.chip.acknowledged += 1


@pytest.mark.parametrize("plant", [_drop_row, _change_byte, _acknowledge_more])
def test_lost_before_a_chip_sends_again_is_found(world: World, plant: Callable[[World], None]) -> None:
    """What was acknowledged must be in the store at the moment of a kill, byte for byte."""
    plant(world)

    assert [trouble.identities for trouble in kept([world.chip], world.store)] == [1]


def _not_delivered(world: World) -> None:
    world.sql("DELETE FROM frames WHERE seq = 7", consumer=True)


def _delivered_otherwise(world: World) -> None:
    world.sql("UPDATE frames SET raw = ? WHERE seq = 7", world.raws[6][:-1] + b"\0", consumer=True)


def _invented(world: World) -> None:
    raw = world.raws[0][:14] + (FRAMES + 5).to_bytes(4, "big") + world.raws[0][18:]
    world.put(world.row(raw))


def _own_not_delivered(world: World) -> None:
    world.put((NOW_MS, 2, 0, 0, 0, 4, b"\xa1\x01\x04"))


@pytest.mark.parametrize(
    "plant",
    [_drop_row, _change_byte, _acknowledge_more, _not_delivered, _delivered_otherwise, _invented, _own_not_delivered],
)
def test_lost_is_found(world: World, plant: Callable[[World], None]) -> None:
    """Every way in which one set does not follow from the one before."""
    plant(world)

    assert world.judge().lost


def _stored_twice(world: World) -> None:
    world.put(world.row(world.raws[6]))
    world.sql("UPDATE records SET idx = idx")


def _two_versions(world: World) -> None:
    values = world.chip.device, world.chip.epoch, 7, world.raws[6]
    world.sql("INSERT INTO conflicts VALUES (?, ?, ?, ?)", *values, consumer=True)


def _came_again(world: World) -> None:
    world.sql("INSERT INTO counts VALUES ('doubled', 3)", consumer=True)


@pytest.mark.parametrize("plant", [_stored_twice, _two_versions, _came_again])
def test_doubled_is_found(world: World, plant: Callable[[World], None]) -> None:
    """An identity is there once, and comes once."""
    plant(world)

    assert world.judge().doubled


def test_declared_only_where_something_was_lost(world: World) -> None:
    """A gap stands for what is not stored and what the chip no longer holds, and only after files were harmed."""
    world.sql("DELETE FROM records WHERE idx = 7")
    world.declare(7, 7)

    assert world.judge(may_declare=1).lost == []
    assert world.judge().lost  # nothing gave a reason
    assert kept([world.chip], world.store, 1) == []
    assert kept([world.chip], world.store) != []


def test_gap_over_what_is_stored_is_found(world: World) -> None:
    """It would hide a loss later."""
    world.declare(7, 7)

    assert "though it is stored" in world.judge(may_declare=1).lost[0].text


def test_gap_over_what_the_chip_holds_is_found(world: World) -> None:
    """The chip would have sent it again; below a high-water that can't go back it is another matter."""
    world.sql("DELETE FROM records WHERE seq = ?", FRAMES - 1)
    world.declare(FRAMES - 1, FRAMES - 1)

    assert "though the chip holds it" in world.judge(may_declare=1).lost[0].text
    assert world.judge(may_declare=1, held=True).lost == []
