"""The welder: how much current flows when, and what the sensor's converter makes of it.

An *envelope* is a list of stretches of constant current, either a recorded run (one stretch a reading) or drawn from a
seed with the phases of manual welding that no record shows: idle, no-load, failed strikes, arcs, electrode changes,
a short. The *waveform* turns it into the 16-bit samples that a profile's sensor would give at 50 Hz. Synthetic, all of
it but the recorded readings: ripple, noise and the AC shapes are plausible, not measured.

The same seed gives the same samples, in any division into calls.
"""

import csv
import math
import random
from array import array
from bisect import bisect_right
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from weldgate_firmware.meter import AC_RMS, TICKS_A_WINDOW, SensorProfile

__all__ = [
    "BX1_PRIMARY",
    "GMAW_OUTPUT",
    "MACHINES",
    "TRACE_CENTIHERTZ",
    "ZX7_PRIMARY",
    "Envelope",
    "Machine",
    "Phase",
    "SensorState",
    "Stretch",
    "Welder",
    "load_run",
    "model",
    "run_names",
]

TRACE_CENTIHERTZ = 902  # readings in 100 s; of the aligned video: 195 rows in 21.61 s (data README)
ADC_TOP = 4095  # 12 bits
TICKS_A_SECOND = 100
NOISE_CYCLES = 31  # length of the noise, in mains cycles: prime, so it does not beat with the envelope
NOISE_COUNTS = 2
RIPPLE_PERMILLE = 30  # six-pulse rectifier under load, about
COLUMN = "Primary Weld Current"  # amperes on the output side, whatever its name says (data README)


class Phase(IntEnum):
    """What the machine is doing."""

    OFF = 0
    IDLE = 1
    NO_LOAD = 2
    STRIKE = 3
    ARC = 4
    ELECTRODE_CHANGE = 5
    SHORT = 6
    RECORDED = 7


class SensorState(IntEnum):
    """Whether the sensor is whole: unplugged it reads 0, shorted to its supply full scale."""

    WHOLE = 0
    OPEN = 1
    SHORTED = 2


class Stretch(NamedTuple):
    """A constant current from ``start_ms`` of the envelope until the next stretch."""

    start_ms: int
    phase: Phase
    current_ma: int


class Machine(NamedTuple):
    """What one kind of welding machine draws where the sensor sits, as ranges in milliamps and milliseconds."""

    name: str
    idle_ma: tuple[int, int]
    no_load_ma: tuple[int, int]
    arc_ma: tuple[int, int]
    short_permille: int  # current of an electrode stuck to the work, against the arc's
    arc_ms: tuple[int, int]
    change_ms: tuple[int, int]


# DOMAIN section 5's starting values; the stick's times are shortened to 1/10 so that a minute shows several arcs.
GMAW_OUTPUT = Machine("gmaw-output", (0, 4200), (0, 1500), (64000, 344000), 1500, (2500, 9000), (2500, 5000))
ZX7_PRIMARY = Machine("zx7-primary", (100, 500), (300, 900), (10000, 40000), 1300, (6000, 9000), (2500, 6000))
BX1_PRIMARY = Machine("bx1-primary", (0, 0), (10000, 20000), (22000, 60000), 1800, (6000, 9000), (2500, 6000))
MACHINES = (GMAW_OUTPUT, ZX7_PRIMARY, BX1_PRIMARY)


class Envelope:
    """Current over time: stretches in order of their start, then nothing from ``duration_ms`` on."""

    def __init__(self, stretches: list[Stretch], duration_ms: int) -> None:
        self.stretches = stretches
        self.duration_ms = duration_ms
        self._starts = [stretch.start_ms for stretch in stretches]

    def at(self, at_ms: int) -> Stretch:
        """Return the stretch at ``at_ms``; OFF before the first and after the end."""
        place = bisect_right(self._starts, at_ms) - 1
        if place < 0 or at_ms >= self.duration_ms:
            return Stretch(at_ms, Phase.OFF, 0)
        return self.stretches[place]

    def until(self, at_ms: int) -> int:
        """Return when the stretch at ``at_ms`` ends, a time past ``at_ms`` in any case."""
        if at_ms >= self.duration_ms:
            return at_ms + 1000
        place = bisect_right(self._starts, at_ms)
        return self._starts[place] if place < len(self._starts) else self.duration_ms


