"""SM2 with SM3 against edge vectors, and that a check comes in slices."""

import json
import os
import unittest

from weldgate_protocol import ec_comb, ec_machine, p256, sm2

VECTORS = os.getenv("WELDGATE_VECTORS", "tests/vectors")
with open(VECTORS + "/sm2.json") as file:
    CASES = json.load(file)
with open(VECTORS + "/p256.json") as file:
    OTHER = [case for case in json.load(file) if case["good"]]
GOOD = [case for case in CASES if case["good"] and "message" in case]


def steps(case):
    """Return the check of a case: over its message, or over its e where it has one."""
    key, signature = bytes.fromhex(case["key"]), bytes.fromhex(case["signature"])
    if "message" in case:
        return sm2.verify_steps(key, bytes.fromhex(case["message"]), signature)
    e = bytes.fromhex(case["e"])
    return sm2._verify_steps(key, lambda _: e, signature)


def other_steps(case):
    """Return the check of a case of P-256's."""
    return p256.verify_steps(*[bytes.fromhex(case[name]) for name in ("key", "digest", "signature")])


def side_by_side(waiting):
    """Run checks in turns and return their verdicts."""
    verdicts = []
    while waiting:
        one = waiting.pop(0)
        try:
            next(one)
            waiting.append(one)
        except StopIteration as stop:
            verdicts.append(stop.value)
    return verdicts


class SM2Test(unittest.TestCase):
    """Yes exactly where the standard says yes."""

    def judge(self, good):
        """Check the verdict on every case of one kind."""
        for case in CASES:
            if case["good"] == good:
                with self.subTest(name=case["name"]):
                    self.assertEqual(p256.run(steps(case)), good)

    def test_good_signatures_are_accepted(self):
        """M-SUITE-02: a good signature is a yes, also where additions degenerate or the sum's x is above n."""
        self.judge(True)

    def test_bad_signatures_are_refused(self):
        """M-SUITE-03: ranges, r + s = n, a sum at infinity, another hash, id or ZA, a key off the curve: all a no."""
        self.judge(False)

    def test_verdicts_are_the_same_by_big_integers_alone(self):
        """M-SUITE-03: the complete way, which degenerate sums go and every sum without an emitter, says the same."""
        ready = ec_machine.ready
        ec_machine.ready = False
        try:
            for case in CASES:
                if "random" not in case["name"]:
                    with self.subTest(name=case["name"]):
                        self.assertEqual(p256.run(steps(case)), case["good"])
        finally:
            ec_machine.ready = ready

    def test_check_comes_in_slices(self):
        """M-TOK-20: a check yields often, with and without its tables, so that the gate's tick gets its turn."""
        for least in (60, 9):
            count = 0
            for _ in steps(GOOD[-1]):
                count += 1
            self.assertTrue(count >= least)

    def test_changed_bit_in_what_is_kept_with_a_key_is_noticed_and_mended(self):
        """M-SUITE-02: a table's seal covers the points, the key and ZA."""
        self.assertTrue(p256.run(steps(GOOD[0])))
        for at in (0, 4095, 4096, 4159, 4160, 4191):
            with self.subTest(at=at):
                table = ec_comb.tables[0]
                self.assertEqual(table.extra(), sm2.signer_hash(bytes.fromhex(GOOD[0]["key"])))
                table.data[at] ^= 4
                self.assertFalse(table.is_for(sm2.CURVE, bytes.fromhex(GOOD[0]["key"])))
                self.assertTrue(p256.run(steps(GOOD[0])))

    def test_checks_of_both_suites_run_side_by_side(self):
        """M-SUITE-03: each uses its own generator's table, and no table is taken for another curve's key."""
        for start in range(3):
            checks = [steps(GOOD[start]), other_steps(OTHER[start]), steps(GOOD[start + 1]), other_steps(OTHER[4])]
            self.assertEqual(side_by_side(checks), [True] * 4)
        self.assertEqual(len(ec_comb.tables), ec_comb.TABLES_MAX)

    def test_table_of_the_other_curve_s_key_is_not_taken(self):
        """M-SUITE-03: the same 64 bytes as a key of P-256 have another table."""
        key = bytes.fromhex(GOOD[0]["key"])
        p256.run(sm2.prepare_steps(key))
        table = ec_comb.tables[0]
        self.assertTrue(table.is_for(sm2.CURVE, key))
        self.assertFalse(table.is_for(p256.CURVE, key))
        other = ec_comb.take(p256.CURVE, key)
        ec_comb.give_back(other)
        self.assertFalse(other is table)

    def test_prepared_key_is_quicker(self):
        """M-TOK-20: tables can be built ahead, and what is no key is left alone."""
        p256.run(sm2.prepare_steps(bytes.fromhex(GOOD[3]["key"])))
        count = 0
        for _ in steps(GOOD[3]):
            count += 1
        self.assertTrue(count < 40)
        self.assertEqual(list(sm2.prepare_steps(bytes(64))), [])

    def test_points_are_judged(self):
        """M-KEYSET-05: each curve knows its own points."""
        self.assertTrue(sm2.on_curve(sm2.CURVE.generator))
        self.assertFalse(sm2.on_curve(p256.CURVE.generator))
        self.assertFalse(p256.on_curve(sm2.CURVE.generator))
