"""The collector's figures, played in small: real processes, and no figure where anything was lost."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from weldgate_simulator import bench, collector_figures
from weldgate_simulator.broker import NatsBroker
from weldgate_simulator.collector_figures import COLLECTOR_FIGURES, play_orders
from weldgate_simulator.rig import JsonRig, Load, Rig, RigError, sink_rate

SMALL = 20
BOUNDS = {
    "collector.tcp.frames_per_s", "collector.mqtt.frames_per_s", "collector.json.records_per_s",
    "collector.cpu_s_per_100k", "collector.cpu_s_per_100k_steady", "collector.write_amplification",
    "collector.ack_p99_ms", "collector.order_p99_ms",
}  # fmt: skip


def test_bench_knows_every_name_of_the_table() -> None:
    """The names are those that others compare by."""
    assert set(COLLECTOR_FIGURES) == BOUNDS
    assert set(bench.known()) >= BOUNDS


@pytest.mark.broker
def test_steady_figures_come_from_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CPU, bytes written and ack latency are of the same frames; each note says what was measured."""
    monkeypatch.setattr(collector_figures, "_CHIPS", SMALL)
    monkeypatch.setattr(collector_figures, "_STEADY", Load(frames=20, rate=800.0))
    collector_figures._steady.cache_clear()
    said: list[Any] = []

    names = ("collector.cpu_s_per_100k_steady", "collector.write_amplification", "collector.ack_p99_ms")
    figures = {name: COLLECTOR_FIGURES[name](said.append) for name in names}

    assert collector_figures._steady.cache_info().misses == 1
    collector_figures._steady.cache_clear()
    assert all(figure.value > 0 for figure in figures.values())
    assert all(figure.name == name for name, figure in figures.items())
    assert "collector" in figures["collector.cpu_s_per_100k_steady"].note
    assert "40,000 bytes of frames" in figures["collector.write_amplification"].note


@pytest.mark.broker
def test_a_run_is_proved_by_what_the_consumer_committed(tmp_path: Path) -> None:
    """All that was acknowledged is there, byte for byte; one frame changed or gone, and there is no figure."""
    with Rig(tmp_path, SMALL) as rig:
        run = rig.run(Load(frames=40))
        ledger = tmp_path / "ledger.jsonl"
        rig._prove(ledger)
        with sqlite3.connect(rig.journal) as journal:
            journal.execute("UPDATE frames SET raw = zeroblob(100) WHERE device = 7 AND seq = 3")
        journal.close()

        with pytest.raises(RigError, match="chip 7"):
            rig._prove(ledger)

        assert run.frames == SMALL * 40
        assert set(run.cpu_s) == {"broker", "collector", "consumer", "load"}
        assert rig.health()["bad_tags"] == 1


@pytest.mark.broker
def test_modules_publish_and_records_leave_as_json(tmp_path: Path) -> None:
    """One frame a publish goes in, one record a publish comes out, proved likewise."""
    link = '\n[mqtt]\nhost = "127.0.0.1"\nport = {port}\n'
    with Rig(tmp_path / "in", SMALL, extra=link) as rig:
        assert rig.run(Load(frames=20, by_broker=True)).frames == SMALL * 20
    with JsonRig(tmp_path / "out", SMALL, NatsBroker(tmp_path / "broker")) as rig:
        assert rig.run(Load(frames=20)).frames == SMALL * 20


@pytest.mark.broker
def test_orders_are_timed_from_publish_to_chip(tmp_path: Path) -> None:
    """Each order reaches its chip, among others that send."""
    seconds, run = play_orders(tmp_path, SMALL, Load(frames=75, rate=1_000.0), 5, 0.2)

    assert len(seconds) == 5
    assert all(0 < one < 30 for one in seconds)
    assert run.frames == SMALL * 75


def test_sink_shows_what_the_generator_can_do(tmp_path: Path) -> None:
    """Without a collector the same load is acked as well, and faster than anything that commits."""
    rate, cpu_s = sink_rate(_chips_file(tmp_path), Load(frames=300))

    assert rate > 1_000
    assert cpu_s > 0


def _chips_file(folder: Path) -> Path:
    from weldgate_collector import add_chips
    from weldgate_simulator.load import make_chips

    add_chips(folder / "chips.jsonl", make_chips(SMALL, bytes(32)))
    return folder / "chips.jsonl"
