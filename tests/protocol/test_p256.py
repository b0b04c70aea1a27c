"""ECDSA over P-256 against edge vectors, and that a check comes in slices."""

import json
import os
import unittest

from weldgate_protocol import ec_comb, ec_machine, p256

with open(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/p256.json") as file:
    CASES = json.load(file)
with open(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/p256_random.json") as file:
    RANDOM = json.load(file)


def arguments(case):
    """Return key, digest and signature of a case."""
    return [bytes.fromhex(case[name]) for name in ("key", "digest", "signature")]


class P256Test(unittest.TestCase):
    """Yes exactly where the curve says yes."""

    def test_good_signatures_are_accepted(self):
        """M-TOK-06: a good signature is a yes, also where additions degenerate or r + n is the x of the sum."""
        for case in CASES:
            if case["good"]:
                with self.subTest(name=case["name"]):
                    self.assertTrue(p256.verify(*arguments(case)))

    def test_bad_signatures_are_refused(self):
        """M-TOK-06: r or s out of range, a sum at infinity, a key off the curve and every other fault are a no."""
        for case in CASES:
            if not case["good"]:
                with self.subTest(name=case["name"]):
                    self.assertFalse(p256.verify(*arguments(case)))

    def test_second_check_by_the_same_key_is_as_right(self):
        """A kept table gives the same answers as a fresh one, and only so many tables are kept."""
        good = [case for case in CASES if case["good"]][: ec_comb.TABLES_MAX + 3]
        for _ in range(2):
            for case in good:
                self.assertTrue(p256.verify(*arguments(case)))
                spoiled = arguments(case)
                spoiled[1] = bytes(31) + b"\x05"
                self.assertFalse(p256.verify(*spoiled))
        self.assertEqual(len(ec_comb.tables), ec_comb.TABLES_MAX)

    def test_check_comes_in_slices(self):
        """M-TOK-20: a check yields often, with and without its tables, so that the gate's tick gets its turn."""
        case = [case for case in CASES if case["good"]][-1]
        for least in (60, 10):
            count = 0
            for _ in p256.verify_steps(*arguments(case)):
                count += 1
            self.assertTrue(count >= least)

    def test_two_checks_run_side_by_side(self):
        """Two interleaved checks by keys without tables come out right."""
        first, second = [case for case in CASES if case["good"]][5:9:3]
        steps = [p256.verify_steps(*arguments(first)), p256.verify_steps(*arguments(second))]
        results = []
        while steps:
            for one in list(steps):
                try:
                    next(one)
                except StopIteration as stop:
                    results.append(stop.value)
                    steps.remove(one)
        self.assertEqual(results, [True, True])

    def test_more_checks_than_tables_run_side_by_side(self):
        """Interleaved checks by more keys than there are tables come out right, and the kept tables stay few."""
        cases = [case for case in CASES if case["good"]][: ec_comb.TABLES_MAX + 3]
        cases = cases + cases[:1]
        steps = [p256.verify_steps(*arguments(case)) for case in cases]
        results = []
        while steps:
            for one in list(steps):
                try:
                    next(one)
                except StopIteration as stop:
                    results.append(stop.value)
                    steps.remove(one)
        self.assertEqual(results, [True] * len(cases))
        self.assertEqual(len(ec_comb.tables), ec_comb.TABLES_MAX)

    def test_closed_check_gives_its_table_back(self):
        """A check that is dropped half-way leaves nothing half-built behind."""
        case = [case for case in CASES if case["good"]][-1]
        for pauses in (1, 30, 70):
            steps = p256.verify_steps(*arguments(case))
            for _ in range(pauses):
                try:
                    next(steps)
                except StopIteration:
                    break
            steps.close()
            self.assertEqual(len(ec_comb.tables), ec_comb.TABLES_MAX)
            self.assertTrue(p256.verify(*arguments(case)))

    def test_prepared_key_is_quicker(self):
        """M-TOK-20: tables can be built ahead, and what is no key is left alone."""
        case = [case for case in CASES if case["good"]][3]
        key = arguments(case)[0]
        p256.run(p256.prepare_steps(key))
        count = 0
        for _ in p256.verify_steps(*arguments(case)):
            count += 1
        self.assertTrue(count < 40)
        self.assertEqual(list(p256.prepare_steps(bytes(64))), [])

    def test_verdicts_are_the_same_by_big_integers_alone(self):
        """M-TOK-06: the complete way, which degenerate sums go and every sum without an emitter, says the same."""
        ready = ec_machine.ready
        ec_machine.ready = False
        try:
            for case in CASES:
                with self.subTest(name=case["name"]):
                    self.assertEqual(p256.verify(*arguments(case)), case["good"])
        finally:
            ec_machine.ready = ready

    def test_random_signatures_get_openssl_s_verdict(self):
        """M-TOK-06: signatures by arbitrary keys, whole and bent, 240 of them."""
        self.assertTrue(len(RANDOM) >= 240)
        for case in RANDOM:
            with self.subTest(name=case["name"]):
                self.assertEqual(p256.verify(*arguments(case)), case["good"])

    def test_points_are_judged(self):
        """M-KEYSET-05: on_curve knows points from other pairs of numbers and from other lengths."""
        self.assertTrue(p256.on_curve(p256.CURVE.generator))
        self.assertFalse(p256.on_curve(p256.CURVE.generator[:63]))
        self.assertFalse(p256.on_curve(bytes(64)))
        self.assertFalse(p256.on_curve(p256.CURVE.generator[32:] + p256.CURVE.generator[:32]))
