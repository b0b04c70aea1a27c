"""The contactor: it takes time, it can weld, and it drops out without supply."""

from weldgate_simulator.contactor import DROP_OUT_MS, PULL_IN_MS, Contactor


def test_contact_follows_its_relay_after_its_time() -> None:
    """Pull-in and drop-out take their milliseconds."""
    contactor = Contactor()

    contactor.command(True, 100)
    contactor.command(False, 500)

    moves = [contactor.closed(at) for at in (100 + PULL_IN_MS - 1, 100 + PULL_IN_MS, 500 + DROP_OUT_MS - 1)]
    assert moves == [False, True, True]
    assert not contactor.closed(500 + DROP_OUT_MS)


def test_short_pulse_moves_nothing() -> None:
    """A command taken back before the contact has moved leaves it open."""
    contactor = Contactor()

    contactor.command(True, 0)
    contactor.command(False, PULL_IN_MS - 1)

    assert contactor.next_move(0) is None
    assert not contactor.closed(1000)


def test_welded_contact_stays_closed_until_the_weld_breaks() -> None:
    """A contact welded while closed ignores its coil; when the weld breaks it drops out."""
    contactor = Contactor()
    contactor.command(True, 0)
    contactor.weld(True, 100)

    contactor.command(False, 200)
    stuck = contactor.closed(5000)
    contactor.weld(False, 6000)

    assert stuck
    assert contactor.welded is False
    assert not contactor.closed(6000 + DROP_OUT_MS)


def test_weld_of_an_open_contact_holds_it_from_its_next_closing() -> None:
    """Welding does not close a contact."""
    contactor = Contactor()

    contactor.weld(True, 0)
    before = contactor.closed(1000)
    contactor.command(True, 2000)
    closed = contactor.closed(2000 + PULL_IN_MS)
    contactor.command(False, 3000)

    assert (before, closed, contactor.closed(9000)) == (False, True, True)


def test_contact_drops_out_without_supply_and_pulls_in_with_it() -> None:
    """The coil is fed from the mains: no mains, no contact, whatever the relay says."""
    contactor = Contactor()
    contactor.command(True, 0)

    contactor.supply(False, 1000)
    gone = contactor.closed(1000 + DROP_OUT_MS)
    contactor.supply(True, 2000)

    assert not gone
    assert contactor.next_move(2000) == 2000 + PULL_IN_MS


def test_past_positions_are_remembered() -> None:
    """Samples are made late: the contact's position at an earlier time is still known."""
    contactor = Contactor()
    contactor.command(True, 0)
    contactor.command(False, 100)
    contactor.closed(1000)

    assert [contactor.closed(at) for at in (10, 50, 114, 115)] == [False, True, True, False]
    assert contactor.next_move(50) == 100 + DROP_OUT_MS
