"""A collector that knows many chips is measured until a segment has followed another."""

from pathlib import Path

from weldgate_collector import Reader, list_segments
from weldgate_simulator.big_known import play_known


def test_many_known_chips_are_measured_over_a_change_of_segments(tmp_path: Path) -> None:
    """Its memory at the start and at its highest; the second segment opens with every line."""
    found = play_known(tmp_path, 300, 10, 200)

    assert 0 < found.started_mb <= found.peak_mb < 400
    assert found.rows >= 250
    assert len(list_segments(tmp_path / "data")) == 2
    with Reader(tmp_path / "data") as reader:
        highs = reader.connection.execute("SELECT count(DISTINCT device) FROM highs").fetchone()[0]
    assert highs == 300
