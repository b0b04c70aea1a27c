"""Writing facts: append, counters, rewrite."""

import unittest

from weldgate_firmware.fact_reader import FACTS_MAX, SPARE_CLEAN
from weldgate_firmware.facts import FactLog
from weldgate_simulator.flash import VirtualFlash

SECTOR = 512
COUNTER = 5


def fresh(sector=SECTOR):
    """Return (flash, log), with the first area written."""
    flash = VirtualFlash(2, sector)
    log = FactLog(flash, 0, 1, COUNTER)
    log.mount()
    log.prepare()
    log.rewrite([])
    return flash, log


def remounted(flash):
    """Return the log as the next boot finds it."""
    log = FactLog(flash, 0, 1, COUNTER)
    log.mount()
    return log


class TestFactLog(unittest.TestCase):
    """One log over two areas of one sector."""

    def test_counter_counts_on_without_a_new_entry(self):
        """A counter that grows by minutes clears bits of the entry it has; one that falls gets a new entry."""
        _, log = fresh()
        log.put(COUNTER, b"", (100).to_bytes(4, "big"))
        end = log.end
        for value in (130, 160, 161, 400):
            log.put(COUNTER, b"", value.to_bytes(4, "big"))
            self.assertEqual(int.from_bytes(log.get(COUNTER, b""), "big"), 100 + (value - 100 + 59) // 60 * 60)
        self.assertEqual(log.end, end)
        log.put(COUNTER, b"", (40).to_bytes(4, "big"))
        self.assertEqual((log.get(COUNTER, b""), log.end > end), ((40).to_bytes(4, "big"), True))

    def test_rewrite_counts_only_when_its_header_took(self):
        """A rewrite that fails leaves the old area, and nothing may be added to it any more until one succeeds."""
        for failing in range(2):
            flash, log = fresh()
            log.put(1, b"key", b"value")
            log.prepare()
            log._io.flash = Refusing(flash, failing)
            with self.assertRaises(OSError):
                log.rewrite(list(log.facts()))
            log._io.flash = flash
            with self.subTest(failing=failing):
                self.assertEqual(log.get(1, b"key"), b"value")
                self.assertEqual(log.room(3, 5), failing == 0)
                self.assertEqual(remounted(flash).get(1, b"key"), b"value")

    def test_more_than_fits_is_an_error(self):
        """Facts that do not fit the other area, by bytes or by number, leave the old one in force."""
        flash, log = fresh()
        log.put(1, b"key", b"value")
        log.prepare()
        with self.assertRaises(OSError):
            log.rewrite([(2, b"%d" % i, b"x" * 100) for i in range(9)])
        self.assertEqual(remounted(flash).get(1, b"key"), b"value")
        _, wide = fresh(8192)
        wide.prepare()
        with self.assertRaises(OSError):
            wide.rewrite([(2, i.to_bytes(2, "big"), b"") for i in range(FACTS_MAX + 1)])

    def test_long_fact_survives_a_rewrite(self):
        """The longest fact, longer than a page, is moved like the others."""
        flash, log = fresh(2048)
        facts = [(1, b"k" * 15, b"v" * 253), (2, b"", b"w"), (3, b"", b"x" * 240), (4, b"", b"y" * 240)]
        for kind, key, value in facts:
            log.put(kind, key, value)
        log.prepare()
        log.rewrite(list(log.facts()))

        self.assertEqual(list(remounted(flash).facts()), facts)
        self.assertEqual(list(log.facts()), facts)

    def test_areas_take_turns(self):
        """Each rewrite goes to the other area, which is clean only after it was prepared again."""
        flash, log = fresh()
        for _ in range(4):
            self.assertFalse(log.spare == SPARE_CLEAN)
            log.prepare()
            self.assertEqual(log.spare, SPARE_CLEAN)
            log.rewrite(list(log.facts()))

        self.assertEqual(flash.erases, [2, 3])


class Refusing:
    """A flash that refuses the program with a given number, and passes all else on."""

    def __init__(self, flash, number):
        self.flash, self.number = flash, number

    def read(self, offset, buf):
        """Pass on."""
        self.flash.read(offset, buf)

    def program(self, offset, data):
        """Refuse one, pass on the others."""
        self.number -= 1
        if self.number < 0:
            raise OSError(5)
        self.flash.program(offset, data)
