"""What the collector takes on, and what it costs: issue by issue the table of `docs/performance.md`.

Every process runs on the same cores: load, broker, collector, consumer. One played run serves all figures that come
from it. Each run flips one tag, and counts only if everything acknowledged was committed by the consumer, byte for
byte, and that one frame was refused (``rig``).
"""

import random
import secrets
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from weldgate_collector import add_chips
from weldgate_issuer import Issuer
from weldgate_protocol import messages, order
from weldgate_protocol.envelope import OrderEnvelope, encode_order
from weldgate_protocol.reasons import TOOL_CONNECTION

from .broker import Broker, MosquittoBroker
from .figures import Figure
from .load import make_chips, percentile
from .mqtt_bytes import PUBLISH, enter, packet, text
from .rig import LOCAL, JsonRig, Load, Rig, RigError, Run, sink_rate

__all__ = ["COLLECTOR_FIGURES", "play_orders"]

_CHIPS = 1_000
_RUNS = 3
_FULL = Load(frames=250)
_SINK = Load(frames=250)
_STEADY = Load(frames=120, rate=4_000.0)
# Smaller than a collector's 250,000 rows, so that a change of segments, with its index, is in the run.
_STEADY_STORE = "\n[store]\nsegment_rows = 100000\n"
_MODULES = Load(frames=100, by_broker=True)
_MODULES_LINK = f'\n[mqtt]\nhost = "{LOCAL}"\nport = {{port}}\n'
_RECORDS = Load(frames=60)
_ORDER_CHIPS = 10_000
_ORDER_LOAD = Load(frames=10, rate=10_000.0, sources=200)
_ORDERS = 200
_ORDERS_AFTER_S, _ORDERS_WITHIN_S = 1.0, 8.0
_FRAME_BYTES = 100


def _played(load: Load, make: Callable[[Path], Rig]) -> Run:
    with tempfile.TemporaryDirectory() as name, make(Path(name)) as rig:
        return rig.run(load)


@lru_cache(maxsize=1)
def _full() -> list[Run]:
    return [_played(_FULL, lambda folder: Rig(folder, _CHIPS)) for _ in range(_RUNS)]


@lru_cache(maxsize=1)
def _sink() -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "chips.jsonl")
        add_chips(path, make_chips(_CHIPS, secrets.token_bytes(32)))
        return sink_rate(path, _SINK)


@lru_cache(maxsize=1)
def _steady() -> Run:
    return _played(_STEADY, lambda folder: Rig(folder, _CHIPS, extra=_STEADY_STORE))


