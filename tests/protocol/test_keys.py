"""Keys: every derivation against its vectors, every bound refused."""

import json
import os
import unittest

from weldgate_protocol import reasons
from weldgate_protocol.errors import LocalError
from weldgate_protocol.keys import ChipKeys, connection_key, derive, unwrap, wrap

with open((os.getenv("WELDGATE_VECTORS") or "tests/vectors") + "/keys.json") as file:
    VECTORS = json.load(file)

ROOT = bytes(range(32))
DEVICE = b"\x00\x00\x00\x00\x00\x00\x00\x07"


class TestKeys(unittest.TestCase):
    def refused(self, code, call):
        with self.assertRaises(LocalError) as caught:
            call()
        self.assertEqual(caught.exception.code, code)

    def test_derivations_match_the_vectors(self):
        """M-KEY-01: K_x is HMAC-SHA256(root, "weldgate/1/" ‖ x ‖ 00 ‖ device ‖ generation), byte for byte."""
        for case in VECTORS["derive"]:
            with self.subTest(case["name"]):
                key = derive(
                    bytes.fromhex(case["root"]),
                    case["purpose"].encode(),
                    bytes.fromhex(case["device"]),
                    case["generation"],
                )
                self.assertEqual(key.hex(), case["key"])

    def test_connection_keys_match_the_vectors(self):
        """M-KEY-02: K_conn is HMAC-SHA256(K_down, "weldgate/1/conn" ‖ 00 ‖ chip nonce ‖ collector nonce)."""
        for case in VECTORS["connection"]:
            with self.subTest(case["name"]):
                key = connection_key(
                    bytes.fromhex(case["k_down"]),
                    bytes.fromhex(case["chip_nonce"]),
                    bytes.fromhex(case["collector_nonce"]),
                )
                self.assertEqual(key.hex(), case["key"])

    def test_wrapped_keys_match_the_vectors(self):
        """M-KEY-04: keys of a new generation are wrapped and unwrapped byte for byte."""
        for case in VECTORS["wrap"]:
            with self.subTest(case["name"]):
                k_seal, order, secrets, wrapped = [
                    bytes.fromhex(case[name]) for name in ("k_seal", "order", "secrets", "wrapped")
                ]
                self.assertEqual(wrap(k_seal, order, case["generation"], secrets), wrapped)
                self.assertEqual(unwrap(k_seal, order, case["generation"], wrapped), secrets)

    def test_what_was_wrapped_otherwise_is_nothing(self):
        """M-KEY-04: another key, order or generation, or a flipped bit, unwraps to nothing."""
        case = VECTORS["wrap"][0]
        k_seal, order, wrapped = [bytes.fromhex(case[name]) for name in ("k_seal", "order", "wrapped")]
        flipped = wrapped[:50] + bytes([wrapped[50] ^ 1]) + wrapped[51:]

        self.assertEqual(unwrap(bytes(32), order, 1, wrapped), b"")
        self.assertEqual(unwrap(k_seal, bytes(8), 1, wrapped), b"")
        self.assertEqual(unwrap(k_seal, order, 2, wrapped), b"")
        self.assertEqual(unwrap(k_seal, order, 1, flipped), b"")
        self.assertEqual(unwrap(k_seal, order, 1, wrapped[:111]), b"")

    def test_each_input_changes_the_key(self):
        """M-KEY-01: no two purposes, devices, generations or roots share a key."""
        keys = set()
        for purpose in (b"up", b"down", b"seal"):
            for device in (DEVICE, bytes(8)):
                for generation in (0, 1, 0xFFFFFFFF):
                    for root in (ROOT, bytes(32)):
                        keys.add(derive(root, purpose, device, generation))
        self.assertEqual(len(keys), 36)

    def test_each_nonce_changes_the_connection_key(self):
        """M-KEY-02: either side's nonce alone makes another key, and their order counts."""
        a, b = b"a" * 16, b"b" * 16
        keys = {connection_key(ROOT, x, y) for x in (a, b) for y in (a, b)}
        self.assertEqual(len(keys), 4)

    def test_bad_inputs_are_refused(self):
        """A key is never made of inputs of another length, an unknown purpose or a generation off its four bytes."""
        cases = [
            lambda: derive(ROOT[:31], b"up", DEVICE, 1),
            lambda: derive(ROOT, b"conn", DEVICE, 1),
            lambda: derive(ROOT, b"up", DEVICE[:7], 1),
            lambda: derive(ROOT, b"up", DEVICE, -1),
            lambda: derive(ROOT, b"up", DEVICE, 1 << 32),
            lambda: connection_key(ROOT[:16], bytes(16), bytes(16)),
            lambda: connection_key(ROOT, bytes(15), bytes(16)),
            lambda: connection_key(ROOT, bytes(16), bytes(17)),
            lambda: ChipKeys(1 << 32, ROOT, ROOT),
            lambda: ChipKeys(1, ROOT[:8], ROOT),
            lambda: ChipKeys(1, ROOT, ROOT[:8]),
            lambda: ChipKeys(1, ROOT, ROOT, b"short"),
            lambda: ChipKeys(1, ROOT, ROOT, ROOT, b"short"),
        ]
        for i, call in enumerate(cases):
            with self.subTest(i):
                self.refused(reasons.KEY_MALFORMED, call)

    def test_parity_chooses_between_two_generations(self):
        """M-KEY-03: the parity bit says which of two generations a frame was tagged with."""
        keys = ChipKeys(3, b"n" * 32, ROOT, b"o" * 32)
        new, old = keys.up(1), keys.up(0)
        self.assertTrue(new is not None and old is not None)
        self.assertFalse(new.tag8(b"x") == old.tag8(b"x"))
        self.assertIsNone(ChipKeys(3, b"n" * 32, ROOT).up(0))
        self.assertEqual(ChipKeys(3, b"n" * 32, ROOT, b"o" * 32, b"p" * 32).down_of(0), b"p" * 32)
        self.assertEqual((keys.down_of(1), keys.down_of(0)), (ROOT, b""))

    def test_repr_shows_no_key(self):
        """Keys stay out of logs: the representation names the generation alone."""
        self.assertEqual(repr(ChipKeys(5, ROOT, ROOT)), "ChipKeys(generation=5)")


if __name__ == "__main__":
    unittest.main()
