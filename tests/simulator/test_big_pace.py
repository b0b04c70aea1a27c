"""Acks at a steady rate: each frame's time is taken once, and all of them are there."""

import pytest

from weldgate_simulator import big_pace
from weldgate_simulator.big_line import BigLine

pytestmark = pytest.mark.broker


def test_every_frame_is_timed_once(big_line: BigLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its turn to its ack; what is sent beforehand is acknowledged and not timed."""
    monkeypatch.setattr(big_pace, "_WARM_S", 1)

    found = big_pace.pace(big_line, 200, 1)

    assert found.frames == 200
    assert 0 < found.p50_ms <= found.p99_ms <= found.worst_ms
    assert (found.sealed, found.deleted) == (0, 0)
