"""The figures of a large store, of half a million known chips, and of mosquitto's bridge beside the line.

Thirty million rows are laid down once for all figures that want them, in a folder that goes when the program ends; what
a killed run left behind is removed by the next one.
"""

import atexit
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path

from weldgate_collector import Reader, parse_config
from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_BROKER, TOOL_STORE
from weldgate_simulator import big_bridge, big_known, big_line, big_pace, files
from weldgate_simulator.big_line import BigLine
from weldgate_simulator.big_store import MINUTE_MS, Laid, Plan, room_for
from weldgate_simulator.broker import MosquittoBroker
from weldgate_simulator.figures import Figure
from weldgate_simulator.passing import passing_folder

__all__ = ["BIG_FIGURES", "chip_days_ms"]

_CHIPS = 20_000  # so that a chip's day lies in almost all segments: the worst that 30 million rows can have
_LARGE_ROWS, _SMALL_ROWS = 30_000_000, 1_000_000
_CALLERS = 1_000
_DAY_MINUTES = 1_440
_KNOWN = 500_000
_STEADY_PER_S, _STEADY_S = 4_000, 15


@lru_cache(maxsize=1)
def _folder() -> Path:
    """Return a folder that goes when the program ends."""
    files.build_folder().mkdir(parents=True, exist_ok=True)
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(passing_folder("big-", files.build_folder()))


