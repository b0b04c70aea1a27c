"""The same load through mosquitto's bridge, where mosquitto is installed."""

import sqlite3
from pathlib import Path

import pytest

from weldgate_simulator import big_bridge
from weldgate_simulator.big_bridge import bridge_rate, compare_with_bridge
from weldgate_simulator.broker import MosquittoBroker

pytestmark = pytest.mark.broker


@pytest.mark.skipif(MosquittoBroker.find() is None, reason="mosquitto is not installed")
def test_every_frame_comes_through_the_bridge(tmp_path: Path) -> None:
    """Two brokers, a publisher, and a consumer that has committed each frame once."""
    rate, used = bridge_rate(tmp_path / "bridge", 3, 700)

    assert rate > 0
    assert set(used) == {"edge", "upstream", "consumer", "load"}
    connection = sqlite3.connect(tmp_path / "bridge" / "consumer.sqlite3")
    found = connection.execute("SELECT device, min(seq), max(seq), count(*), min(length(raw)) FROM frames GROUP BY 1")
    assert found.fetchall() == [(chip, 1, 700, 700, 100) for chip in (1, 2, 3)]
    connection.close()


def test_pairs_are_compared_by_their_median(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Line against bridge, pair by pair."""
    rates = iter([(20_000.0, {}), (50_000.0, {}), (40_000.0, {"edge": 1.0})])
    delivered = iter([60_000, 50_000, 80_000])
    monkeypatch.setattr(big_bridge, "bridge_rate", lambda *_: next(rates))
    monkeypatch.setattr(big_bridge.lines, "bench", lambda *_: {"delivered_per_s": next(delivered)})

    found = compare_with_bridge(tmp_path, 1, 1, 3, lambda _text: None)

    assert found.ratio == 2.0
    assert found.cpu_s == {"edge": 1.0}
