"""Settings: defaults, ranges, and any bytes refused with a typed error."""

import json
import os
import unittest

from weldgate_firmware import config
from weldgate_firmware.config import SETTINGS, Config
from weldgate_protocol import cbor, reasons
from weldgate_protocol.errors import ConfigError

with open((os.getenv("WELDGATE_VECTORS") or "tests/vectors") + "/config.json") as file:
    VECTORS = json.load(file)


class TestConfig(unittest.TestCase):
    """One configuration."""

    def test_vectors(self):
        """Each map of the vectors sets what it says, or is refused with its number."""
        for case in VECTORS:
            with self.subTest(case["name"]):
                data = bytes.fromhex(case["hex"])
                if "error" in case:
                    with self.assertRaises(ConfigError) as caught:
                        config.decode(data)
                    self.assertEqual(caught.exception.code, case["error"])
                else:
                    found = config.decode(data)
                    for name in case["expect"]:
                        self.assertEqual(getattr(found, name), case["expect"][name])

    def test_defaults(self):
        """Without settings each has its default, and nothing is encoded."""
        one = Config()

        for _key, name, low, high, default, _unit, _what in SETTINGS:
            self.assertEqual(getattr(one, name), default)
            self.assertTrue(low <= default <= high)
        self.assertEqual(config.encode(one), b"\xa0")

    def test_round_trip(self):
        """What differs from the defaults survives encoding and decoding, and has its own digest."""
        one = Config({1: 10, 10: 2500})
        two = config.decode(config.encode(one))

        self.assertEqual((two.heartbeat_s, two.bypass_ma), (10, 2500))
        self.assertEqual(one.digest(), two.digest())
        self.assertTrue(one.digest() != Config().digest())

    def test_ranges_end_where_the_gates_rules_end(self):
        """No setting lets a token wait longer than 120 s or a session idle longer than 15 min."""
        for key, value in ((3, 121), (4, 901)):
            with self.subTest(key=key):
                with self.assertRaises(ConfigError) as caught:
                    Config({key: value})
                self.assertEqual(caught.exception.code, reasons.CONFIG_RANGE)

    def test_refused(self):
        """Unknown keys, other types and other bytes are refused, each with its number."""
        for name, data, code in (
            ("unknown", cbor.encode({99: 1}), reasons.CONFIG_UNKNOWN_KEY),
            ("text", cbor.encode({1: "30"}), reasons.CONFIG_TYPE),
            ("bool", cbor.encode({1: True}), reasons.CONFIG_TYPE),
            ("low", cbor.encode({1: 4}), reasons.CONFIG_RANGE),
            ("list", cbor.encode([1]), reasons.CONFIG_MALFORMED),
            ("noise", b"\xff\x00", reasons.CONFIG_MALFORMED),
            ("empty", b"", reasons.CONFIG_MALFORMED),
        ):
            with self.subTest(name=name):
                with self.assertRaises(ConfigError) as caught:
                    config.decode(data)
                self.assertEqual(caught.exception.code, code)

    def test_keys_are_unique(self):
        """No key and no name stands twice."""
        self.assertEqual(len({row[0] for row in SETTINGS}), len(SETTINGS))
        self.assertEqual(len({row[1] for row in SETTINGS}), len(SETTINGS))


if __name__ == "__main__":
    unittest.main()
