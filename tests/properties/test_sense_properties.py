"""Whatever the samples are, the detector raises nothing, counts nothing twice and strikes only on lasting current."""

from array import array

from hypothesis import given, settings
from hypothesis import strategies as st

from weldgate_firmware.meter import FAULT_WINDOWS, WINDOW_MS, Meter, SensorProfile, ac_ct_100a, dc_hall_1000a
from weldgate_firmware.sense import (
    ARC_END_MS,
    ARC_ENDED,
    ARC_GAP_MS,
    ARC_PAUSED,
    ARC_STRUCK,
    OVER_CURRENT,
    WINDOW_READ,
    Sense,
)

PROFILES = st.sampled_from([dc_hall_1000a(), ac_ct_100a()])
PIECES = st.lists(st.lists(st.integers(0, 65535), max_size=64), max_size=60)
# Current held for a number of windows, in milliamps: around the thresholds and far from them.
LEVELS = st.sampled_from([0, 2_000, 20_000, 22_000, 29_000, 31_000, 120_000, 819_000])
HELD = st.lists(st.tuples(LEVELS, st.integers(1, 40)), max_size=40)
WINDOW_SAMPLES = 32
STRIKE_WINDOWS = 8
MEDIAN_WINDOWS = 15
EVENTS = WINDOW_READ | ARC_STRUCK | ARC_PAUSED | ARC_ENDED | 16 | 32 | OVER_CURRENT


def hold(detector: Sense, current_ma: int) -> int:
    """Feed one window of a constant current and return what happened."""
    profile = detector.meter.profile
    sample = (profile.bias + round(current_ma * 32 / profile.gain)) << 4
    return detector.feed(array("H", [sample] * WINDOW_SAMPLES), WINDOW_SAMPLES, False)


@given(profile=PROFILES, pieces=PIECES, relay_open=st.booleans(), closings=st.sets(st.integers(0, 59)))
def test_any_samples_are_survived(
    profile: SensorProfile, pieces: list[list[int]], relay_open: bool, closings: set[int]
) -> None:
    """Random samples raise nothing; sums never fall, never go negative and never exceed the time fed."""
    detector = Sense(Meter(profile))
    fed = before = 0
    for number, piece in enumerate(pieces):
        happened = detector.feed(array("H", piece), len(piece), relay_open)
        if number in closings:
            detector.finish()

        fed += len(piece)
        session = detector.session
        assert happened & ~EVENTS == 0
        assert before <= session.arc_ms == session.ms <= fed // WINDOW_SAMPLES * WINDOW_MS
        before = session.arc_ms
        assert min(session.charge_mah, session.peak_ma, session.strikes, session.arcs, session.mean_ma()) >= 0
        assert session.arcs <= session.strikes
        assert detector.arc.arc_ms <= session.arc_ms
        assert detector.current_ma >= 0
        assert abs(detector.meter.zero_eighths) <= profile.zero_span_ma * 256 // profile.gain
        assert detector.telemetry.ms == fed // WINDOW_SAMPLES * WINDOW_MS


@given(profile=PROFILES, stream=st.lists(st.integers(0, 65535), max_size=800), cuts=st.lists(st.integers(1, 70)))
def test_division_into_ticks_changes_no_sum(profile: SensorProfile, stream: list[int], cuts: list[int]) -> None:
    """The same samples in any pieces give the same sums and events."""
    whole, pieced = Sense(Meter(profile)), Sense(Meter(profile))
    samples = array("H", stream)
    expected = whole.feed(samples, len(samples), False)

    happened = place = 0
    for cut in [*cuts, len(stream)]:
        piece = samples[place : place + cut]
        place += len(piece)
        if piece:
            happened |= pieced.feed(piece, len(piece), False)

    assert happened == expected
    for name in ("session", "telemetry", "arc"):
        assert vars(getattr(pieced, name)) == vars(getattr(whole, name))


@given(held=HELD)
@settings(max_examples=200)
def test_strike_needs_lasting_current(held: list[tuple[int, int]]) -> None:
    """ARC_STRUCK comes only when 8 of the last 15 windows were at or above on_ma, and never twice without a break."""
    detector = Sense(Meter(dc_hall_1000a()))
    profile = detector.meter.profile
    readings: list[int] = []
    for current_ma, windows in held:
        for _ in range(windows):
            was_burning = detector.burning
            happened = hold(detector, current_ma)
            readings.append(detector.meter.reading_ma)

            hot = sum(reading >= profile.on_ma for reading in readings[-MEDIAN_WINDOWS:])
            if happened & ARC_STRUCK:
                assert not was_burning
                assert hot >= STRIKE_WINDOWS
            elif hot >= STRIKE_WINDOWS:
                assert was_burning


@given(held=HELD)
@settings(max_examples=200)
def test_pause_and_end_need_their_silence(held: list[tuple[int, int]]) -> None:
    """A pause has 300 ms and an end 2 s of windows below off_ma behind it, and each segment ends once."""
    detector = Sense(Meter(dc_hall_1000a()))
    off_ma = detector.meter.profile.off_ma
    quiet_ms = ended = 0
    for current_ma, windows in [*held, (0, 120)]:
        for _ in range(windows):
            happened = hold(detector, current_ma)

            if detector.burning and detector.meter.reading_ma >= off_ma:
                quiet_ms = 0
            elif detector.meter.reading_ma < off_ma:
                quiet_ms += WINDOW_MS
            if happened & ARC_PAUSED:
                assert quiet_ms >= ARC_GAP_MS
                assert not detector.arc_on
            if happened & ARC_ENDED:
                assert quiet_ms >= ARC_END_MS
                ended += 1
    assert not detector.arc_on
    assert ended == detector.session.arcs


@given(windows=st.integers(1, 7), current_ma=st.integers(30_000, 1_200_000), before=st.integers(0, 20))
def test_burst_below_eight_windows_is_nothing(windows: int, current_ma: int, before: int) -> None:
    """A burst of up to 140 ms, however strong, is no strike, no over-current and no arc time."""
    detector = Sense(Meter(dc_hall_1000a()))
    seen = 0
    for current in [0] * before + [current_ma] * windows + [0] * 30:
        seen |= hold(detector, current)

    assert seen == WINDOW_READ
    assert (detector.session.strikes, detector.session.arc_ms) == (0, 0)


@given(level=st.sampled_from([0, 65535]), good=st.integers(0, 60), bad=st.integers(0, 60))
def test_failed_sensor_never_reads_a_current(level: int, good: int, bad: int) -> None:
    """At a rail the reading is 0 from the first window, and the fault stands from the third."""
    detector = Sense(Meter(dc_hall_1000a()))
    for _ in range(good):
        hold(detector, 150_000)
    for number in range(bad):
        detector.feed(array("H", [level] * WINDOW_SAMPLES), WINDOW_SAMPLES, False)

        assert detector.meter.reading_ma == 0
        assert (detector.meter.fault != 0) == (number + 1 >= FAULT_WINDOWS)
