"""The large figures: their names, and the sentence where mosquitto is missing."""

import pytest

from weldgate_protocol.errors import LocalError
from weldgate_simulator import bench
from weldgate_simulator.big_figures import BIG_FIGURES
from weldgate_simulator.broker import MosquittoBroker


def test_every_figure_of_the_table_is_known() -> None:
    """By the names that others compare by."""
    assert set(BIG_FIGURES) == {
        "collector.chip_day_query_ms_30m", "collector.first_ack_s_30m", "collector.ack_p99_ms_30m",
        "collector.growth_ratio_30m_to_1m", "collector.rss_mb_500k_known", "collector.bridge_ratio",
    }  # fmt: skip
    assert set(BIG_FIGURES) <= set(bench.known())


def test_missing_mosquitto_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The figure is left out, and says what would bring it."""
    monkeypatch.setattr(MosquittoBroker, "find", lambda: None)

    with pytest.raises(LocalError, match="mosquitto is not installed; run: apt install mosquitto"):
        BIG_FIGURES["collector.bridge_ratio"](lambda _text: None)
