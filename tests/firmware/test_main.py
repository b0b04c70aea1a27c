"""The entry point on stand-ins for the module's own modules: whatever ends, the module restarts."""

import asyncio
import os
import sys
import unittest


class Anything:
    """A module that nothing is asked of here."""


def imported():
    """Import `main` with stand-ins for what only the module has, and take them away again."""
    import weldgate_protocol.cose  # noqa: F401 - its machine code looks for an emitter, and must not find the stand-in

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
ENTRIES = os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../../firmware/"


def started(entry, **modules):
    """Run boot.py or main.py as the module does, with modules in place of its own."""
    before = dict(sys.modules)
    with open(ENTRIES + entry) as file:
        source = file.read()
    for name, module in modules.items():
        sys.modules[name] = module
    try:
        exec(source, {"__name__": "__main__"})
    finally:
        for name in modules:
            del sys.modules[name]
            if name in before:
                sys.modules[name] = before[name]


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


class ResetError(Exception):
    """The module restarts here."""


class Part:
    """Whatever is called here: it is noted, and may fail."""

    random = None
    wiring = ""

    def __init__(self, name, failing, did):
        self.name, self.failing, self.did = name, failing, did

    def __call__(self, *_):
        self.did.append(self.name)
        if self.name == self.failing:
            raise OSError(5)
        return self

    def boot(self):
        pass

    def reset(self):
        self.did.append("reset")
        raise ResetError

    async def run(self):
        pass


class TestBuilding(unittest.TestCase):
    """What fails before the app runs: with a board the board restarts, without one the entry point does."""

    NAMES = ("PartitionFlash", "Storage", "Board", "app", "gc")

    def setUp(self):
        self.kept = [getattr(main, name) for name in self.NAMES]

    def tearDown(self):
        for name, value in zip(self.NAMES, self.kept):
            setattr(main, name, value)

    def build(self, failing):
        """Run with stand-ins of which one fails; return the steps taken and the error that came out."""
        did = []
        main.gc = Collector()
        for name in ("PartitionFlash", "Storage", "Board"):
            setattr(main, name, Part(name, failing, did))
        main.app = Anything()
        main.app.load_identity = Part("load_identity", failing, did)
        main.app.App = Part("App", failing, did)
        try:
            main.run()
        except Exception as error:
            return did, type(error)
        return did, None

    def test_s1_a_start_that_fails_reaches_the_entry_point(self):
        """No board, so no relay's pin and no watchdog: the error leaves `run`."""
        for failing in ("PartitionFlash", "Storage", "load_identity", "Board"):
            with self.subTest(failing=failing):
                did, error = self.build(failing)
                self.assertEqual((did[-1], error), (failing, OSError))

    def test_s1_what_fails_with_a_board_restarts_it(self):
        """The board opens the relay and resets the module, as it does when the app ends."""
        for failing in ("App", ""):
            with self.subTest(failing=failing):
                did, error = self.build(failing)
                self.assertEqual((did[-2:], error), (["App", "reset"], ResetError))


class Module:
    """`machine`, `time`, `micropython` and `gc` of the module, in one, with what was done to them."""

    def __init__(self):
        self.did = []

    def sleep(self, seconds):
        self.did.append(seconds)

    def kbd_intr(self, byte):
        self.did.append(byte)

    def threshold(self, _bytes):
        self.did.append("threshold")

    def reset(self):
        self.did.append("reset")
        raise ResetError


class TestEntries(unittest.TestCase):
    """boot.py and main.py as the module runs them."""

    def setUp(self):
        self.module = Module()
        self.kept = main.run
        if not hasattr(sys, "print_exception"):
            sys.print_exception = lambda error: None

    def tearDown(self):
        main.run = self.kept

    def start(self, **modules):
        with self.assertRaises(ResetError):
            started("main.py", machine=self.module, time=self.module, **modules)
        self.assertEqual(self.module.did, [10, "reset"])

    def test_s1_whatever_ends_the_firmware_restarts_the_module(self):
        """An error on the way to a board, and a return, end in a reset after a pause, never at the REPL."""

        def fail():
            raise MemoryError

        for run in (fail, lambda: None):
            self.module.did.clear()
            main.run = run
            self.start()

    def test_s1_a_firmware_that_can_not_be_imported_restarts_the_module(self):
        """A damaged file is an error like others."""
        self.start(weldgate_firmware=Anything())

    def test_s1_no_byte_on_the_console_stops_the_start(self):
        """The interrupt key is off before anything else happens: a byte 03 of noise would end at the REPL."""
        started("boot.py", micropython=self.module, gc=self.module)
        self.assertEqual(self.module.did, [-1, "threshold"])


if __name__ == "__main__":
    unittest.main()
