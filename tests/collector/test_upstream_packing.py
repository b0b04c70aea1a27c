"""Packs from rows: bounded, chained, rebuilt byte for byte, and forgotten with the store id."""

from pathlib import Path

from weldgate_collector.store import Reader, Writer
from weldgate_collector.upstream.packing import Packer, renew_store, save_boundaries, save_cursor
from weldgate_protocol.pack import NO_DIGEST, PACK_MAX, decode_pack, pack_digest

KEY = b"k" * 32


def filled(path: Path, rows: int, size: int) -> Writer:
    """Return a writer whose store has rows of ``size`` bytes."""
    writer = Writer(path, 0, 1000, lambda _index: None)
    writer.start()
    writer.put([(1, 1, 5, 1, seq, 0x45, bytes([seq % 256]) * size) for seq in range(1, rows + 1)])
    writer.submit(lambda _connection: None).result(20)
    return writer


def test_packs_are_bounded_chained_and_complete(tmp_path: Path) -> None:
    """Every row is in one pack, in order; each pack names the digest of the one before."""
    path = tmp_path
    writer = filled(path, 900, 1000)
    with Reader(path) as reader:
        packer = Packer(reader, "u", KEY)
        packs = []
        while (built := packer.build(writer.committed)) is not None:
            packs.append(built)
    writer.stop()

    decoded = [decode_pack(built.data, KEY) for built in packs]
    assert len(packs) > 3
    assert all(len(built.data) <= PACK_MAX for built in packs)
    assert [pack.number for pack in decoded] == list(range(1, len(packs) + 1))
    assert [pack.previous for pack in decoded] == [NO_DIGEST, *(pack_digest(built.data) for built in packs[:-1])]
    assert [item.index for pack in decoded for item in pack.items] == list(range(1, 901))


def test_rebuilt_pack_is_byte_identical_after_restart(tmp_path: Path) -> None:
    """Stored boundaries make the same bytes, another key does not."""
    path = tmp_path
    writer = filled(path, 10, 100)
    with Reader(path) as reader:
        packer = Packer(reader, "u", KEY)
        first = packer.build(4)
        second = packer.build(10)
        assert first is not None
        assert second is not None
        boundaries = [(pack.number, pack.first, pack.last, pack.digest) for pack in (first, second)]
        writer.submit(lambda connection: save_boundaries(connection, packer.store_id, "u", boundaries)).result(20)
        # A commit that failed and is in the file all the same: the work runs again.
        kept = writer.submit(lambda connection: save_boundaries(connection, packer.store_id, "u", boundaries))
        assert kept.result(20)
    writer.stop()

    with Reader(path) as reader:
        again = Packer(reader, "u", KEY)
        assert (again.built, again.last_row) == (2, 10)
        rebuilt = again.rebuild(2)
        assert rebuilt is not None
        assert rebuilt.data == second.data
        assert Packer(reader, "u", b"o" * 32).rebuild(2) is None
        assert again.rebuild(3) is None


def test_renewed_store_forgets_its_packs_once(tmp_path: Path) -> None:
    """A new id starts everything from the oldest row, and whoever still has the old id can't write under it."""
    path = tmp_path
    writer = filled(path, 3, 100)
    with Reader(path) as reader:
        old = reader.store_id()
        writer.submit(lambda connection: save_boundaries(connection, old, "u", [(1, 1, 3, b"d" * 32)])).result(20)
        writer.submit(lambda connection: save_cursor(connection, old, "u", 1, b"b" * 8)).result(20)
        assert reader.cursor("u") == (1, b"b" * 8)

        writer.submit(lambda connection: renew_store(connection, old)).result(20)
        new = reader.store_id()
        writer.submit(lambda connection: renew_store(connection, old)).result(20)
        late = writer.submit(lambda connection: save_boundaries(connection, old, "u", [(2, 1, 3, b"d" * 32)])).result(
            20
        )

        assert new != old
        assert reader.store_id() == new
        assert not late
        assert (reader.last_pack("u"), reader.cursor("u")) == (0, (0, b""))
    writer.stop()
