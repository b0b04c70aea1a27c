"""The simulated board: what the firmware sees of it, and what the world can do to it."""

from array import array

import pytest

from weldgate_firmware.meter import dc_hall_1000a
from weldgate_simulator.arc import Envelope, Phase, SensorState, Stretch
from weldgate_simulator.board import POWER_ON, SOFT_RESET, WATCHDOG_RESET, Board, BoardReset
from weldgate_simulator.clock import TICKS_PERIOD_MS, VirtualClock
from weldgate_simulator.contactor import DROP_OUT_MS, PULL_IN_MS
from weldgate_simulator.flash import VirtualFlash

WELD = Envelope([Stretch(0, Phase.ARC, 200_000)], 1 << 40)


@pytest.fixture
def clock() -> VirtualClock:
    """Return virtual time at its start."""
    return VirtualClock()


@pytest.fixture
def board(clock: VirtualClock) -> Board:
    """Return a board with a DC sensor that has just been switched on."""
    return Board(clock, dc_hall_1000a(), VirtualFlash(4), seed=5)


def mean_a(board: Board) -> int:
    """Read what waits and return its mean in amperes, rounded to 10 A."""
    buffer = array("H", bytes(2000))
    count = board.sample(buffer)
    return round((sum(buffer[:count]) / count / 16 - 2048) * 20 / 32 / 10) * 10


