"""The interpreter, and the line on a laid-down store, that the tests of this folder share."""

import os
import time

import pytest

from weldgate_simulator import cachegrind, interpreter
from weldgate_simulator.big_line import BigLine
from weldgate_simulator.big_store import MINUTE_MS, Plan
from weldgate_simulator.interpreter import Interpreter

NOW_MS = time.time_ns() // 1_000_000


@pytest.fixture(scope="session")
def chip() -> Interpreter:
    """Return the first MicroPython; without one skip on a laptop and fail in CI."""
    sentences: list[str] = []
    found = interpreter.find(sentences.append)
    if found is None:
        told = "NO MICROPYTHON: " + "; ".join(sentences)
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    return found


@pytest.fixture
def valgrind() -> None:
    """Skip without valgrind on a laptop, fail in CI."""
    missing = cachegrind.available()
    if missing and os.environ.get("CI"):
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)


@pytest.fixture(scope="session")
def big_line(tmp_path_factory: pytest.TempPathFactory) -> BigLine:
    """Return a line on a store that was laid down: 50 chips, 60 rows each; it does not run."""
    plan = Plan(50, 2, 1_000, 1_000, NOW_MS - 60 * MINUTE_MS)
    return BigLine.make(tmp_path_factory.mktemp("big"), plan, 5)
