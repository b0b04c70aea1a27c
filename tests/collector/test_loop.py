"""The collector's loop rests between two looks at its sockets, and never where there is something to do."""

import socket
from collections.abc import Iterator

import pytest

from weldgate_collector import loop


class Clock:
    """Stands in for ``time``: what was slept passes, nothing else does."""

    def __init__(self) -> None:
        self.now_s = 1.0
        self.slept_s: list[float] = []

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(loop, "time", found)
    monkeypatch.setattr(loop, "_rest", found.sleep)
    return found


@pytest.fixture
def ready() -> Iterator[loop.RestingSelector]:
    """A selector with a socket that has something to be read."""
    reader, writer = socket.socketpair()
    selector = loop.RestingSelector()
    with reader, writer:
        writer.send(b"x")
        selector.register(reader, 1)
        yield selector
        selector.close()


def test_first_look_after_a_while_is_at_once(clock: Clock, ready: loop.RestingSelector) -> None:
    """Whoever comes after a silence does not wait."""
    assert len(ready.select(None)) == 1
    assert clock.slept_s == []


def test_looks_follow_each_other_after_a_rest(clock: Clock, ready: loop.RestingSelector) -> None:
    """Only what is left of the rest is slept, and what came meanwhile is there."""
    ready.select(None)
    clock.now_s += 0.0005

    found = ready.select(None)

    assert len(found) == 1
    assert clock.slept_s == [pytest.approx(0.0015)]


def test_rest_ends_with_the_time_that_there_is(clock: Clock, ready: loop.RestingSelector) -> None:
    """A timer that is due sooner is not late."""
    ready.select(None)
    ready.select(0.001)

    assert clock.slept_s == [pytest.approx(0.001)]


def test_nobody_rests_with_work_to_do(clock: Clock, ready: loop.RestingSelector) -> None:
    """With callbacks waiting, asyncio asks with a timeout of 0."""
    ready.select(None)
    ready.select(0)

    assert clock.slept_s == []
