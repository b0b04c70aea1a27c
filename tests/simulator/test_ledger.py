"""That the ledger balances what is whole and names whatever was planted in any of its three sets."""

import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package; the world stands beside them

from ledger_world import CHIPS, RECORDS, LedgerWorld

from weldgate_protocol import messages
from weldgate_protocol.pack import NO_DIGEST, Item, Pack, encode_pack
from weldgate_simulator import ledger
from weldgate_simulator.upstream import Journal

Result = tuple[int, dict[str, Any]]


@pytest.fixture
def world(tmp_path: Path) -> LedgerWorld:
    return LedgerWorld(tmp_path)


@pytest.fixture
def judge(world: LedgerWorld, capsys: pytest.CaptureFixture[str]) -> Callable[[], Result]:
    def run() -> Result:
        code = ledger.main(world.arguments())
        return code, json.loads(capsys.readouterr().out)

    return run


def test_whole_line_balances(judge: Callable[[], Result]) -> None:
    """Nothing planted: exit 0, three equal sets, refusals counted by reason."""
    code, document = judge()

    assert code == 0
    assert (document["emitted"], document["stored"], document["delivered"]) == (CHIPS * RECORDS,) * 3
    assert document["refusals"] == {"5": CHIPS * RECORDS // 2, "6": CHIPS * RECORDS // 2}
    assert document["gaps_contiguous"]
    assert document["troubles"] == []


def lose_in_flash(world: LedgerWorld) -> None:
    data = bytearray((world.flash / "1.flash").read_bytes())
    data[data.index(b"\x28F", 32) + 5] ^= 1  # its CRC fails, so the record is not there
    (world.flash / "1.flash").write_bytes(data)


def double_in_flash(world: LedgerWorld) -> None:
    data = (world.flash / "1.flash").read_bytes()
    (world.flash / "1.flash").write_bytes(data + data[:4096])


def change_in_flash(world: LedgerWorld) -> None:
    raw = ledger.read_flash(world.flash)[0].raw
    changed = raw[:-1] + bytes([raw[-1] ^ 1])
    length = len(changed).to_bytes(2, "big")
    record = b"\x00\x00" + length + crc32(changed, crc32(length)).to_bytes(4, "big") + changed
    (world.flash / "9.flash").write_bytes(b"WGS1".ljust(32, b"\xff") + record.ljust(4096 - 32, b"\xff"))


def in_store(statement: str) -> Callable[[LedgerWorld], None]:
    return lambda world: world.sql(world.store, statement)


def in_consumer(statement: str) -> Callable[[LedgerWorld], None]:
    def plant(world: LedgerWorld) -> None:
        world.loosen()
        world.sql(world.consumer, statement)

    return plant


DOUBLE_STORED = """INSERT INTO records (received_ms, kind, device, epoch, seq, type, raw)
    SELECT received_ms, kind, device, epoch, seq, type, raw FROM records WHERE idx = 7"""


def change_in_store(world: LedgerWorld) -> None:
    change(world, world.store, "records", "WHERE idx = 7")


def change_in_consumer(world: LedgerWorld) -> None:
    change(world, world.consumer, "frames", "WHERE device = 1 AND seq = 7")


def change(world: LedgerWorld, path: Path, table: str, where: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        raw = connection.execute(f"SELECT raw FROM {table} {where}").fetchone()[0]
    world.sql(path, f"UPDATE {table} SET raw = ? {where}", raw[:-1] + bytes([raw[-1] ^ 1]))


DOUBLE_DELIVERED = "INSERT INTO frames SELECT * FROM frames LIMIT 1"


@pytest.mark.parametrize(
    ("plant", "named"),
    [
        pytest.param(lose_in_flash, "invented", id="flash-loss"),
        pytest.param(double_in_flash, "duplicates", id="flash-double"),
        pytest.param(change_in_flash, "changed", id="flash-changed"),
        pytest.param(in_store("DELETE FROM records WHERE idx = 7"), "lost", id="store-loss"),
        pytest.param(in_store(DOUBLE_STORED), "duplicates", id="store-double"),
        pytest.param(change_in_store, "changed", id="store-changed"),
        pytest.param(in_consumer("DELETE FROM frames WHERE seq = 7"), "lost", id="consumer-loss"),
        pytest.param(in_consumer(DOUBLE_DELIVERED), "duplicates", id="consumer-double"),
        pytest.param(change_in_consumer, "changed", id="consumer-changed"),
    ],
)
def test_what_is_planted_is_named(
    world: LedgerWorld, judge: Callable[[], Result], plant: Callable[[LedgerWorld], None], named: str
) -> None:
    """A loss, a duplicate or a changed byte in any of the three sets: exit 1, and the report says which kind."""
    plant(world)

    code, document = judge()

    assert code == 1
    assert document[named] > 0
    assert document["troubles"]


def test_number_that_nobody_declared_is_a_hole(world: LedgerWorld, judge: Callable[[], Result]) -> None:
    """A number missing from all three sets alike is still missed."""
    world.spools[1].next_seq += 1
    world.emit(1, messages.REFUSAL, {"reason": 5, "via": 1, "count": 1})

    code, document = judge()

    assert code == 1
    assert not document["gaps_contiguous"]


def test_number_that_the_chip_declared_is_none(world: LedgerWorld, judge: Callable[[], Result]) -> None:
    """The chip's own gap record fills the hole."""
    world.spools[1].next_seq += 2
    world.emit(1, messages.GAP, {"first": RECORDS + 1, "last": RECORDS + 2, "cause": 1})

    assert judge()[0] == 0


def test_number_that_the_collector_declared_is_none(world: LedgerWorld, judge: Callable[[], Result]) -> None:
    """So does the collector's."""
    world.spools[1].next_seq += 2
    world.emit(1, messages.REFUSAL, {"reason": 5, "via": 1, "count": 1})
    world.own_gap(1, RECORDS + 1, RECORDS + 2)

    assert judge()[0] == 0


def test_own_record_that_was_not_delivered_is_missed(world: LedgerWorld, judge: Callable[[], Result]) -> None:
    """The collector's own records have to arrive too."""
    world.own_gap(1, RECORDS + 1, RECORDS + 1)
    world.sql(world.consumer, "DELETE FROM own_records")

    assert judge()[0] == 1


def test_own_record_that_is_gone_at_both_ends_is_missed(world: LedgerWorld, judge: Callable[[], Result]) -> None:
    """Nobody but the collector knows its own records; the store's count of rows does."""
    world.own_gap(1, RECORDS + 1, RECORDS + 1)
    world.own_gap(1, RECORDS + 1, RECORDS + 1)
    world.sql(world.store, "DELETE FROM records WHERE idx = (SELECT min(idx) FROM records WHERE kind = 2)")
    world.sql(world.consumer, "DELETE FROM own_records WHERE idx = (SELECT min(idx) FROM own_records)")

    assert judge()[0] == 1


def test_refusals_and_alarms_are_counted_from_records(world: LedgerWorld, judge: Callable[[], Result]) -> None:
    """A refusal stands for as many as it says; an alarm that was cleared is not raised twice."""
    world.emit(2, messages.REFUSAL, {"reason": 9, "via": 1, "count": 4})
    for state in (1, 2):
        world.emit(2, messages.ALARM, {"alarm": 150, "id": bytes(8), "state": state, "latched": True})

    _, document = judge()

    assert document["refusals"]["9"] == 4
    assert document["alarms"] == [{"alarm": 150, "latched": True, "chips": 1}]


def test_row_with_the_bytes_of_another_is_told(world: LedgerWorld, capsys: pytest.CaptureFixture[str]) -> None:
    """A row whose columns and bytes disagree can't be balanced: exit 2."""
    world.sql(world.store, "UPDATE records SET seq = 99 WHERE idx = 7")

    assert ledger.main(world.arguments()) == 2
    assert "bytes of another record" in capsys.readouterr().err


def test_missing_database_is_told(world: LedgerWorld, capsys: pytest.CaptureFixture[str]) -> None:
    """What can't be read is exit 2 and one line, and nothing is made in its place."""
    world.store.unlink()

    assert ledger.main(world.arguments()) == 2
    assert "ledger:" in capsys.readouterr().err
    assert not world.store.exists()


def test_conflict_at_the_consumer_is_a_change(world: LedgerWorld, judge: Callable[[], Result]) -> None:
    """What the consumer set aside as a conflict counts."""
    with closing(sqlite3.connect(world.consumer)) as connection:
        device, epoch, seq, raw = connection.execute("SELECT device, epoch, seq, raw FROM frames LIMIT 1").fetchone()
    other = raw[:-1] + bytes([raw[-1] ^ 1])
    world.sql(world.consumer, "INSERT INTO conflicts VALUES (?, ?, ?, ?)", device, epoch, seq, other)

    assert judge()[0] == 1


def test_row_that_was_delivered_twice_is_a_duplicate(world: LedgerWorld, judge: Callable[[], Result]) -> None:
    """The consumer keeps each identity once; that one came in two packs is on its record, and counts."""
    row = ledger.read_store(world.store)[0][0]
    journal = Journal(world.consumer, bytes(32))
    pack = Pack(b"s" * 16, "u", 1, NO_DIGEST, [Item(1, 1, 1, row.raw)])
    journal.take([encode_pack(pack, bytes(32))], lambda _receipt: None)
    journal.close()

    code, document = judge()

    assert (code, document["duplicates"]) == (1, 1)
