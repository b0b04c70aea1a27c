"""LED and buzzer: rhythms of states, numbers spelt as flashes."""

import unittest

from weldgate_firmware import gate as gates
from weldgate_firmware.indicator import BEEP_MS, RHYTHMS, Indicator, flashes
from weldgate_protocol import reasons


class Lights:
    def __init__(self):
        self.lit = False
        self.beeping = False
        self.flashes = 0

    def led(self, on):
        self.flashes += on and not self.lit
        self.lit = on

    def buzzer(self, on):
        self.beeping = on


class TestIndicator(unittest.TestCase):
    def setUp(self):
        self.lights = Lights()
        self.indicator = Indicator(self.lights)

    def run_ms(self, ms):
        for _ in range(ms // 10):
            self.indicator.tick(10)

    def test_every_state_has_a_rhythm_of_its_own(self):
        """Somebody who looks at the LED can tell all states apart."""
        self.assertEqual(sorted(RHYTHMS), list(range(gates.LOCKED, gates.LATCHED + 1)))
        self.assertEqual(len(set(RHYTHMS.values())), len(RHYTHMS))

    def test_live_is_lit_for_good(self):
        """The relay closed: no pause in the light."""
        self.indicator.show(gates.LIVE, 0)
        self.run_ms(20)
        before = self.lights.flashes
        self.run_ms(5000)

        self.assertTrue(self.lights.lit)
        self.assertEqual(self.lights.flashes, before)

    def test_reason_is_spelt_digit_by_digit(self):
        """109 is one flash, ten for the nought, nine."""
        self.assertEqual(len([step for step in flashes(109) if step[0]]), 1 + 10 + 9)
        self.indicator.show(gates.LOCKED, 0)
        self.run_ms(1000)
        before = self.lights.flashes
        self.indicator.show(gates.LOCKED, reasons.TOKEN_USED)
        self.run_ms(900 + 9 * 300)

        self.assertEqual(self.lights.flashes - before, 9)

    def test_reason_beeps_once(self):
        """A refusal is heard, and then it is quiet."""
        self.indicator.show(gates.IDLE, reasons.TOKEN_USED)
        self.indicator.tick(10)
        self.assertTrue(self.lights.beeping)
        self.run_ms(BEEP_MS)
        self.assertFalse(self.lights.beeping)

    def test_state_comes_back_after_the_reason(self):
        """Then the rhythm of the state goes on."""
        self.indicator.show(gates.LIVE, reasons.END_EXPIRED)
        self.run_ms(20000)

        self.assertTrue(self.lights.lit)

    def test_identify_flickers_for_its_time(self):
        """ "Is it this one?": faster than any state, and over when it is over."""
        self.indicator.show(gates.LIVE, 0)
        self.indicator.identify(1)
        self.run_ms(1000)
        self.assertGreater(self.lights.flashes, 6)
        self.run_ms(200)
        before = self.lights.flashes
        self.run_ms(1000)
        self.assertEqual(self.lights.flashes, before)
