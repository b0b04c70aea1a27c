"""Packs: applied once, in order, answered for after the commit; identities once; other bytes kept as evidence."""

import pytest
from django.db import DatabaseError

from weldgate_platform.ingest import journal as journal_module
from weldgate_platform.ingest.journal import Journal
from weldgate_platform.ingest.models import Clash, Kept, Own, Presence, SeenRange, Session, Store
from weldgate_protocol import messages
from weldgate_protocol.pack import (
    ITEM_FRAME,
    ITEM_RECORD,
    NO_DIGEST,
    Item,
    Pack,
    Receipt,
    decode_receipt,
    encode_pack,
    pack_digest,
)

from .packs import ARC, DEVICE, KEY, SECOND, START, STOP, STORE, TELEMETRY, Packer, presence, raw


@pytest.fixture
def journal() -> Journal:
    return Journal({"site": KEY})


def answer(journal: Journal, *packs: bytes) -> Receipt:
    """Hand packs over; return the one receipt."""
    (receipt,) = journal.take("site", packs)
    return decode_receipt(receipt, KEY)


def frames(first: int, last: int) -> list[bytes]:
    """Return refusals with numbers in line."""
    return [raw(messages.REFUSAL, seq, {"reason": 6, "via": 1, "count": 1}) for seq in range(first, last + 1)]


def test_packs_in_line_are_applied_and_answered_for(journal) -> None:
    """With number and digest of the last one, under this boot."""
    packer = Packer()
    one, two = packer.pack(frames(1, 3)), packer.pack(frames(4, 5))

    first, second = answer(journal, one), answer(journal, two)

    assert (first.through, first.digest) == (1, pack_digest(one))
    assert (second.boot, second.store_id, second.through, second.digest) == (journal.boot, STORE, 2, pack_digest(two))
    assert list(Kept.objects.order_by("seq").values_list("seq", flat=True)) == [1, 2, 3, 4, 5]
    assert bytes(Kept.objects.get(seq=4).raw) == frames(4, 4)[0]
    assert SeenRange.objects.values_list("device", "first", "last").get() == (0x10, 1, 5)


def test_pack_that_came_again_or_too_early_changes_nothing_and_is_told_where_we_stand(journal) -> None:
    """Also where it does not follow the digest held."""
    packer, other = Packer(), Packer()
    one, _two, three = packer.pack(frames(1, 1)), packer.pack(frames(2, 2)), packer.pack(frames(3, 3))
    other.pack(frames(7, 7))
    foreign = other.pack(frames(8, 8))
    answer(journal, one)

    for late in (one, three, foreign):
        assert answer(journal, late).through == 1

    assert Kept.objects.count() == 1


def test_packs_in_any_order_at_once(journal) -> None:
    """What is in line by its place in the heap is applied, the rest comes again."""
    packer = Packer()
    packs = [packer.pack(frames(number, number)) for number in range(1, 4)]

    assert answer(journal, packs[1], packs[0], packs[2]).through == 1
    assert answer(journal, *packs).through == 3


def test_forged_pack_is_counted_and_not_answered(journal) -> None:
    """Under another key, or cut."""
    good = Packer().pack(frames(1, 1))

    assert journal.take("site", [Packer(key=bytes(32)).pack(frames(1, 1)), good[:-1], b""]) == []
    assert journal.refused == 3
    assert not Kept.objects.exists()


def test_identity_is_counted_once_over_stores_packs_and_repeats(journal) -> None:
    """A collector whose store was restored sends everything again under a new id."""
    answer(journal, Packer().pack([*frames(1, 3), *frames(2, 2)]))

    again = answer(journal, Packer(store=bytes(16)).pack(frames(1, 4)))

    assert again.through == 1
    assert Kept.objects.count() == 4
    assert journal.doubled == 4
    assert not Clash.objects.exists()


