"""The large figures: their names, their folder, and the sentence where mosquitto is missing."""

import fcntl
import os
from pathlib import Path

import pytest

from weldgate_protocol.errors import LocalError
from weldgate_simulator import bench
from weldgate_simulator.big_figures import BIG_FIGURES, private_folder
from weldgate_simulator.broker import MosquittoBroker


def test_every_figure_of_the_table_is_known() -> None:
    """By the names that others compare by."""
    assert set(BIG_FIGURES) == {
        "collector.chip_day_query_ms_30m", "collector.first_ack_s_30m", "collector.ack_p99_ms_30m",
        "collector.growth_ratio_30m_to_1m", "collector.rss_mb_500k_known", "collector.bridge_ratio",
    }  # fmt: skip
    assert set(BIG_FIGURES) <= set(bench.known())


def test_folder_of_a_killed_run_goes_and_that_of_a_running_one_stays(tmp_path: Path) -> None:
    """The lock says which is which."""
    for name in ("big-dead", "big-alive"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rows").write_bytes(b"1")
    handle = os.open(tmp_path / "big-alive" / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)

    mine = private_folder(tmp_path)

    os.close(handle)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([mine.name, "big-alive"])


def test_missing_mosquitto_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The figure is left out, and says what would bring it."""
    monkeypatch.setattr(MosquittoBroker, "find", lambda: None)

    with pytest.raises(LocalError, match="mosquitto is not installed; run: apt install mosquitto"):
        BIG_FIGURES["collector.bridge_ratio"](lambda _text: None)
