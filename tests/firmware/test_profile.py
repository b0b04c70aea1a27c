"""Profiles: found by name, and never so slow that rule S4's second is missed."""

import unittest

from weldgate_firmware import profile
from weldgate_firmware.profile import Profile
from weldgate_protocol import reasons
from weldgate_protocol.errors import ConfigError


class TestProfiles(unittest.TestCase):
    """The profiles there are."""

    def test_each_is_found_by_its_name(self):
        """Every profile is found by its name, names are unique."""
        names = [one.name for one in profile.profiles()]

        self.assertEqual(len(names), len(set(names)))
        for name in names:
            self.assertEqual(profile.find(name).name, name)

    def test_unknown_name_says_which_there_are(self):
        """An unknown name is refused with the known ones in the message."""
        with self.assertRaises(ConfigError) as caught:
            profile.find("steam")

        self.assertEqual(caught.exception.code, reasons.CONFIG_UNKNOWN_KEY)
        self.assertIn("ac-ct-mains", str(caught.exception))

    def test_blanking_and_duration_fit_into_a_second(self):
        """Blanking and duration leave the detector's delay room within the second that S4 allows."""
        for one in profile.profiles():
            self.assertTrue(one.blanking_ms + one.bypass_ms <= 900)

    def test_ranges_are_held(self):
        """What would break S4 is refused."""
        for wrong in ({"bypass_ma": 0}, {"bypass_ms": 401}, {"blanking_ms": 501}, {"position": 3}, {"sensor": 0}):
            with self.subTest(wrong=wrong):
                fields = {"name": "x", "sensor": 1, "position": 1, "bypass_ma": 1000}
                fields.update(wrong)
                with self.assertRaises(ConfigError) as caught:
                    Profile(**fields)
                self.assertEqual(caught.exception.code, reasons.CONFIG_RANGE)


if __name__ == "__main__":
    unittest.main()
