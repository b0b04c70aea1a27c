"""One batch of fuzz cases: made, judged, checked by the target's oracle, and bounded in steps and processor time."""

import signal
import sys
from collections.abc import Iterator
from random import Random
from types import FrameType
from typing import Any, NamedTuple

from weldgate_protocol import reasons
from weldgate_simulator.fuzz_forge import ROOT_KID, WORLD
from weldgate_simulator.fuzz_parsers import World, judge
from weldgate_simulator.fuzz_signed import signed_targets
from weldgate_simulator.fuzz_store import store_targets
from weldgate_simulator.fuzz_talk import talk_targets
from weldgate_simulator.fuzz_wire import Case, Target, wire_targets

__all__ = [
    "BATCH_CASES",
    "Batch",
    "Counts",
    "Find",
    "cases_of",
    "reaches_signature",
    "run_batch",
    "start_worker",
    "targets",
]

BATCH_CASES = 2_000
HANG_S = 2.0  # of the processor, for one case
_LOOK_S = 0.25
_TRACED = 100  # one case of so many is counted line by line
_STEPS = 40_000  # lines of Python that a case may take at most; building a key's table takes most of them,
_STEPS_A_BYTE = 150  # and so many more for each byte of input
_FINDS = 5  # kept of one batch
_SIGNATURE = (reasons.TOKEN_SIGNATURE, reasons.ORDER_SIGNATURE, reasons.KEY_SET_SIGNATURE)


class Batch(NamedTuple):
    """Some cases of one parser, the same wherever they run."""

    parser: str
    seed: int
    number: int
    cases: int


class Find(NamedTuple):
    """One case that must not have gone as it went."""

    parser: str
    why: str
    hex: str


class Counts:
    """Of one parser: cases; those taken (rightly, with those of `accepted` apart); what must not happen."""

    def __init__(self) -> None:
        self.cases = self.taken = self.accepted = self.untyped = self.hangs = self.differs = 0
        self.reached_signature = self.steps_max = 0

    def add(self, other: "Counts") -> None:
        """Add another's counts to these."""
        for name, count in other.told().items():
            setattr(self, name, max(self.steps_max, count) if name == "steps_max" else getattr(self, name) + count)

    def told(self) -> dict[str, int]:
        """Return the counts by name."""
        return dict(vars(self))


class _Hang(BaseException):
    """A case used too much; no handler of the product swallows it."""


class _Watch:
    """Looks at the processor's time every quarter second of it; the same case too often is a hang."""

    def __init__(self) -> None:
        self.case = 0
        self._seen = 0
        self._looks = 0

    def look(self, _signal: int, _frame: FrameType | None) -> None:
        """Be called by the interval timer."""
        self._looks = self._looks + 1 if self._seen == self.case else 0
        self._seen = self.case
        if self.case and self._looks >= HANG_S / _LOOK_S:
            self._looks = 0
            raise _Hang


_watch = _Watch()


def start_worker() -> None:
    """Start the watch of this process."""
    signal.signal(signal.SIGPROF, _watch.look)
    signal.setitimer(signal.ITIMER_PROF, _LOOK_S, _LOOK_S)


def targets() -> list[Target]:
    """Return every target."""
    talk = talk_targets(bytes.fromhex(WORLD["device"]), bytes.fromhex(WORLD["k_down"]))
    return wire_targets() + talk + signed_targets() + store_targets()


def cases_of(batch: Batch) -> Iterator[Case]:
    """Yield a batch's cases."""
    target = next(one for one in targets() if one.parser == batch.parser)
    # A simulation's dice, repeatable by its seed.
    made = target.make(Random(f"{batch.seed}/{batch.parser}/{batch.number}"))  # noqa: S311
    for _ in range(batch.cases):
        yield next(made)


def reaches_signature(verdict: str, data: bytes) -> bool:
    """Tell whether a case was refused by its signature and by nothing before: known key, well-formed envelope."""
    if verdict[:1] != "!" or int(verdict[2:]) not in _SIGNATURE:
        return False
    return int(verdict[2:]) != reasons.KEY_SET_SIGNATURE or ROOT_KID in data[:24]


def run_batch(batch: Batch) -> tuple[str, Counts, list[Find]]:
    """Judge a batch's cases on CPython."""
    world = World(WORLD)
    target = next(one for one in targets() if one.parser == batch.parser)
    counts = Counts()
    finds: list[Find] = []
    for number, case in enumerate(cases_of(batch), 1):
        counts.cases += 1
        _watch.case = number
        try:
            if number % _TRACED == 1:
                verdict, taken, steps = _traced(world, batch.parser, case.data)
                counts.steps_max = max(counts.steps_max, steps)
            else:
                verdict, taken = judge(world, batch.parser, case.data)
        except _Hang:
            verdict, taken = "hang", b""
        _watch.case = 0
        why = _fault(target, case, verdict, taken, counts)
        if why and len(finds) < _FINDS:
            finds.append(Find(batch.parser, why, case.data.hex()))
    return batch.parser, counts, finds


def _fault(target: Target, case: Case, verdict: str, taken: bytes, counts: Counts) -> str:
    """Count a verdict; return what is wrong with it, "" for nothing."""
    if verdict == "hang":
        counts.hangs += 1
        return "hang"
    if verdict.startswith("?"):
        counts.untyped += 1
        return "untyped " + verdict[2:]
    if verdict.startswith("="):
        if _wrong(target, case, taken):
            counts.accepted += 1
            return "accepted"
        counts.taken += 1
    elif reaches_signature(verdict, case.data):
        counts.reached_signature += 1
    return ""


def _wrong(target: Target, case: Case, taken: bytes) -> bool:
    """Ask the oracle; what it cannot even read should not have been taken."""
    try:
        return target.wrong(case, taken)
    except Exception:
        return True


def _traced(world: World, parser: str, data: bytes) -> tuple[str, bytes, int]:
    """Judge one case and count the lines of Python it takes.

    Raises:
        _Hang: more than any case may take.
    """
    steps = 0
    most = _STEPS + _STEPS_A_BYTE * len(data)

    def trace(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal steps
        if event == "line":
            steps += 1
            if steps > most:
                raise _Hang
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        verdict, taken = judge(world, parser, data)
    finally:
        sys.settrace(before)
    return verdict, taken, steps
