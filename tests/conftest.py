"""The order of the tests: what takes long begins first, so that no worker waits for the last one."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the suites in the interpreters first, then all that is marked slow; the rest stays as it is."""
    items.sort(key=lambda item: (item.get_closest_marker("slow") is None, item.get_closest_marker("mpy") is None))
