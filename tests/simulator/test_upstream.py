"""The counting consumer: D3, line and order, doubled packs, conflicts, restarts."""

import sqlite3
from pathlib import Path
from typing import Any

from weldgate_protocol.pack import NO_DIGEST, Item, Pack, decode_receipt, encode_pack, pack_digest
from weldgate_simulator.upstream import Journal, connect

KEY, STORE = b"k" * 32, b"s" * 16


def raw(seq: int, filling: bytes = b"a") -> bytes:
    """Return bytes with an identity where a frame has it."""
    return b"\x2e\x45" + bytes(7) + b"\7" + b"\0\0\0\1" + seq.to_bytes(4, "big") + filling * 16


def packs(count: int, per_pack: int = 3, key: bytes = KEY) -> list[bytes]:
    """Return chained packs of frames 1 and up."""
    made: list[bytes] = []
    for number in range(1, count + 1):
        first = (number - 1) * per_pack + 1
        items = [Item(1, 5, index, raw(index)) for index in range(first, first + per_pack)]
        previous = pack_digest(made[-1]) if made else NO_DIGEST
        made.append(encode_pack(Pack(STORE, "u", number, previous, items), key))
    return made


def through(receipts: list[bytes]) -> list[int]:
    """Return what the receipts say."""
    return [decode_receipt(receipt, KEY).through for receipt in receipts]


def test_d3_receipt_follows_commit(tmp_path: Path) -> None:
    """D3: a receipt is published only after the COMMIT, under synchronous=FULL in WAL, of what it names."""
    log: list[str] = []

    class Recording(sqlite3.Connection):
        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            cursor = super().execute(sql, *args)
            log.append(sql)
            return cursor

        def executemany(self, sql: str, *args: Any) -> sqlite3.Cursor:
            log.append(sql)
            return super().executemany(sql, *args)

    opened: list[sqlite3.Connection] = []

    def seam(path: str) -> sqlite3.Connection:
        opened.append(connect(path, Recording))
        return opened[-1]

    journal = Journal(tmp_path / "c.sqlite3", KEY, seam)
    mode = opened[0].execute("PRAGMA synchronous").fetchone()[0], opened[0].execute("PRAGMA journal_mode").fetchone()[0]
    log.clear()
    seen: list[bytes] = []

    def publish(receipt: bytes) -> None:
        other = sqlite3.connect(tmp_path / "c.sqlite3")
        held = other.execute("SELECT through, (SELECT count(*) FROM frames) FROM stores").fetchone()
        other.close()
        assert log[-1] == "COMMIT"
        assert held == (2, 6)
        seen.append(receipt)

    journal.take(packs(2), publish)
    journal.close()

    assert mode == (2, "wal")
    assert through(seen) == [2]


def test_d3_failed_commit_publishes_nothing(tmp_path: Path) -> None:
    """When the commit fails there is no receipt, and the packs are applied when they come again."""
    failing = [True]

    class Failing(sqlite3.Connection):
        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            if sql == "COMMIT" and failing[0]:
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(sql, *args)

    journal = Journal(tmp_path / "c.sqlite3", KEY, lambda path: connect(path, Failing))
    receipts: list[bytes] = []
    try:
        journal.take(packs(1), receipts.append)
    except sqlite3.OperationalError:
        failing[0] = False
    assert receipts == []

    journal.take(packs(1), receipts.append)
    counts = journal.counts()
    journal.close()
    assert through(receipts) == [1]
    assert (counts["frames"], counts["doubled"]) == (3, 0)


def test_packs_out_of_line_are_answered_not_applied(tmp_path: Path) -> None:
    """A pack too early, again, or after another store's digest changes nothing but is answered."""
    journal = Journal(tmp_path / "c.sqlite3", KEY)
    receipts: list[bytes] = []
    first, second, third = packs(3)
    foreign = encode_pack(Pack(STORE, "u", 2, b"x" * 32, [Item(1, 5, 99, raw(99))]), KEY)

    for data in (third, first, first, foreign, second, third):
        journal.take([data], receipts.append)

    counts = journal.counts()
    journal.close()
    assert through(receipts) == [0, 1, 1, 1, 2, 3]
    assert (counts["frames"], counts["doubled"]) == (9, 0)


def test_pack_under_another_key_is_refused_unanswered(tmp_path: Path) -> None:
    """Whoever has no key gets no word."""
    journal = Journal(tmp_path / "c.sqlite3", KEY)
    receipts: list[bytes] = []

    journal.take([packs(1, key=b"o" * 32)[0], b"noise"], receipts.append)

    assert (receipts, journal.counts()["refused"]) == ([], 2)
    journal.close()


def test_doubled_and_conflicting_frames_are_told_apart(tmp_path: Path) -> None:
    """The same frame under a new store id counts as doubled once; other bytes are kept as a conflict."""
    journal = Journal(tmp_path / "c.sqlite3", KEY)
    journal.take(packs(1), lambda _receipt: None)
    items = [Item(1, 5, 1, raw(1)), Item(1, 5, 2, raw(2, b"z")), Item(2, 5, 3, b"own")]

    journal.take([encode_pack(Pack(b"n" * 16, "u", 1, NO_DIGEST, items), KEY)], lambda _receipt: None)

    counts = journal.counts()
    journal.close()
    assert counts == {"frames": 3, "conflicts": 1, "own_records": 1, "doubled": 1, "refused": 0}


def test_own_record_that_comes_twice_is_counted(tmp_path: Path) -> None:
    """A collector's own record in two packs of one store is kept once and counted as doubled."""
    journal = Journal(tmp_path / "c.sqlite3", KEY)
    first = encode_pack(Pack(b"n" * 16, "u", 1, NO_DIGEST, [Item(2, 5, 1, b"own")]), KEY)
    again = encode_pack(Pack(b"n" * 16, "u", 2, pack_digest(first), [Item(2, 5, 1, b"own")]), KEY)

    journal.take([first, again], lambda _receipt: None)

    counts = journal.counts()
    journal.close()
    assert (counts["own_records"], counts["doubled"]) == (1, 1)


def test_restart_has_a_new_boot_and_says_where_it_stands(tmp_path: Path) -> None:
    """A restarted consumer tells every store it knows, under a new boot id."""
    journal = Journal(tmp_path / "c.sqlite3", KEY)
    journal.take(packs(2), lambda _receipt: None)
    journal.close()

    again = Journal(tmp_path / "c.sqlite3", KEY)
    receipts = again.receipts()
    again.close()

    assert through(receipts) == [2]
    assert again.boot != journal.boot
    assert decode_receipt(receipts[0], KEY).boot == again.boot
