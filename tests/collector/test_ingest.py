"""Pure rules of ingest: lines, and what a repeat becomes."""

from weldgate_collector.ingest import Lines, conflict_row, conflicts, frame_row, gap_row
from weldgate_collector.store import Record
from weldgate_collector.store.highs import line_key
from weldgate_protocol.collector_record import decode_record

DEVICE, EPOCH = (7).to_bytes(8, "big"), b"\0\0\0\1"


def raw(seq: int, filling: bytes = b"a") -> bytes:
    """Return something that looks like a frame where ingest looks."""
    return b"\x2e\x45" + DEVICE + EPOCH + seq.to_bytes(4, "big") + filling * 16


def test_line_begins_with_the_store() -> None:
    """What the store holds is committed."""
    lines = Lines([(7, 1, 40)])

    assert lines.committed(DEVICE, EPOCH) == 40
    assert lines.committed(DEVICE, b"\0\0\0\2") is None
    assert len(lines) == 1


def test_only_committed_numbers_are_told() -> None:
    """What is in the queue is in line, but no chip is told of it before its commit."""
    lines = Lines([(7, 1, 40)])
    key = line_key(7, 1)

    lines.advance(key, 50)
    lines.advance(key, 60)
    assert (lines.high(key), lines.committed(DEVICE, EPOCH)) == (60, 40)
    lines.commit(key, 50)
    assert lines.committed(DEVICE, EPOCH) == 50
    lines.commit(key, 60)
    assert lines.committed(DEVICE, EPOCH) == 60


def test_new_line_stays_unknown_until_its_first_commit() -> None:
    """An epoch whose first rows are not durable yet is still new to us."""
    lines = Lines()
    key = line_key(7, 1)

    lines.advance(key, 3)
    assert lines.committed(DEVICE, EPOCH) is None
    lines.commit(key, 3)
    assert lines.committed(DEVICE, EPOCH) == 3


def test_equal_repeat_makes_no_row() -> None:
    """A repeat with the stored bytes is harmless."""
    stored = Record(1, *frame_row(raw(5), 7, 1, 5, 0))

    assert conflicts([(5, raw(5))], [stored], 9) == []


def test_repeat_with_other_bytes_is_one_conflict() -> None:
    """Other bytes are kept once, however often they come."""
    stored = Record(1, *frame_row(raw(5), 7, 1, 5, 0))

    rows = conflicts([(5, raw(5, b"b")), (5, raw(5, b"b")), (5, raw(5, b"c"))], [stored], 9)

    assert [decode_record(row[6]).frame for row in rows] == [raw(5, b"b"), raw(5, b"c")]
    assert conflicts([(5, raw(5, b"b"))], [stored, Record(2, *conflict_row(raw(5, b"b"), 9))], 10) == []


def test_frame_that_turns_up_after_its_gap_is_stored() -> None:
    """A number that was declared lost and comes after all is a frame, not a conflict."""
    assert conflicts([(5, raw(5))], [], 9) == [frame_row(raw(5), 7, 1, 5, 9)]


def test_gap_row_stands_for_its_last_number() -> None:
    """The high-water rebuilt from rows counts declared numbers too."""
    row = gap_row(DEVICE, EPOCH, 3, 9, 1)

    assert row[:6] == (1, 2, 7, 1, 9, 1)
    assert decode_record(row[6]).first == 3
