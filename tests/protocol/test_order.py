"""Signed orders against their vectors, and what the verifier hands on."""

import os
import sys
import unittest

sys.path.insert(0, os.getenv("WELDGATE_VECTORS", "tests/vectors"))
import circumstances

from weldgate_protocol import order
from weldgate_protocol.errors import Refused

SETUP, CASES = circumstances.load("order.json")
BY_NAME = {case["name"]: case for case in CASES}


def verify(case):
    """Judge a case's order in its circumstances."""
    context = circumstances.context(SETUP, case["context"])
    return order.verify(case["kind"].encode(), circumstances.data_of(case), context)


class OrderTest(unittest.TestCase):
    """Signed, aimed, in time and new, or refused."""

    def test_orders_are_accepted(self):
        """M-ORD-01 to M-ORD-12: what keeps every rule to its last second and byte is carried out."""
        for case in CASES:
            if "expect" in case:
                with self.subTest(name=case["name"]):
                    self.assertEqual(verify(case).kind, case["kind"].encode())

    def test_orders_are_refused(self):
        """M-ORD-01 to M-ORD-12: what breaks one rule is refused with that rule's reason."""
        for case in CASES:
            if "error" in case:
                with self.subTest(name=case["name"]):
                    with self.assertRaises(Refused) as caught:
                        verify(case)
                    self.assertEqual(caught.exception.code, case["error"])

    def test_claims_are_handed_on(self):
        """What an order says reaches the caller, kind by kind."""
        self.assertEqual(verify(BY_NAME["release: plain"]).lock.hex(), "2122232425262728")
        self.assertEqual(verify(BY_NAME["clear-alarm: plain"]).alarms, [bytes.fromhex("3132333435363738")])
        config = verify(BY_NAME["config: plain"])
        self.assertEqual(config.settings, {1: 300, 2: "x", 3: True, 4: [1, 2]})
        self.assertEqual(config.version, SETUP["now_s"])
        lists = verify(BY_NAME["revocations: plain"])
        self.assertEqual(lists.tokens, [bytes.fromhex("0102030405060708")])
        self.assertEqual(len(lists.kids), 1)
        self.assertEqual(verify(BY_NAME["lock: now"]).mode, order.MODE_NOW)
        key_set = verify(BY_NAME["key-set: a key set as an order"])
        self.assertEqual((len(key_set.key_set.keys), key_set.version), (6, SETUP["now_s"] - 86400))

    def test_unversioned_orders_act_once(self):
        """M-ORD-10: the id of an order without a version must be kept as used; versions speak for the others."""
        once = {kind: verify(BY_NAME[kind + ": plain"]).acts_once() for kind in ("release", "clear-alarm", "lock")}
        self.assertEqual(set(once.values()), {True})
        self.assertFalse(verify(BY_NAME["config: plain"]).acts_once())
        self.assertFalse(verify(BY_NAME["revocations: plain"]).acts_once())

    def test_repr_shows_kind_and_id_only(self):
        """An order shows kind and id, not its content."""
        self.assertEqual(repr(verify(BY_NAME["lock: plain"])), "Order(lock, id=1112131415161718)")