def _median(runs: list[Run]) -> Run:
    return sorted(runs, key=lambda run: run.rate)[len(runs) // 2]


def _tcp(say: Callable[[str], None]) -> Figure:
    say(f"{_CHIPS} chips send {_FULL.frames} frames each, {_RUNS} times")
    runs, (sink, sink_cpu_s) = _full(), _sink()
    run = _median(runs)
    note = (
        f"frames of 100 bytes by TCP, tag verified, FULL commit, ack, packs out, committed FULL by a consumer and "
        f"receipted; median of {', '.join(f'{one.rate:,.0f}' for one in runs)}; {run.told()}; the same generator at a "
        f"sink that only acks: {sink:,.0f}/s, {sink_cpu_s:.2f} CPU seconds for 100,000"
    )
    return Figure("collector.tcp.frames_per_s", round(run.rate), "frames/s", note)


def _cpu(say: Callable[[str], None]) -> Figure:
    say("CPU of the collector at full speed")
    runs = _full()
    value = statistics.median(run.collector_cpu_s for run in runs)
    note = f"its process alone, user and system; median of {', '.join(f'{run.collector_cpu_s:.2f}' for run in runs)}"
    return Figure("collector.cpu_s_per_100k", round(value, 2), "s", note)


def _cpu_steady(say: Callable[[str], None]) -> Figure:
    run = _steady_said(say)
    note = f"{_STEADY.rate:,.0f} frames/s from {_CHIPS} chips, each frame by itself; {run.told()}"
    return Figure("collector.cpu_s_per_100k_steady", round(run.collector_cpu_s, 2), "s", note)


def _written(say: Callable[[str], None]) -> Figure:
    run = _steady_said(say)
    note = (
        f"write_bytes of /proc/PID/io less cancelled_write_bytes, the whole collector: store, log, packs' boundaries, "
        f"change of segments and their indexes; for each of {run.frames * _FRAME_BYTES:,} bytes of frames (header, "
        f"payload, tag) at {_STEADY.rate:,.0f} frames/s"
    )
    return Figure("collector.write_amplification", round(run.written_bytes / run.frames / _FRAME_BYTES, 2), "", note)


def _ack(say: Callable[[str], None]) -> Figure:
    run = _steady_said(say)
    note = (
        f"from a frame's sending to its ack at the generator, commit_ms 25, {_STEADY.rate:,.0f} frames/s: "
        f"{run.ack_ms} ms; frames left the generator later than due by {run.late_ms} ms"
    )
    return Figure("collector.ack_p99_ms", round(run.ack_ms["p99"], 1), "ms", note)


def _steady_said(say: Callable[[str], None]) -> Run:
    say(f"{_STEADY.rate:,.0f} frames/s for {_STEADY.frames * _CHIPS / _STEADY.rate:.0f} s")
    return _steady()


def _mqtt(say: Callable[[str], None]) -> Figure:
    say(f"{_CHIPS} modules publish {_MODULES.frames} frames each, {_RUNS} times")
    runs = [
        _played(_MODULES, lambda folder: Rig(folder, _CHIPS, _small_broker(folder), extra=_MODULES_LINK))
        for _ in range(_RUNS)
    ]
    run = _median(runs)
    note = (
        f"one frame a publish at QoS 0 through the broker, then as by TCP; median of "
        f"{', '.join(f'{one.rate:,.0f}' for one in runs)}; {run.told()}"
    )
    return Figure("collector.mqtt.frames_per_s", round(run.rate), "frames/s", note)


def _json(say: Callable[[str], None]) -> Figure:
    say(f"{_CHIPS * _RECORDS.frames} records as JSON, one a publish, {_RUNS} times")
    runs = [_played(_RECORDS, lambda folder: JsonRig(folder, _CHIPS, _small_broker(folder))) for _ in range(_RUNS)]
    run = _median(runs)
    note = (
        f"one record a publish at QoS 0, with its bytes in hex; in by TCP, to the platform's answer (proof = answer), "
        f"which follows its FULL commit; median of {', '.join(f'{one.rate:,.0f}' for one in runs)}; {run.told()}"
    )
    return Figure("collector.json.records_per_s", round(run.rate), "records/s", note)


def _small_broker(folder: Path) -> Broker | None:
    """Return mosquitto where it is installed, which takes a third of nats-server's time for a small publish."""
    return MosquittoBroker(folder / "broker") if MosquittoBroker.find() is not None else None


def play_orders(folder: Path, chips: int, load: Load, orders: int, within_s: float) -> tuple[list[float], Run]:
    """Send signed locks to chips under load; return the seconds from publish to chip, ascending, and the run.

    Args:
        folder: empty.
        chips: how many.
        load: what they send meanwhile.
        orders: how many, each to a chip of its own.
        within_s: evenly within so many seconds.

    Raises:
        RigError: an order did not come.
    """
    issuer, now_s = Issuer.generate(int(time.time())), int(time.time())
    places = random.Random(1).sample(range(1, chips + 1), orders)  # noqa: S311 - which chips, no secret
    published: dict[int, float] = {}
    with Rig(folder, chips) as rig:
        key = bytes.fromhex(rig.key_file.read_text("ascii"))
        topic = text("weldgate/1/line/order")
        words: dict[int, bytes] = {}
        for number in places:
            device = number.to_bytes(8, "big")
            signed = issuer.issue_order(
                order.LOCK, device=device, issued_s=now_s, lock=secrets.token_bytes(8), mode=order.MODE_SOFT
            )
            envelope = encode_order(OrderEnvelope(device, messages.LOCK, signed), key)
            words[number] = packet(PUBLISH, topic + envelope)

        def send(began_s: float) -> None:
            with socket.create_connection((LOCAL, rig.broker.port)) as sock:
                enter(sock, "bench-platform")
                for place, (number, word) in enumerate(words.items()):
                    due_s = began_s + _ORDERS_AFTER_S + within_s * place / orders
                    time.sleep(max(0.0, due_s - time.monotonic()))  # it is when the next one is due
                    published[number] = time.monotonic()
                    sock.sendall(word)

        run = rig.run(load, send)
    came = {device: at_s for device, type_, at_s in reversed(run.orders) if type_ == messages.LOCK}
    if set(came) != set(published):
        raise RigError(TOOL_CONNECTION, f"{len(published)} orders were published, {len(came)} chips got one")
    return sorted(came[number] - published[number] for number in published), run


def _order(say: Callable[[str], None]) -> Figure:
    say(f"{_ORDERS} orders to {_ORDER_CHIPS} chips that send {_ORDER_LOAD.rate:,.0f} frames/s")
    with tempfile.TemporaryDirectory() as name:
        seconds, run = play_orders(Path(name), _ORDER_CHIPS, _ORDER_LOAD, _ORDERS, _ORDERS_WITHIN_S)
    p50, p99 = (percentile(seconds, percent) * 1000 for percent in (50, 99))
    note = (
        f"from its publish to its frame at the chip, stored FULL in between: {len(seconds)} signed locks among "
        f"{_ORDER_CHIPS:,} chips; p50 {p50:.0f}, max {seconds[-1] * 1000:.0f} ms; {run.frames / run.acked_s:,.0f} "
        f"frames/s meanwhile, acks {run.ack_ms} ms; {run.told()}"
    )
    return Figure("collector.order_p99_ms", round(p99, 1), "ms", note)


COLLECTOR_FIGURES: dict[str, Callable[[Callable[[str], None]], Figure]] = {
    "collector.tcp.frames_per_s": _tcp,
    "collector.mqtt.frames_per_s": _mqtt,
    "collector.json.records_per_s": _json,
    "collector.cpu_s_per_100k": _cpu,
    "collector.cpu_s_per_100k_steady": _cpu_steady,
    "collector.write_amplification": _written,
    "collector.ack_p99_ms": _ack,
    "collector.order_p99_ms": _order,
}
