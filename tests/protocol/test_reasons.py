"""The register's numbers: unique and in their ranges, on both interpreters."""

import unittest

from weldgate_protocol import reasons

# prefix -> the numbers it may use (SPEC.md, register of reasons)
RANGES = (
    ("TOKEN_", 1, 39),
    ("ORDER_", 40, 59),
    ("KEY_SET_", 60, 69),
    ("GATE_", 100, 119),
    ("END_", 120, 149),
    ("ALARM_", 150, 199),
    ("FRAME_", 200, 214),
    ("STREAM_", 215, 219),
    ("CBOR_", 220, 234),
    ("MESSAGE_", 235, 249),
    ("WIRE_", 250, 269),
    ("COSE_", 270, 271),
    ("BASE45_", 272, 272),
    ("KEY_MALFORMED", 273, 273),
    ("PACK_", 275, 279),
    ("CONFIG_", 280, 284),
    ("CONSOLE_", 285, 289),
    ("STORAGE_", 290, 299),
)


def constants():
    """Return (name, number) of every reason that the chip has; test_reason_texts looks at the others."""
    found = [(name, getattr(reasons, name)) for name in dir(reasons) if name[0] != "_" and name == name.upper()]
    return [(name, number) for name, number in found if not name.startswith(("PLATFORM_", "TOOL_"))]


class ReasonsTest(unittest.TestCase):
    """One register."""

    def test_numbers_are_unique(self):
        """M-REASON-01: no number is given out twice."""
        numbers = [number for _, number in constants()]

        self.assertTrue(len(numbers) > 140)
        self.assertEqual(len(set(numbers)), len(numbers))

    def test_numbers_keep_to_their_ranges(self):
        """M-REASON-01: the number alone tells which part of the house speaks."""
        for name, number in constants():
            with self.subTest(name=name):
                homes = [(low, high) for prefix, low, high in RANGES if name.startswith(prefix)]
                self.assertEqual(len(homes), 1)
                low, high = homes[0]
                self.assertTrue(low <= number <= high)
