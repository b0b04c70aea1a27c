"""A line on a laid-down store takes what comes on top, and rates are compared in turn."""

import os
from pathlib import Path
from typing import cast

import pytest

from weldgate_collector import Reader
from weldgate_simulator.big_line import BigLine, compare_rates, drop_cache, first_ack_s

pytestmark = pytest.mark.broker


def test_new_frames_go_through_and_nothing_old_is_sent_again(big_line: BigLine) -> None:
    """The consumer was told of what was laid down, so it gets what the callers send, and that alone."""
    rate, used = big_line.rate(20)

    assert rate > 0
    assert set(used) == {"broker", "collector", "consumer", "load"}
    assert big_line.line.delivered_count() == 100
    assert big_line.line.counts()["doubled"] == 0


def test_first_ack_is_of_a_frame_that_is_stored(big_line: BigLine) -> None:
    """Timed from the start of the process; the frame is there after the kill."""
    with Reader(big_line.line.store) as reader:
        before = reader.last_index()

    seconds = first_ack_s(big_line)

    assert 0 < seconds < 60
    with Reader(big_line.line.store) as reader:
        rows = list(reader.records(int(big_line.callers[0].device)))
        assert rows[-1].idx > before


def test_pairs_are_interleaved_and_their_median_counts() -> None:
    """Each pair turns the order round; a machine that gets busy in between hits both."""
    order: list[str] = []

    class Fixed:
        def __init__(self, name: str, rates: list[float]) -> None:
            self.name, self.rates = name, rates

        def rate(self, _frames: int) -> tuple[float, dict[str, float]]:
            order.append(self.name)
            return self.rates.pop(0), {"collector": 1.5}

    small, large = Fixed("small", [100.0, 100.0, 50.0]), Fixed("large", [98.0, 60.0, 49.0])

    found = compare_rates(cast(BigLine, small), cast(BigLine, large), 1, 3, lambda _text: None)

    assert order == ["small", "large", "large", "small", "small", "large"]
    assert found.ratio == pytest.approx(0.98)
    assert (found.small, found.large, found.cpu_s) == ([100.0, 100.0, 50.0], [98.0, 60.0, 49.0], (4.5, 4.5))


def test_dropped_files_keep_their_bytes(tmp_path: Path) -> None:
    """Only the page cache forgets them."""
    path = tmp_path / "file"
    path.write_bytes(os.urandom(100_000))
    data = path.read_bytes()

    drop_cache([path])

    assert path.read_bytes() == data
