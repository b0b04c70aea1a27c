"""Signed orders against their vectors, and what the verifier hands on."""

import os
import sys
import unittest

sys.path.insert(0, os.getenv("WELDGATE_VECTORS", "tests/vectors"))
import circumstances

from weldgate_protocol import order, reasons
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
        """What keeps every rule to its last second and byte is carried out."""
        for case in CASES:
            if "expect" in case:
                with self.subTest(name=case["name"]):
                    self.assertEqual(verify(case).kind, case["kind"].encode())

    def refuse(self, *codes):
        """Expect each case with one of these reasons to be refused with it; each reason must have a case."""
        for code in codes:
            named = [case for case in CASES if case.get("error") == code]
            self.assertTrue(len(named) > 0)
            for case in named:
                with self.subTest(name=case["name"]):
                    with self.assertRaises(Refused) as caught:
                        verify(case)
                    self.assertEqual(caught.exception.code, code)

    def test_longer_orders_are_refused_unread(self):
        """M-ORD-01: 1001 bytes are too long."""
        self.refuse(reasons.ORDER_TOO_LONG)

    def test_kind_and_signature_come_first(self):
        """M-ORD-02, M-ORD-05: another kind, another key or a changed bit is the reason, whatever it claims."""
        self.refuse(reasons.ORDER_SIGNATURE)

    def test_other_forms_are_refused(self):
        """M-ORD-03, M-ORD-06: other envelopes and claims that are no deterministic map."""
        self.refuse(reasons.ORDER_MALFORMED)

    def test_key_must_be_trusted(self):
        """M-ORD-04: a key that is not in the key set, or revoked."""
        self.refuse(reasons.ORDER_UNKNOWN_KEY)

    def test_claims_are_those_of_the_kind(self):
        """M-ORD-06, M-ORD-09: unknown, missing and out of range, and a life above 31 days."""
        self.refuse(reasons.ORDER_UNKNOWN_CLAIM, reasons.ORDER_MISSING_CLAIM, reasons.ORDER_CLAIM_RANGE)

    def test_other_device_is_refused(self):
        """M-ORD-07: an order is for its device."""
        self.refuse(reasons.ORDER_OTHER_DEVICE)

    def test_key_orders_within_its_limits(self):
        """M-ORD-08: scope, area and period of the key."""
        self.refuse(reasons.ORDER_SCOPE)

    def test_repeats_are_refused(self):
        """M-ORD-10: what acts once is refused the second time."""
        self.refuse(reasons.ORDER_USED)

    def test_old_versions_are_refused(self):
        """M-ORD-11: a version that is not above the one in force."""
        self.refuse(reasons.ORDER_VERSION_OLD)

    def test_target_must_hold(self):
        """M-ORD-12: a release names a lock that holds, a clear names latched alarms only."""
        self.refuse(reasons.ORDER_UNKNOWN_LOCK, reasons.ORDER_UNKNOWN_ALARM)

    def test_other_kinds_are_refused(self):
        """M-ORD-13: kinds that the chip does not do."""
        self.refuse(reasons.ORDER_UNSUPPORTED)

    def test_time_outside_is_refused(self):
        """M-ORD-14, M-ORD-10, M-ORD-17: expired, from the future, past the key set, no later than forgotten ones."""
        self.refuse(reasons.ORDER_EXPIRED, reasons.ORDER_FROM_FUTURE, reasons.KEY_SET_EXPIRED)

    def test_key_set_needs_a_root(self):
        """M-KEYSET-01: an issuer key signs no key set."""
        self.refuse(reasons.KEY_SET_SIGNATURE)

    def test_every_refusal_has_its_test(self):
        """No reason of the vectors is left without a test of its rule."""
        tested = {
            reasons.ORDER_TOO_LONG,
            reasons.ORDER_SIGNATURE,
            reasons.ORDER_MALFORMED,
            reasons.ORDER_UNKNOWN_KEY,
            reasons.ORDER_UNKNOWN_CLAIM,
            reasons.ORDER_MISSING_CLAIM,
            reasons.ORDER_CLAIM_RANGE,
            reasons.ORDER_OTHER_DEVICE,
            reasons.ORDER_SCOPE,
            reasons.ORDER_USED,
            reasons.ORDER_VERSION_OLD,
            reasons.ORDER_UNKNOWN_LOCK,
            reasons.ORDER_UNKNOWN_ALARM,
            reasons.ORDER_UNSUPPORTED,
            reasons.ORDER_EXPIRED,
            reasons.ORDER_FROM_FUTURE,
            reasons.KEY_SET_EXPIRED,
            reasons.KEY_SET_SIGNATURE,
        }
        self.assertEqual({case["error"] for case in CASES if "error" in case} - tested, set())

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
