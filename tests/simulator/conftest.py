"""The interpreter that the tests of this folder share."""

import os

import pytest

from weldgate_simulator import cachegrind, interpreter
from weldgate_simulator.interpreter import Interpreter


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