def step(board: Board, clock: VirtualClock, ms: int) -> None:
    """Let time pass with the watchdog fed, as the gate's tick does."""
    for _ in range(ms // 10):
        clock.advance(10)
        board.feed()


def test_board_starts_open_after_power_on(board: Board) -> None:
    """A new board has its relay open, no LED, and says it was switched on."""
    assert (board.relay_closed, board.led_on, board.buzzer_on, board.mirror()) == (False, False, False, False)
    assert board.reset_cause() == POWER_ON
    assert board.watch() is False


def test_relay_moves_are_dated_and_the_mirror_follows(board: Board, clock: VirtualClock) -> None:
    """The history holds each change once with its time; the mirror contact lags by the contactor."""
    step(board, clock, 100)
    board.relay(True)
    board.relay(True)
    at_once = board.mirror()
    step(board, clock, PULL_IN_MS)
    later = board.mirror()
    board.relay(False)

    assert (at_once, later) == (False, True)
    assert list(board.relay_changes) == [(100, True), (100 + PULL_IN_MS, False)]


def test_board_without_mirror_contact_says_none(clock: VirtualClock) -> None:
    """Where no mirror contact is fitted there is no answer, rather than a false one."""
    assert Board(clock, dc_hall_1000a(), VirtualFlash(4), has_mirror=False).mirror() is None


def test_current_flows_only_through_a_closed_contact(board: Board, clock: VirtualClock) -> None:
    """The welder's current shows in the samples from the contact's closing on."""
    board.play(WELD)
    step(board, clock, 100)
    before = mean_a(board)
    board.relay(True)
    step(board, clock, PULL_IN_MS)
    mean_a(board)
    step(board, clock, 100)

    assert (before, mean_a(board)) == (0, 200)


def test_bypass_flows_past_an_open_relay_from_its_own_time(board: Board, clock: VirtualClock) -> None:
    """A bypass shows with the mirror open, and not in the samples taken before it."""
    step(board, clock, 100)
    board.bypass(100_000)
    before = mean_a(board)
    step(board, clock, 100)

    assert (before, mean_a(board), board.mirror()) == (0, 100, False)


def test_welded_contact_carries_current_with_the_relay_open(board: Board, clock: VirtualClock) -> None:
    """A welded contact stays closed, its mirror says so, and current goes on."""
    board.play(WELD)
    board.relay(True)
    step(board, clock, 100)
    board.weld_contact(True)
    board.relay(False)
    step(board, clock, 100)
    mean_a(board)
    step(board, clock, 100)

    assert (board.relay_closed, board.mirror(), mean_a(board)) == (False, True, 200)


def test_broken_sensor_reads_a_rail(board: Board, clock: VirtualClock) -> None:
    """Unplugged it reads 0, shorted full scale, mended its zero."""
    buffer = array("H", bytes(32))
    seen = []
    for state in (SensorState.OPEN, SensorState.SHORTED, SensorState.WHOLE):
        board.sensor(state)
        step(board, clock, 10)
        board.sample(buffer)
        seen.append((min(buffer) >> 4, max(buffer) >> 4))

    assert seen[:2] == [(0, 0), (4095, 4095)]
    assert 2040 < seen[2][0] <= seen[2][1] < 2056


def test_unfed_watchdog_resets_at_its_deadline(board: Board, clock: VirtualClock) -> None:
    """A hang opens the relay 1500 ms after the last feeding, whenever anybody looks, and says watchdog."""
    board.relay(True)
    board.led(True)
    step(board, clock, 1000)

    clock.advance(2000)
    stopped = board.watch()

    assert stopped
    assert board.relay_changes[-1] == (2500, False)
    assert (board.reset_cause(), board.resets, board.led_on) == (WATCHDOG_RESET, [POWER_ON, WATCHDOG_RESET], False)
    assert board.ticks_ms() == 500
    assert board.watch() is False


def test_hung_firmware_finds_the_board_gone(board: Board, clock: VirtualClock) -> None:
    """Firmware that comes back after the watchdog's time can't feed it, read samples or close the relay."""
    clock.advance(1500)

    for call in (board.feed, lambda: board.relay(True), lambda: board.sample(array("H"))):
        with pytest.raises(BoardReset):
            call()
    assert not board.relay_closed
    assert board.watch()
    board.feed()


def test_reset_stops_the_firmware(board: Board, clock: VirtualClock) -> None:
    """The firmware's own reset does not return; no `except Exception` holds it."""
    step(board, clock, 20)
    board.relay(True)
    with pytest.raises(BoardReset) as caught:
        board.reset()

    assert not isinstance(caught.value, Exception)
    assert (board.relay_closed, board.reset_cause(), board.watch()) == (False, SOFT_RESET, True)


def test_power_cut_opens_relay_and_contact(board: Board, clock: VirtualClock) -> None:
    """Without mains nothing flows, bypass included, and the chip is dead until power returns; then it starts anew."""
    board.play(WELD)
    board.relay(True)
    board.bypass(50_000)
    step(board, clock, 100)
    board.cut_power()
    with pytest.raises(BoardReset):
        board.feed()
    died = (board.powered, board.watch(), board.supply_ok(), board.relay_closed)
    clock.advance(5000)
    closed = board.contactor.closed(100 + DROP_OUT_MS)
    board.restore_power()

    assert died == (False, True, False, False)
    assert not closed
    assert (board.powered, board.reset_cause(), board.resets) == (True, POWER_ON, [POWER_ON, POWER_ON])
    assert board.watch() is False
    assert board.ticks_ms() == 0


def test_failing_supply_leaves_time_for_a_farewell(board: Board, clock: VirtualClock) -> None:
    """On stored energy the chip runs 5 s, sees that the supply is gone, and no current flows."""
    board.bypass(100_000)
    step(board, clock, 100)
    mean_a(board)
    board.fail_supply()
    step(board, clock, 4990)
    alive = (board.powered, board.supply_ok(), mean_a(board))
    clock.advance(10)

    assert alive == (True, False, 0)
    assert board.watch()
    assert not board.powered


def test_supply_that_returns_in_time_restarts_nothing(board: Board, clock: VirtualClock) -> None:
    """A dip of the mains is seen and survived; the second failure counts from its own beginning."""
    board.fail_supply()
    step(board, clock, 4000)
    board.restore_power()
    step(board, clock, 4000)
    board.fail_supply()
    step(board, clock, 4000)

    assert (board.powered, board.watch(), board.resets) == (True, False, [POWER_ON])


def test_board_that_died_unseen_is_reported_when_power_returns(board: Board, clock: VirtualClock) -> None:
    """Nobody looked while it was dead: watch still says that what ran is gone."""
    board.fail_supply()
    clock.advance(60_000)
    board.restore_power()

    assert board.watch()
    assert board.resets[-1] == POWER_ON


def test_dead_board_can_lose_nothing_more(board: Board, clock: VirtualClock) -> None:
    """A second cut and a failing supply change nothing on a board that is dead."""
    board.cut_power()
    board.watch()
    board.cut_power()
    board.fail_supply()
    clock.advance(60_000)

    assert (board.powered, board.watch(), board.resets) == (False, False, [POWER_ON])


def test_serial_ports_carry_bytes_both_ways(board: Board) -> None:
    """Scanner and console deliver what was put in; what the firmware says can be taken once."""
    board.scanner.put(b"WG1:ABC")
    board.console.put(b"state\n")
    scanned, typed = bytearray(16), bytearray(16)

    moved = (board.scanner_read(scanned), board.console_read(typed))
    board.console_write(b"LOCKED\n")

    assert moved == (7, 6)
    assert (bytes(scanned[:7]), bytes(typed[:6])) == (b"WG1:ABC", b"state\n")
    assert (board.console_take(), board.console_take()) == (b"LOCKED\n", b"")


def test_inputs_are_as_the_world_set_them(board: Board) -> None:
    """Button, case switch and network."""
    board.button_down, board.case_shut, board.network = True, False, False

    assert (board.button(), board.case_closed(), board.network_up("any", "any")) == (True, False, False)


def test_lights_are_remembered(board: Board, clock: VirtualClock) -> None:
    """LED changes have their time; the buzzer sounds or not."""
    board.led(True)
    board.led(True)
    board.buzzer(True)
    step(board, clock, 50)
    board.led(False)

    assert list(board.led_changes) == [(0, True), (50, False)]
    assert board.buzzer_on


def test_ticks_wrap_and_begin_again_at_a_start(clock: VirtualClock) -> None:
    """A board may start just before its ticks wrap."""
    board = Board(clock, dc_hall_1000a(), VirtualFlash(4), ticks=TICKS_PERIOD_MS - 10)

    clock.advance(15)

    assert board.ticks_ms() == 5


def test_random_repeats_with_the_seed_and_not_after_a_reset(clock: VirtualClock) -> None:
    """Two boards of a seed draw the same bytes; a restart goes on, so no nonce comes twice."""
    first, again = (Board(clock, dc_hall_1000a(), VirtualFlash(4), seed=3) for _ in range(2))
    drawn = first.random(16)
    first.cut_power()
    first.restore_power()

    assert drawn == again.random(16)
    assert first.random(16) not in (drawn, b"")
