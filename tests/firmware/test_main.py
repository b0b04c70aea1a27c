"""The entry point on stand-ins for the module's own modules: whatever ends, the module restarts."""

import asyncio
import sys
import unittest


class Anything:
    """A module that nothing is asked of here."""


def imported():
    """Import `main` with stand-ins for what only the module has, and take them away again."""
    before = dict(sys.modules)
    names = ["machine", "network", "esp32"]
    try:
        import micropython  # noqa: F401
    except ImportError:
        names.append("micropython")
    for name in names:
        sys.modules[name] = Anything()
    from weldgate_firmware import main

    for name in names:
        del sys.modules[name]
        if name in before:
            sys.modules[name] = before[name]
    return main


main = imported()

SOON_S = 10


class Collector:
    """What `main` knows of `gc`: it fails when it is told to."""

    def __init__(self, failing_at=0):
        self.failing_at = failing_at
        self.collected = 0

    def collect(self):
        self.collected += 1
        if self.collected == self.failing_at:
            raise MemoryError

    def threshold(self, _bytes):
        pass


class TestRun(unittest.TestCase):
    """The app with its garbage collected beside it."""

    def setUp(self):
        self._gc, self._collect_s = main.gc, main.COLLECT_S
        main.COLLECT_S = 0.001

    def tearDown(self):
        main.gc, main.COLLECT_S = self._gc, self._collect_s

    def play(self, part, collector):
        """Run a part beside a collector until `_run` ends."""
        main.gc = collector

        async def bounded():
            await asyncio.wait_for(main._run(part()), SOON_S)

        asyncio.run(bounded())

    def test_s1_a_collection_that_fails_ends_the_run(self):
        """Without it the heap would fill under a running session: the caller resets the module."""

        async def forever():
            await asyncio.sleep(3600)

        with self.assertRaises(MemoryError):
            self.play(forever, Collector(failing_at=3))

    def test_s1_an_app_that_fails_ends_the_run(self):
        """What the app died of reaches the caller, after garbage was collected for as long as it ran."""
        collector = Collector()

        async def failing():
            while collector.collected < 5:
                await asyncio.sleep(0)
            raise ValueError("a bug")

        with self.assertRaises(ValueError):
            self.play(failing, collector)

    def test_s1_an_app_that_returns_ends_the_run(self):
        """Nothing is left to run then."""

        async def returning():
            pass

        self.play(returning, Collector())


if __name__ == "__main__":
    unittest.main()
