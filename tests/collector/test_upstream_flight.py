"""Which rows are on their way: the cursor, refusals, records that end connections."""

from hypothesis import given
from hypothesis import strategies as st

from weldgate_collector.upstream.carrier import Refused
from weldgate_collector.upstream.document import Row
from weldgate_collector.upstream.flight import Flight


def rows(*indices: int) -> list[Row]:
    """Return rows with these numbers."""
    return [Row(1, 0, index, b"") for index in indices]


def numbers(found: list[Row]) -> list[int]:
    """Return the numbers of rows."""
    return [row.idx for row in found]


def test_cursor_moves_over_what_is_settled_without_a_hole() -> None:
    """Rows settle in any order, and the cursor waits for the oldest."""
    flight = Flight(10, 3)

    assert numbers(flight.read(rows(11, 12, 13), 13)) == [11, 12, 13]
    flight.done([12, 13])
    assert flight.through == 10
    flight.done([11])
    assert flight.through == 13


def test_rows_not_wanted_and_rows_deleted_are_passed_over() -> None:
    """Where nothing is on its way the cursor follows what was read."""
    flight = Flight(0, 3)

    assert flight.read([], 500) == []
    assert flight.through == 500
    flight.read(rows(700), 900)
    assert flight.through == 500
    flight.done([700])
    assert flight.through == 900


def test_window_bounds_what_is_away() -> None:
    """No more rows are read than the window has room for."""
    flight = Flight(0, 3)
    flight.read(rows(1, 2, 3), 3)

    assert flight.may_read(5) == 2
    assert flight.may_read(3) == 0


def test_refused_row_is_tried_again_while_others_go_on_then_leaves() -> None:
    """A pause that doubles, bounded tries, and the rest is not held up."""
    flight = Flight(0, 3)
    flight.read(rows(1, 2), 2)
    assert flight.refused([Refused(1, "no")], 0.0) == []
    flight.done([2])
    assert flight.due(0.1, 9, False) == []
    assert flight.first_due_s() == 0.25
    assert numbers(flight.due(0.25, 9, False)) == [1]
    assert flight.due(9.0, 9, False) == []
    assert flight.refused([Refused(1, "no")], 1.0) == []
    assert numbers(flight.due(1.5, 9, False)) == [1]
    leaving = flight.refused([Refused(1, "never")], 2.0)

    assert [(row.idx, tries, reason) for row, tries, reason in leaving] == [(1, 3, "never")]
    assert flight.through == 0
    assert flight.due(99.0, 9, False) == []
    flight.set_aside(1)
    assert flight.through == 2


def test_row_that_can_not_be_set_aside_is_tried_on() -> None:
    """When no more records may be set aside it stays, and holds the cursor."""
    flight = Flight(0, 1)
    flight.read(rows(1), 1)
    flight.refused([Refused(1, "no")], 0.0)
    flight.keep(1, 0.0)

    assert flight.through == 0
    assert flight.due(29.0, 9, False) == []
    assert numbers(flight.due(30.0, 9, False)) == [1]
    flight.done([1])
    assert flight.through == 1


def test_end_of_a_connection_offers_again_what_is_not_settled() -> None:
    """What was proven beyond a hole is not sent twice."""
    flight = Flight(0, 3)
    flight.read(rows(1, 2, 3), 3)
    flight.done([2])
    flight.ended(0.0, "gone")

    assert flight.next == 1
    assert numbers(flight.read(rows(1, 2, 3), 3)) == [1, 3]


def drive(flight: Flight, poison: set[int], last: int, connections: int) -> list[int]:
    """Play a far end whose connection ends with each poisonous row; return what is to be set aside."""
    leaving: list[int] = []
    now_s = 0.0
    for _ in range(connections):
        for _ in range(10 * last):
            now_s += 1.0
            offered = flight.due(now_s, 9, flight.next <= last)
            count = flight.may_read(100)
            if count and flight.next <= last:
                upto = min(last, flight.next + count - 1)
                offered += flight.read(rows(*range(flight.next, upto + 1)), upto)
            if poison & set(numbers(offered)):
                break
            flight.done(numbers(offered))
        for row, _, _ in flight.ended(now_s, "closed"):
            leaving.append(row.idx)
            flight.set_aside(row.idx)
    return leaving


def test_row_that_ends_connections_is_found_out() -> None:
    """It alone is set aside, and everything else gets through."""
    flight = Flight(0, 3)

    assert drive(flight, {3}, 20, 12) == [3]
    assert flight.through == 20
    assert flight.limit != 1


def test_two_rows_that_end_connections_are_found_out() -> None:
    """Also when one follows the other."""
    flight = Flight(0, 3)

    assert drive(flight, {5, 11}, 20, 30) == [5, 11]
    assert flight.through == 20


def test_far_end_that_takes_nothing_sets_nothing_aside() -> None:
    """Where every row ends the connection it is not the rows' fault."""
    flight = Flight(0, 3)

    assert drive(flight, set(range(1, 21)), 20, 200) == []
    assert flight.through == 0


def test_far_end_that_comes_back_gets_everything() -> None:
    """After a week of ended connections rows go out many at a time again."""
    flight = Flight(0, 3)
    drive(flight, set(range(1, 21)), 20, 50)

    assert drive(flight, set(), 20, 1) == []
    assert flight.through == 20
    assert flight.limit != 1


@given(st.data())
def test_cursor_never_passes_a_row_that_is_not_settled(data: st.DataObject) -> None:
    """Whatever happens in whatever order, the cursor is the end of an unbroken row of settled ones."""
    flight = Flight(0, 2)
    settled: set[int] = set()
    away: set[int] = set()
    leaving: set[int] = set()
    now_s = 0.0
    for _ in range(data.draw(st.integers(1, 40))):
        now_s += 1.0
        event = data.draw(st.sampled_from(["read", "done", "refuse", "due", "end", "aside"]))
        chosen = data.draw(st.sets(st.sampled_from(sorted(away)))) if away else set()
        if event == "read" and (count := flight.may_read(8)):
            fresh = flight.read(rows(*range(flight.next, flight.next + count)), flight.next + count - 1)
            assert not settled & set(numbers(fresh))
            away |= set(numbers(fresh))
        elif event == "done":
            flight.done(sorted(chosen))
            settled |= chosen
            away -= chosen
        elif event == "refuse":
            leaving |= {row.idx for row, _, _ in flight.refused([Refused(one, "no") for one in sorted(chosen)], now_s)}
            away -= chosen
        elif event == "due":
            away |= set(numbers(flight.due(now_s, 8, data.draw(st.booleans()))))
        elif event == "end":
            leaving |= {row.idx for row, _, _ in flight.ended(now_s, "closed")}
            away.clear()
        elif event == "aside" and leaving:
            index = leaving.pop()
            flight.set_aside(index)
            settled.add(index)
        assert set(range(1, flight.through + 1)) <= settled
