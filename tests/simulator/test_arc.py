"""The welder: recorded envelopes, drawn ones, and the samples made of them."""

import math
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest

from weldgate_firmware.meter import Meter, SensorProfile, ac_ct_100a, dc_hall_1000a
from weldgate_firmware.sense import Sense
from weldgate_simulator.arc import (
    BX1_PRIMARY,
    GMAW_OUTPUT,
    MACHINES,
    ZX7_PRIMARY,
    Envelope,
    Machine,
    Phase,
    SensorState,
    Stretch,
    Welder,
    load_run,
    model,
    run_names,
)
from weldgate_simulator.ledger_arc import TOLERANCE_S, expected_run

TRACE = Path(__file__).parents[1] / "data" / "weld-trace-gmaw.csv"


def fill(welder: Welder, first: int, count: int, contact: bool = True) -> "array[int]":
    """Return ``count`` samples from number ``first`` on."""
    out = array("H", bytes(2 * count))
    welder.fill(out, 0, first, count, contact)
    return out


def steady(current_ma: int) -> Envelope:
    """Return a current that never changes."""
    return Envelope([Stretch(0, Phase.ARC, current_ma)], 1 << 40)


def listen(profile: SensorProfile, envelope: Envelope, phase_ms: int = 0) -> Sense:
    """Weld ``envelope`` behind a closed contact, ``phase_ms`` after a window's edge, and return the detector."""
    welder, detector = Welder(profile, seed=1), Sense(Meter(profile))
    welder.play(envelope, phase_ms)
    per_tick = profile.samples_per_tick
    for tick in range((envelope.duration_ms + 2600) // 10):
        detector.feed(fill(welder, tick * per_tick, per_tick), per_tick, False)
    return detector


def test_trace_holds_thirteen_runs() -> None:
    """Run names come in file order."""
    names = run_names(TRACE)

    assert (len(names), names[0]) == (13, "good_weld_block1")


def test_run_holds_each_reading_for_its_time() -> None:
    """The overlap run is 195 readings of 1/9.02 s: 21.6 s; reading 53 is 252.51 A."""
    run = load_run(TRACE, "overlap_")

    assert run.duration_ms == 195 * 100_000 // 902
    assert run.at(53 * 100_000 // 902) == (53 * 100_000 // 902, Phase.RECORDED, 252_510)
    assert run.at(run.duration_ms).phase == Phase.OFF
    assert run.at(-1).phase == Phase.OFF


def test_unknown_or_ambiguous_run_is_refused() -> None:
    """The error names the runs there are."""
    with pytest.raises(ValueError, match=r"2 runs begin with 'good_weld_'.*overlap"):
        load_run(TRACE, "good_weld_")
    with pytest.raises(ValueError, match="0 runs"):
        load_run(TRACE, "none")


@pytest.mark.parametrize("name", run_names(TRACE))
@pytest.mark.parametrize("phase_ms", [0, 9, 17])
def test_detector_agrees_with_the_file(name: str, phase_ms: int) -> None:
    """Arc seconds, strikes and charge of each recorded run are the file's own, wherever a window begins."""
    expected = expected_run(TRACE, name)

    session = listen(dc_hall_1000a(), load_run(TRACE, name), phase_ms).session

    assert session.arc_ms / 1000 == pytest.approx(expected.arc_s, abs=TOLERANCE_S)
    assert (session.strikes, session.arcs) == (expected.strikes, len(expected.arcs))
    assert session.charge_mah == pytest.approx(expected.charge_mah, rel=0.01)
    assert session.peak_ma / 1000 <= expected.peak_a + 3


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_model_repeats_with_its_seed_and_is_in_order(machine: Machine) -> None:
    """The same seed draws the same work; stretches follow one another; every current is in the machine's range."""
    drawn = model(11, machine, arcs=5)

    assert drawn.stretches == model(11, machine, arcs=5).stretches
    assert drawn.stretches != model(12, machine, arcs=5).stretches
    starts = [stretch.start_ms for stretch in drawn.stretches]
    assert starts == sorted(set(starts))
    assert {Phase.OFF, Phase.IDLE, Phase.NO_LOAD, Phase.ARC, Phase.ELECTRODE_CHANGE} <= {
        stretch.phase for stretch in drawn.stretches
    }
    most = machine.arc_ma[1] * max(1100, machine.short_permille) // 1000
    assert max(stretch.current_ma for stretch in drawn.stretches) <= most


@pytest.mark.parametrize("seed", range(6))
def test_drawn_electrodes_are_found(seed: int) -> None:
    """Each electrode of an inverter's drawn work is a segment, its burning time found within 100 ms an electrode."""
    work = model(seed, ZX7_PRIMARY, arcs=3)
    ends = [*[stretch.start_ms for stretch in work.stretches[1:]], work.duration_ms]
    hot = (Phase.ARC, Phase.STRIKE, Phase.SHORT)
    burnt_ms = sum(
        end - stretch.start_ms for stretch, end in zip(work.stretches, ends, strict=True) if stretch.phase in hot
    )

    session = listen(ac_ct_100a(), work).session

    assert session.arcs == 3
    assert session.arc_ms == pytest.approx(burnt_ms, abs=300)
    failed = sum(stretch.phase == Phase.STRIKE for stretch in work.stretches)
    assert session.strikes == 3 + failed


def test_transformer_without_load_passes_for_an_arc_on_the_primary() -> None:
    """DOMAIN's trap stands: a BX1's no-load current is above a small arc's, so amplitude there says 'powered' only."""
    assert BX1_PRIMARY.no_load_ma[0] > ac_ct_100a().on_ma
    assert ac_ct_100a().source == 2


@pytest.mark.parametrize("make", [dc_hall_1000a, ac_ct_100a])
@pytest.mark.parametrize("current_ma", [5_000, 40_000, 60_000])
def test_samples_carry_their_current(make: Callable[[], SensorProfile], current_ma: int) -> None:
    """The mean (DC) or true RMS (AC) of whole cycles, computed in floating point, is the current within 2 %."""
    profile = make()
    welder = Welder(profile, seed=2)
    welder.play(steady(current_ma), 0)

    counts = [(sample >> 4) - profile.bias for sample in fill(welder, 0, 320)]

    level = sum(counts) / 320 if profile.mode == 2 else math.sqrt(sum(count * count for count in counts) / 320)
    assert level * profile.gain / 32 == pytest.approx(current_ma, rel=0.02, abs=200)


def test_division_into_calls_changes_no_sample() -> None:
    """Sample k is the same whoever asks for how many, across a change of current and the end of the noise."""
    welder = Welder(dc_hall_1000a(), seed=4)
    welder.play(load_run(TRACE, "spatter"), 100)

    whole = fill(welder, 9000, 3000)
    pieces = array("H")
    for at in range(9000, 12000, 7):
        pieces += fill(welder, at, min(7, 12000 - at))

    assert pieces == whole


def test_seed_makes_the_noise() -> None:
    """Two seeds differ, one repeats; with the contact open there is noise and no current."""
    first, again, other = (fill(Welder(dc_hall_1000a(), seed), 0, 100) for seed in (1, 1, 2))

    assert first == again
    assert first != other
    assert all(abs((sample >> 4) - 2048) <= 2 for sample in first)


def test_open_contact_stops_work_but_not_a_bypass() -> None:
    """Current through an open contact is the bypass's; without mains there is none at all."""
    welder = Welder(dc_hall_1000a())
    welder.play(steady(100_000), 0)
    seen = [welder.current_ma(10, True), welder.current_ma(10, False)]
    welder.bypass_ma = 20_000
    seen += [welder.current_ma(10, True), welder.current_ma(10, False)]
    welder.mains = False

    assert seen == [100_000, 0, 100_000, 20_000]
    assert welder.current_ma(10, True) == 0


def test_huge_current_stops_at_the_converters_end() -> None:
    """What is beyond the sensor's scale is clipped, both ways, and never wraps."""
    welder = Welder(ac_ct_100a())
    welder.play(steady(5_000_000), 0)

    samples = fill(welder, 0, 32)

    assert (min(samples), max(samples)) == (0, 65535)


def test_offset_shifts_a_dc_sensor() -> None:
    """The Hall sensor's error shows with no current: 4 A are 6.4 counts."""
    welder = Welder(dc_hall_1000a(), seed=1)
    welder.offset_ma = 4_000

    samples = fill(welder, 0, 992, contact=False)

    assert sum(sample >> 4 for sample in samples) / 992 - 2048 == pytest.approx(6.4, abs=0.5)


def test_broken_sensor_gives_a_rail_whatever_flows() -> None:
    """Open and shorted sensors know nothing of the current."""
    welder = Welder(dc_hall_1000a())
    welder.play(steady(200_000), 0)
    welder.sensor = SensorState.OPEN
    unplugged = fill(welder, 0, 16)
    welder.sensor = SensorState.SHORTED

    assert set(unplugged) == {0}
    assert set(fill(welder, 0, 16)) == {65535}


def test_gmaw_model_is_what_the_trace_shows() -> None:
    """The output-side machine's arc currents are those of the recorded runs, 64 to 344 A."""
    assert GMAW_OUTPUT.arc_ma == (64_000, 344_000)
