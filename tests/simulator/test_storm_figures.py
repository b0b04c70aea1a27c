"""The figures of a storm come from one storm that was played in this run, in small here."""

from typing import Any

import pytest

from weldgate_simulator import bench, storm_figures


def test_figures_are_those_of_one_storm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Named for others to compare by, and bounded by what an issue asks for."""
    monkeypatch.setattr(storm_figures, "_CHIPS", 60)
    storm_figures._played.cache_clear()
    said: list[Any] = []
    figures = {name: make(said.append) for name, make in storm_figures.STORM_FIGURES.items()}

    assert storm_figures._played.cache_info().misses == 1
    assert 0 < figures["collector.storm_served_ms"].value < 30_000
    assert 10 < figures["collector.rss_mb_10k_connected"].value < 150
    assert {figure.unit for figure in figures.values()} == {"ms", "MB"}
    assert all("60 chips called" in figure.note for figure in figures.values())
    storm_figures._played.cache_clear()


def test_bench_knows_them() -> None:
    """By name, beside the others."""
    assert set(storm_figures.STORM_FIGURES) <= set(bench.known())