def test_other_bytes_of_one_identity_are_kept_beside(journal) -> None:
    """Once each; what was first stays."""
    packer = Packer()
    first = frames(1, 1)[0]
    other = raw(messages.REFUSAL, 1, {"reason": 7, "via": 1, "count": 1})
    third = raw(messages.REFUSAL, 1, {"reason": 8, "via": 1, "count": 1})

    answer(journal, packer.pack([first, third]), packer.pack([other, other]))

    assert bytes(Kept.objects.get().raw) == first
    assert {bytes(one.raw) for one in Clash.objects.all()} == {other, third}


def test_telemetry_is_seen_but_not_kept(journal) -> None:
    """It stays in the collectors' segments."""
    answer(journal, Packer().pack([raw(messages.TELEMETRY, 1, TELEMETRY), *frames(2, 2)]))

    assert Kept.objects.get().seq == 2
    assert SeenRange.objects.values_list("first", "last").get() == (1, 2)


def test_collectors_records_are_known_by_store_and_index(journal) -> None:
    """The latest presence stands; unreadable ones are counted and stop nothing."""
    answer(journal, Packer().pack(records=[presence(True), presence(False), b"\xff"]))

    assert Own.objects.count() == 2
    assert Presence.objects.get(device=int.from_bytes(DEVICE, "big")).online is False
    assert journal.malformed == 1


def test_nothing_is_answered_for_that_is_not_committed(journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure half way leaves neither rows nor `through`; the same pack is applied afterwards."""
    one = Packer().pack(frames(1, 3))

    def fail(_frames: object) -> None:
        raise DatabaseError("disk")

    with monkeypatch.context() as patch:
        patch.setattr(journal_module, "apply_frames", fail)
        with pytest.raises(DatabaseError):
            journal.take("site", [one])
    assert not Store.objects.exists()
    assert not Kept.objects.exists()
    assert not SeenRange.objects.exists()

    assert answer(journal, one).through == 1


def test_new_boot_tells_where_it_stands(journal) -> None:
    """After a restart, of each store; a collector's alone; a boot id of its own."""
    one = Packer().pack(frames(1, 1))
    answer(journal, one)

    again = Journal({"site": KEY, "other": bytes(32)})

    (receipt,) = again.receipts("site")
    found = decode_receipt(receipt, KEY)
    assert (found.boot, found.through, found.digest) == (again.boot, 1, pack_digest(one))
    assert again.boot != journal.boot
    assert again.receipts("other") == []


def test_unknown_store_is_told_to_begin(journal) -> None:
    """A platform restored from an older copy asks for what it lacks."""
    packer = Packer()
    packer.pack(frames(1, 1))

    found = answer(journal, packer.pack(frames(2, 2)))

    assert (found.through, found.digest) == (0, NO_DIGEST)


def test_session_is_read_off_its_frames(journal) -> None:
    """In the transaction that keeps them."""
    answer(journal, Packer().pack([
        raw(messages.SESSION_START, 1, START), raw(messages.ARC, 2, ARC), raw(messages.SESSION_STOP, 3, STOP),
    ]))  # fmt: skip

    one = Session.objects.get()
    assert (one.token, one.arcs, one.arc_ms, one.cause) == ("0102030405060708", 1, 9000, 120)


def test_times_and_numbers_that_no_column_holds_are_counted_and_stop_nothing(journal) -> None:
    """A pack has 64 bits for each, a column 63: what a mad collector says must not end the thread that takes packs."""
    items = [Item(ITEM_FRAME, 1 << 63, 5, frames(1, 1)[0]), Item(ITEM_FRAME, SECOND * 1000, 6, frames(2, 2)[0])]
    late = [Item(ITEM_RECORD, SECOND * 1000, 1 << 63, presence(online=True))]
    one = encode_pack(Pack(STORE, "platform", 1, NO_DIGEST, items), KEY)
    two = encode_pack(Pack(STORE, "platform", 2, pack_digest(one), late), KEY)

    assert answer(journal, one, two).through == 2

    assert journal.malformed == 2
    assert Kept.objects.get().seq == 2
    assert not Own.objects.exists()
