"""What the trace file itself says about arcs: the expectation that the detector is held against.

Deliberately naive and of its own: it reads the amperes of the file and shares no code, threshold or filter with the
firmware. Definition: a reading above 30 A is *hot*; a single hot reading between cold ones is a glitch and not an arc
(data README: 819 A for one reading); each further stretch of hot readings is a strike; hot stretches less than 2 s
apart are one arc; arc time is the number of hot readings times the reading's period of 1/9.02 s.

Agreement within ``TOLERANCE_S`` is what can be asked: the detector's own arc-off threshold is lower than 30 A, which
adds up to two readings at the arc's end (0.22 s), and its windows are 20 ms long.
"""

import csv
from pathlib import Path
from typing import NamedTuple

__all__ = ["HOT_A", "TOLERANCE_S", "ExpectedArc", "ExpectedRun", "expected_run"]

HOT_A = 30.0
PERIOD_S = 1 / 9.02  # data README, sampling rate
APART_S = 2.0
TOLERANCE_S = 0.25


class ExpectedArc(NamedTuple):
    """One arc: first and last hot reading by their number in the run, and the stretches in between."""

    first: int
    last: int
    strikes: int
    arc_s: float
    charge_mah: float
    peak_a: float


class ExpectedRun(NamedTuple):
    """What one run holds."""

    run: str
    readings: int
    arcs: tuple[ExpectedArc, ...]
    glitches: tuple[int, ...]
    arc_s: float
    strikes: int
    charge_mah: float
    peak_a: float


def expected_run(path: Path, run: str) -> ExpectedRun:
    """Return what the trace file at ``path`` says about ``run`` (its full name, or a unique beginning).

    Raises:
        ValueError: no run of that name, or several.
    """
    amperes: dict[str, list[float]] = {}
    with path.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            if row["Run"].startswith(run):
                amperes.setdefault(row["Run"], []).append(float(row["Primary Weld Current"]))
    if len(amperes) != 1:
        raise ValueError(f"{len(amperes)} runs begin with {run!r}, exactly one must")
    name, readings = next(iter(amperes.items()))

    stretches: list[list[int]] = []
    for k, value in enumerate(readings):
        if value > HOT_A:
            if stretches and stretches[-1][-1] == k - 1:
                stretches[-1].append(k)
            else:
                stretches.append([k])
    glitches = tuple(stretch[0] for stretch in stretches if len(stretch) == 1)

    groups: list[list[list[int]]] = []
    for stretch in (s for s in stretches if len(s) > 1):
        if groups and (stretch[0] - groups[-1][-1][-1] - 1) * PERIOD_S < APART_S:
            groups[-1].append(stretch)
        else:
            groups.append([stretch])
    arcs = tuple(_arc(group, readings) for group in groups)
    return ExpectedRun(
        run=name,
        readings=len(readings),
        arcs=arcs,
        glitches=glitches,
        arc_s=sum(arc.arc_s for arc in arcs),
        strikes=sum(arc.strikes for arc in arcs),
        charge_mah=sum(arc.charge_mah for arc in arcs),
        peak_a=max((arc.peak_a for arc in arcs), default=0.0),
    )


def _arc(stretches: list[list[int]], readings: list[float]) -> ExpectedArc:
    hot = [k for stretch in stretches for k in stretch]
    return ExpectedArc(
        first=hot[0],
        last=hot[-1],
        strikes=len(stretches),
        arc_s=len(hot) * PERIOD_S,
        charge_mah=sum(readings[k] for k in hot) * PERIOD_S / 3.6,
        peak_a=max(readings[k] for k in hot),
    )