def _plan(rows: int) -> Plan:
    """Return at least so many rows, the open segment almost full; the last row came a minute ago."""
    segment_rows = parse_config('[collector]\nname = "big"').store.segment_rows
    sealed = -(-rows // segment_rows)
    open_rows = segment_rows * 47 // 50  # full after eight seconds at a steady 4,000/s
    minutes = (sealed * segment_rows + open_rows) // _CHIPS + 1
    return Plan(_CHIPS, sealed, segment_rows, open_rows, time.time_ns() // 1_000_000 - minutes * MINUTE_MS)


@lru_cache(maxsize=1)
def _large() -> BigLine:
    return BigLine.make(_folder() / "large", _plan(_LARGE_ROWS), _CALLERS)


@lru_cache(maxsize=1)
def _small() -> BigLine:
    return BigLine.make(_folder() / "small", _plan(_SMALL_ROWS), _CALLERS)


def _lay_large(say: Callable[[str], None]) -> BigLine:
    plan = _plan(_LARGE_ROWS)
    if not _large.cache_info().currsize:
        room_for(files.build_folder().parent, plan.rows)
        say(f"{plan.rows:,} rows are laid down below {files.build_folder()}, about 5 GB; they go with this program")
    return _large()


def _laid(laid: Laid) -> str:
    plan = laid.plan
    return (
        f"{plan.rows:,} rows of {plan.chips:,} chips, one a minute each, in {plan.sealed} sealed segments and an open "
        f"one ({laid.size_bytes / 1e9:.1f} GB, laid down in {laid.seconds:.0f} s)"
    )


def chip_days_ms(store: Path, plan: Plan, chips: list[int]) -> list[float]:
    """Return how long the question for each chip's last day takes, with a reader that is opened for it, milliseconds.

    Raises:
        LocalError: TOOL_STORE, the answer is not the day's rows.
    """
    took = []
    # The chip's last row is from the last whole minute, or one before.
    since_ms = plan.first_ms + ((plan.rows // plan.chips) - _DAY_MINUTES) * MINUTE_MS
    until_ms = since_ms + _DAY_MINUTES * MINUTE_MS
    wanted = min(_DAY_MINUTES, plan.rows // plan.chips)
    for chip in chips:
        started_s = time.perf_counter()
        with Reader(store) as reader:
            rows = list(reader.records(device=chip, since_ms=since_ms, until_ms=until_ms))
        took.append((time.perf_counter() - started_s) * 1000)
        if len(rows) != wanted or rows[-1].seq - rows[0].seq != wanted - 1:
            raise LocalError(TOOL_STORE, f"chip {chip}: {len(rows)} rows of its day, {wanted} were laid down")
    return took


def _chip_day(say: Callable[[str], None]) -> Figure:
    big = _lay_large(say)
    plan = big.laid.plan
    chips = [1 + number * 947 % plan.chips for number in range(41)]
    took = sorted(chip_days_ms(big.line.store, plan, chips))
    note = (
        f"median of {len(chips)} chips, the slowest {took[-1]:.0f} ms; a new reader each time, every one of the day's "
        f"{_DAY_MINUTES:,} rows, the newest from the open segment; {_laid(big.laid)}"
    )
    return Figure("collector.chip_day_query_ms_30m", round(statistics.median(took)), "ms", note)


def _first_ack(say: Callable[[str], None]) -> Figure:
    big = _lay_large(say)
    took = [big_line.first_ack_s(big) for _ in range(5)]
    note = (
        f"median of {len(took)} starts, the slowest {max(took):.2f} s; from the start of the process, after a kill -9, "
        f"to the ack of a chip that calls all the while; the store is not in the page cache, the program is; "
        f"{_laid(big.laid)}"
    )
    return Figure("collector.first_ack_s_30m", round(statistics.median(took), 2), "s", note)


def _steady(say: Callable[[str], None]) -> Figure:
    big = _lay_large(say)
    say(f"{_STEADY_PER_S} frames/s for {_STEADY_S} s while a segment is sealed and others are deleted")
    # Two segments less than there are: retention deletes as soon as it may.
    size_mb = big.laid.size_bytes * (big.laid.plan.sealed - 2) // big.laid.plan.sealed >> 20
    kept = big.line.config_file.read_text(encoding="utf-8")
    big.line.config_file.write_text(f"{kept}\n[store]\nkeep_mb = {size_mb}\n", encoding="utf-8")
    try:
        found = big_pace.pace(big, _STEADY_PER_S, _STEADY_S)
    finally:
        big.line.config_file.write_text(kept, encoding="utf-8")
    note = (
        f"p99 of {found.frames:,} frames at {_STEADY_PER_S}/s, from a frame's turn to its ack; half within "
        f"{found.p50_ms:.0f} ms, all within {found.worst_ms:.0f}; meanwhile {found.sealed} segment was sealed and "
        f"{found.deleted} deleted; {_laid(big.laid)}"
    )
    return Figure("collector.ack_p99_ms_30m", round(found.p99_ms), "ms", note)


def _growth(say: Callable[[str], None]) -> Figure:
    large = _lay_large(say)
    found = big_line.compare_rates(_small(), large, 200, 5, say)
    note = (
        f"median of {len(found.small)} interleaved pairs: {_told(found.large)} frames/s with "
        f"{large.laid.plan.rows:,} rows stored, {_told(found.small)} with {_small().laid.plan.rows:,}; CPU seconds of "
        f"the collector in all of them {found.cpu_s[1]} and {found.cpu_s[0]}; committed by the consumer"
    )
    return Figure("collector.growth_ratio_30m_to_1m", round(found.ratio, 3), "ratio", note)


def _known(say: Callable[[str], None]) -> Figure:
    say(f"a collector that knows {_KNOWN:,} chips")
    with tempfile.TemporaryDirectory(dir=_folder()) as name:
        found = big_known.play_known(Path(name), _KNOWN, _CALLERS)
    note = (
        f"the highest until the end; {found.started_mb} MB once it listened, {found.start_s:.1f} s after its start; "
        f"then {_CALLERS:,} of them sent {found.rows:,} frames, and the next segment opened with {_KNOWN:,} lines"
    )
    return Figure("collector.rss_mb_500k_known", round(found.peak_mb), "MB", note)


def _bridge(say: Callable[[str], None]) -> Figure:
    if MosquittoBroker.find() is None:
        raise LocalError(TOOL_BROKER, "mosquitto is not installed; run: apt install mosquitto")
    chips, frames = 200, 500
    with tempfile.TemporaryDirectory(dir=_folder()) as name:
        found = big_bridge.compare_with_bridge(Path(name), chips, frames, 3, say)
    used = ", ".join(f"{name} {seconds}" for name, seconds in found.cpu_s.items())
    note = (
        f"line against mosquitto's bridge, median of {len(found.line)} interleaved pairs: {_told(found.line)} and "
        f"{_told(found.bridge)} frames/s committed by a consumer; {chips * frames:,} frames of 100 bytes, a publish "
        f"each at QoS 1 for the bridge, by TCP for the line; CPU seconds of the bridge: {used}"
    )
    return Figure("collector.bridge_ratio", round(found.ratio, 2), "ratio", note)


def _told(rates: list[float]) -> str:
    return "/".join(f"{rate:,.0f}" for rate in rates)


BIG_FIGURES: dict[str, Callable[[Callable[[str], None]], Figure]] = {
    "collector.chip_day_query_ms_30m": _chip_day,
    "collector.first_ack_s_30m": _first_ack,
    "collector.ack_p99_ms_30m": _steady,
    "collector.growth_ratio_30m_to_1m": _growth,
    "collector.rss_mb_500k_known": _known,
    "collector.bridge_ratio": _bridge,
}
