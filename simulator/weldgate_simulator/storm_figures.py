"""The figures of a storm: how long until everybody is served, and the memory of a collector with 10,000 chips."""

import math
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from weldgate_simulator import storm
from weldgate_simulator.figures import Figure

__all__ = ["STORM_FIGURES"]

_CHIPS = 10_000


@lru_cache(maxsize=1)
def _played(count: int) -> dict[str, Any]:
    """Play the storm once for all of its figures."""
    with tempfile.TemporaryDirectory() as name:
        return storm.play(Path(name), count)


def _note(found: dict[str, Any]) -> str:
    fewer = "" if found["chips"] == found["wanted"] else f" ({found['wanted']} wanted; open files are limited)"
    return (
        f"{found['chips']} chips{fewer} called within a second and again after a cut, {found['connections']} "
        f"connections made; load generator on the same cores; CPU seconds of the collector: {found['first_cpu_s']} "
        f"and {found['again_cpu_s']}, of the load generator {found['load_cpu_s']} in all"
    )


def _served(say: Callable[[str], None]) -> Figure:
    say(f"{_CHIPS} chips reconnect in one second")
    found = _played(_CHIPS)
    again = found["again"]
    note = f"to the last one's answer; half of them within {again['p50']} s; {_note(found)}"
    return Figure("collector.storm_served_ms", round(again["max"] * 1000), "ms", note)


def _resident(say: Callable[[str], None]) -> Figure:
    say(f"resident memory with {_CHIPS} chips connected")
    found = _played(_CHIPS)
    note = f"{found['rss_before_mb']} MB before, {found['rss_again_mb']} MB after they came again; {_note(found)}"
    return Figure("collector.rss_mb_10k_connected", math.ceil(found["rss_connected_mb"]), "MB", note)


STORM_FIGURES: dict[str, Callable[[Callable[[str], None]], Figure]] = {
    "collector.storm_served_ms": _served,
    "collector.rss_mb_10k_connected": _resident,
}