def run_names(path: Path) -> list[str]:
    """Return the names of the runs in a trace file, in file order."""
    with path.open(encoding="utf-8", newline="") as rows:
        return list(dict.fromkeys(row["Run"] for row in csv.DictReader(rows)))


def load_run(path: Path, run: str) -> Envelope:
    """Read one recorded run; each reading is held until the next.

    Args:
        path: the trace file (tests/data/weld-trace-gmaw.csv).
        run: full name of the run, or its beginning where that is unique.

    Raises:
        ValueError: no run of that name, or several.
    """
    names = [name for name in run_names(path) if name.startswith(run)]
    if len(names) != 1:
        raise ValueError(f"{len(names)} runs begin with {run!r}, need exactly one of: {', '.join(run_names(path))}")
    with path.open(encoding="utf-8", newline="") as rows:
        readings = [round(float(row[COLUMN]) * 1000) for row in csv.DictReader(rows) if row["Run"] == names[0]]
    edges = [k * 100_000 // TRACE_CENTIHERTZ for k in range(len(readings) + 1)]
    held = [Stretch(edges[k], Phase.RECORDED, reading) for k, reading in enumerate(readings)]
    return Envelope(held, edges[-1])


def model(seed: int, machine: Machine = ZX7_PRIMARY, arcs: int = 3) -> Envelope:
    """Draw a stretch of manual work: idle, then ``arcs`` electrodes, some with a failed strike or a short before them.

    Args:
        seed: the same seed draws the same work.
        machine: whose currents.
        arcs: how many electrodes are burnt.
    """
    draw = random.Random(seed)  # noqa: S311 - a simulation, repeatable by its seed
    stretches: list[Stretch] = []
    now = 0

    def add(phase: Phase, current_ma: int, ms: int) -> None:
        nonlocal now
        stretches.append(Stretch(now, phase, current_ma))
        now += ms

    add(Phase.OFF, 0, draw.randint(200, 600))
    add(Phase.IDLE, draw.randint(*machine.idle_ma), draw.randint(500, 1500))
    for number in range(arcs):
        level = draw.randint(*machine.arc_ma)
        no_load = draw.randint(*machine.no_load_ma)
        add(Phase.NO_LOAD, no_load, draw.randint(300, 900))
        if draw.random() < 0.4:
            add(Phase.STRIKE, level, draw.randint(220, 300))
            add(Phase.NO_LOAD, no_load, draw.randint(340, 600))
        if draw.random() < 0.2:
            add(Phase.SHORT, level * machine.short_permille // 1000, draw.randint(200, 500))
        burn = draw.randint(*machine.arc_ms)
        while burn > 0:
            piece = min(burn, draw.randint(100, 400))
            add(Phase.ARC, level * draw.randint(900, 1100) // 1000, piece)
            burn -= piece
        if number + 1 < arcs:
            add(Phase.ELECTRODE_CHANGE, no_load, draw.randint(*machine.change_ms))
    add(Phase.NO_LOAD, draw.randint(*machine.no_load_ma), 1000)
    return Envelope(stretches, now)


def _cycle(profile: SensorProfile) -> list[float]:
    """Return one mains cycle of the sensor's signal for a current of 1: unit RMS for AC, unit mean for DC."""
    size = profile.samples_per_tick * TICKS_A_WINDOW
    if profile.mode != AC_RMS:
        return [1 + RIPPLE_PERMILLE / 1000 * math.sin(6 * math.tau * k / size) for k in range(size)]
    # A rectifier with a capacitor draws pulses at the crests: the third power of a sine has a crest factor of 1.8.
    shape = [math.sin(math.tau * (k + 0.5) / size) ** (3 if profile.source == 2 else 1) for k in range(size)]
    rms = math.sqrt(sum(x * x for x in shape) / size)
    return [x / rms for x in shape]


class Welder:
    """A welding machine behind a contactor, and the current sensor on its cable.

    Args:
        profile: the sensor's profile: it says what a current looks like in counts.
        seed: of the noise.

    Attributes:
        mains: whether there is anything to draw.
        bypass_ma: current that flows whatever the contact does (wired around it, but through the sensor).
        offset_ma: the sensor's error at no current (DC only).
        sensor: whether the sensor is whole.
    """

    def __init__(self, profile: SensorProfile, seed: int = 0) -> None:
        self.profile = profile
        self.sample_hz = profile.samples_per_tick * TICKS_A_SECOND
        self.mains = True
        self.bypass_ma = 0
        self.offset_ma = 0
        self.sensor = SensorState.WHOLE
        self._envelope = Envelope([], 0)
        self._started_ms = 0
        draw = random.Random(seed)  # noqa: S311 - noise, repeatable by its seed
        cycle = _cycle(profile)
        self._wave = cycle * NOISE_CYCLES
        self._noise = [draw.randint(-NOISE_COUNTS, NOISE_COUNTS) for _ in self._wave]
        self._quiet = self._render(0, 0, len(self._wave))

    def play(self, envelope: Envelope, start_ms: int) -> None:
        """Let the machine do ``envelope`` from ``start_ms`` of the board's running time; what it did before ends."""
        self._envelope = envelope
        self._started_ms = start_ms

    def current_ma(self, now_ms: int, contact: bool) -> int:
        """Return the current through the sensor's conductor."""
        if not self.mains:
            return 0
        work = self._envelope.at(now_ms - self._started_ms).current_ma if contact else 0
        return max(self.bypass_ma, work)

    def fill(self, buffer: "array[int]", place: int, first: int, count: int, contact: bool) -> None:
        """Write ``count`` samples to ``buffer`` from ``place`` on.

        Args:
            buffer: array of type "H"; full scale is 65535.
            place: where in the buffer.
            first: running number of the first sample; sample k is taken at k seconds / ``sample_hz``.
            count: how many.
            contact: whether the contactor is closed meanwhile.
        """
        if self.sensor != SensorState.WHOLE:
            buffer[place : place + count] = array("H", [0 if self.sensor == SensorState.OPEN else 65535] * count)
            return
        end = first + count
        while first < end:
            now_ms = first * 1000 // self.sample_hz
            change_ms = self._started_ms + self._envelope.until(now_ms - self._started_ms) if contact else 1 << 62
            stop = min(end, max(first + 1, -(-change_ms * self.sample_hz // 1000)))
            piece = self._samples(self.current_ma(now_ms, contact) + self.offset_ma, first, stop - first)
            buffer[place : place + len(piece)] = piece
            place += len(piece)
            first = stop

    def _samples(self, current_ma: int, first: int, count: int) -> "array[int]":
        start = first % len(self._wave)
        if current_ma or start + count > len(self._wave):
            return self._render(current_ma, first, count)
        return self._quiet[start : start + count]

    def _render(self, current_ma: int, first: int, count: int) -> "array[int]":
        """Compute samples; the lower four bits repeat the upper ones, as ``read_u16`` of a 12-bit converter does."""
        wave, noise, period = self._wave, self._noise, len(self._wave)
        bias, scale = self.profile.bias, current_ma * 32 / self.profile.gain
        out = array("H", bytes(2 * count))
        for i in range(count):
            k = (first + i) % period
            value = bias + noise[k] + round(scale * wave[k])
            value = 0 if value < 0 else min(value, ADC_TOP)
            out[i] = value << 4 | value >> 8
        return out
