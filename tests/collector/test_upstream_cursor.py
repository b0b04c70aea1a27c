"""The cursor's rules for receipts, silence and rewinds: pure."""

from collections.abc import Callable

from weldgate_collector.upstream.cursor import ADVANCED, IGNORED, MISMATCH, REWOUND, STALLED, Cursor
from weldgate_protocol.pack import NO_DIGEST, Receipt

STORE, BOOT, OTHER_BOOT = b"s" * 16, b"1" * 8, b"2" * 8


def digest(number: int) -> bytes | None:
    """Return the digest of a pack that was built."""
    return bytes([number]) * 32 if number <= 20 else None


def receipt(
    through: int, boot: bytes = BOOT, store: bytes = STORE, of: Callable[[int], bytes | None] = digest
) -> Receipt:
    """Return a receipt as a consumer would write it."""
    return Receipt(boot, store, "u", through, of(through) or b"x" * 32 if through else NO_DIGEST)


def sent(through: int, up_to: int) -> Cursor:
    """Return a cursor with packs in flight."""
    cursor = Cursor(STORE, through, BOOT, 20, 5.0)
    for number in range(through + 1, up_to + 1):
        cursor.published(number, 0.0)
    return cursor


def test_receipt_advances() -> None:
    """M-PACK-06: only a receipt moves the cursor."""
    cursor = sent(0, 8)

    assert cursor.receipt(receipt(5), digest, 1.0) == ADVANCED
    assert (cursor.through, cursor.sent) == (5, 8)


def test_lower_receipt_of_the_same_boot_is_late() -> None:
    """M-PACK-06: within one boot a lower number changes nothing."""
    cursor = sent(5, 8)

    assert cursor.receipt(receipt(3), digest, 1.0) == IGNORED
    assert cursor.through == 5


def test_lower_receipt_of_another_boot_rewinds() -> None:
    """A restored platform is sent everything after what it holds."""
    cursor = sent(9, 12)

    assert cursor.receipt(receipt(3, OTHER_BOOT), digest, 1.0) == REWOUND
    assert (cursor.through, cursor.sent) == (3, 3)
    assert cursor.receipt(receipt(0, BOOT), digest, 1.0) == REWOUND
    assert cursor.through == 0


def test_wrong_digest_is_a_mismatch() -> None:
    """A store that was copied back shows by the digest, or by a receipt past its end."""
    assert sent(0, 8).receipt(receipt(5, of=lambda _n: b"z" * 32), digest, 1.0) == MISMATCH
    assert sent(0, 8).receipt(receipt(21), digest, 1.0) == MISMATCH


def test_receipt_for_another_store_is_ignored() -> None:
    """A late receipt from before the store id was renewed says nothing about this one."""
    assert sent(0, 8).receipt(receipt(5, store=b"o" * 16), digest, 1.0) == IGNORED


def test_stalled_consumer_is_sent_the_window_again() -> None:
    """A consumer that says where it stands while packs are in flight has missed one."""
    cursor = sent(5, 9)

    assert cursor.receipt(receipt(5), digest, 1.0) == STALLED
    assert cursor.sent == 5
    cursor.published(6, 1.1)
    assert cursor.receipt(receipt(5), digest, 1.2) == STALLED
    assert cursor.sent == 6


def test_silence_resends_once_then_probes_with_growing_patience() -> None:
    """A dead consumer is not flooded: all once, then one pack at a time; its first word ends that."""
    cursor = sent(0, 8)

    assert not cursor.timed_out(4.9)
    assert cursor.timed_out(5.0)
    assert (cursor.sent, cursor.probing) == (0, False)
    cursor.published(1, 5.0)
    assert not cursor.timed_out(14.9)
    assert cursor.timed_out(15.0)
    assert cursor.probing
    assert cursor.may_send(64)
    cursor.published(1, 15.0)
    assert not cursor.may_send(64)
    assert cursor.receipt(receipt(1), digest, 16.0) == ADVANCED
    assert cursor.may_send(64)
    assert not cursor.probing


def test_nothing_in_flight_never_times_out() -> None:
    """An idle upstream is no trouble."""
    assert not Cursor(STORE, 8, BOOT, 20, 5.0).timed_out(1e9)


def test_window_bounds_what_is_in_flight() -> None:
    """Several packs fly, not all."""
    assert sent(0, 8).may_send(9)
    assert not sent(0, 8).may_send(8)


def test_new_connection_sends_from_the_last_receipt() -> None:
    """What the broker held is gone with it."""
    cursor = sent(3, 8)

    cursor.restart(7.0)

    assert cursor.sent == 3
