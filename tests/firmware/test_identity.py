"""Who a chip is: read strictly, kept out of messages."""

import os
import sys
import unittest

sys.path.append(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/../firmware")  # tests are no package

from board_double import DEVICE, K_UP, new_identity

from weldgate_firmware.identity import FIELDS, decode, encode
from weldgate_protocol import cbor, reasons
from weldgate_protocol.errors import ConfigError


class TestIdentity(unittest.TestCase):
    def refusal(self, data):
        with self.assertRaises(ConfigError) as caught:
            decode(data)
        return caught.exception

    def test_round_trip(self):
        """What the bench writes the chip reads."""
        again = decode(encode(new_identity("192.0.2.1", 7460)))

        for _key, name, _kind, _low, _high in FIELDS:
            self.assertEqual(getattr(again, name), getattr(new_identity("192.0.2.1", 7460), name))

    def test_every_field_is_needed_and_bounded(self):
        """A missing, longer, shorter or foreign value is refused with its name."""
        whole = cbor.decode(encode(new_identity()))
        for key, name, kind, low, high in FIELDS:
            for value in (None, 1.5 if False else [1], b"", "x" * 100, -1, 1 << 40):
                with self.subTest("%s %r" % (name, value)):
                    changed = dict(whole)
                    changed[key] = value
                    size = value if isinstance(value, int) else len(value) if value is not None else -1
                    if isinstance(value, kind) and low <= size <= high and name != "roots":
                        continue
                    error = self.refusal(cbor.encode(changed))
                    self.assertIn(name, str(error))
                    self.assertIn(error.code, (reasons.CONFIG_TYPE, reasons.CONFIG_RANGE))

    def test_unknown_key_is_refused(self):
        """A newer bench says something this firmware can't hold to."""
        whole = dict(cbor.decode(encode(new_identity())))
        whole[99] = 1
        self.assertEqual(self.refusal(cbor.encode(whole)).code, reasons.CONFIG_UNKNOWN_KEY)

    def test_what_is_no_map_is_refused(self):
        """Rubbish in the slot is no identity."""
        for data in (b"", b"\xff", b"\x80", b"\x00" * 40):
            with self.subTest(data):
                self.assertEqual(self.refusal(data).code, reasons.CONFIG_MALFORMED)

    def test_device_is_below_2_63_and_roots_are_keys(self):
        """Numbers that SQLite and JSON would bend, and half a public key."""
        whole = dict(cbor.decode(encode(new_identity())))
        whole[1] = b"\x80" + DEVICE[1:]
        self.assertEqual(self.refusal(cbor.encode(whole)).code, reasons.CONFIG_RANGE)
        whole[1] = DEVICE
        whole[6] = [b"r" * 63]
        self.assertEqual(self.refusal(cbor.encode(whole)).code, reasons.CONFIG_TYPE)

    def test_keys_stay_out_of_words(self):
        """Neither repr nor an error shows a key."""
        self.assertFalse("uuuu" in repr(new_identity()))
        with self.assertRaises(ConfigError) as caught:
            new_identity(k_up=K_UP + b"u")
        self.assertFalse("uuuu" in str(caught.exception))
