"""Comb tables: what stands in them, whose they are, and that a changed bit in one is noticed."""

import json
import os
import unittest

from weldgate_protocol import ec_comb, ec_machine, ec_sum, p256, sm2

CURVE = p256.CURVE
GENERATOR = CURVE.generator

with open(os.getenv("WELDGATE_VECTORS", "tests/vectors") + "/p256.json") as file:
    GOOD = [case for case in json.load(file) if case["good"]]
TABLE_BYTES = 4096


def arguments(case):
    """Return key, digest and signature of a case."""
    return [bytes.fromhex(case[name]) for name in ("key", "digest", "signature")]


def filled(public64, curve=CURVE):
    """Return a fresh table of a key."""
    table = ec_comb.Table(ec_machine.make_work())
    p256.run(ec_comb.fill_steps(curve, table, public64, table.work))
    return table


def interleaved(one, two, how):
    """Run two checks, the first of which has begun, and return their verdicts; of a dropped one there is none."""
    if how == "first dropped":
        next(two)
        one.close()
        return [p256.run(two)]
    if how == "second dropped":
        for _ in range(5):
            next(two)
        two.close()
        return [p256.run(one)]
    if how == "urgent":
        return [p256.run(two), p256.run(one)]
    verdicts = []
    waiting = [one, two]
    while waiting:
        steps = waiting.pop(0)
        try:
            next(steps)
            waiting.append(steps)
        except StopIteration as done:
            verdicts.append(done.value)
    return verdicts


def textbook(curve, public64, e):
    """Return entry e of a key's table by additions alone, affine."""
    p = curve.p
    tooth = (int.from_bytes(public64[:32], "big"), int.from_bytes(public64[32:], "big"), 1)
    x, y, z = 1, 1, 0
    for i in range(7):
        w = pow(tooth[2], p - 2, p)
        x2, y2 = tooth[0] * w * w % p, tooth[1] * w * w * w % p
        x, y, z = curve.add(x, y, z, x2, y2 if i == 6 or e >> i & 1 else p - y2)
        for _ in range(37):
            tooth = curve.double(*tooth)
    w = pow(z, p - 2, p)
    return x * w * w % p, y * w * w * w % p


class CombTest(unittest.TestCase):
    """Tables."""

    def test_entries_are_the_sums_of_their_teeth(self):
        """Entry e is the top tooth and the others by the bits of e, times R, built with machine code or without."""
        ready = ec_machine.ready
        try:
            for now in (False, ready):
                ec_machine.ready = now
                for curve, key in (
                    (CURVE, GENERATOR),
                    (CURVE, arguments(GOOD[0])[0]),
                    (sm2.CURVE, sm2.CURVE.generator),
                ):
                    table = filled(key, curve)
                    for e in (0, 1, 32, 42, 63):
                        expected = [value * curve.r % curve.p for value in textbook(curve, key, e)]
                        self.assertEqual(list(ec_comb._point(table.data, e)), expected)
        finally:
            ec_machine.ready = ready

    def test_digits_make_up_the_scalar(self):
        """Digits ±1, negated where that is said, add up to the scalar modulo n."""
        for n in (CURVE.n, sm2.CURVE.n):
            for scalar in (0, 1, 2, 3, n - 1, n - 2, n >> 1, 1 << 255, (1 << 222) + 1):
                m, negative = ec_comb.recode(scalar, n)
                value = 2 * m - ((1 << 259) - 1)
                self.assertEqual((-value if negative else value) % n, scalar)
                self.assertTrue(0 <= m < 1 << 259)

    def test_changed_bit_in_a_key_s_table_is_noticed_and_mended(self):
        """M-TOK-06: after a bit of a kept table, or of the key beside it, has flipped, a check builds it again."""
        key, digest, signature = arguments(GOOD[0])
        self.assertTrue(p256.verify(key, digest, signature))
        for at in (0, 31, 32, 2049, TABLE_BYTES - 1, TABLE_BYTES, TABLE_BYTES + 63):
            with self.subTest(at=at):
                table = ec_comb.tables[0]
                self.assertTrue(table.is_for(CURVE, key))
                table.data[at] ^= 1 << at % 8
                self.assertFalse(table.is_for(CURVE, key))
                self.assertTrue(p256.verify(key, digest, signature))
                self.assertTrue(table.is_for(CURVE, key))

    def test_changed_bit_in_the_generator_s_table_is_mended_when_a_key_is_prepared(self):
        """M-TOK-06: the generator's table is looked at with each new key and after each start."""
        key, digest, signature = arguments(GOOD[0])
        self.assertTrue(p256.verify(key, digest, signature))
        for at in (0, 63, TABLE_BYTES - 1):
            CURVE.table.data[at] ^= 16
            self.assertFalse(CURVE.table.is_for(CURVE, GENERATOR))
            p256.run(ec_comb.prepare_steps(CURVE, key))
            self.assertTrue(CURVE.table.is_for(CURVE, GENERATOR))
            self.assertTrue(p256.verify(key, digest, signature))

    def test_changed_bit_that_nobody_looked_at_leads_off_the_curve(self):
        """M-TOK-06: it makes a good signature a no, never another a yes; the next check builds the tables again."""
        key, digest, signature = arguments(GOOD[0])
        self.assertTrue(p256.verify(key, digest, signature))
        for at in range(17, TABLE_BYTES, 64):  # every x: whichever entries the scalars select
            CURVE.table.data[at] ^= 4
        self.assertFalse(p256.verify(key, digest, signature))
        self.assertTrue(p256.verify(key, digest, signature))
        self.assertTrue(CURVE.table.is_for(CURVE, GENERATOR))

    def test_sum_off_the_curve_is_a_no_even_if_it_matches(self):
        """M-TOK-06: with an emptied table a forger knows the sum without the key; it is off the curve, so a no."""
        key, digest, _ = arguments(GOOD[0])
        table = filled(key)
        table.data[:TABLE_BYTES] = bytes(TABLE_BYTES)
        table.seal = ec_comb.sha256(table.data)
        u1 = 12345
        x, _, z = p256.run(
            ec_sum.complete_steps(CURVE, table.data, *ec_comb.recode(u1, CURVE.n), *ec_comb.recode(1, CURVE.n))
        )
        r = x * pow(z, CURVE.p - 3, CURVE.p) % CURVE.p  # z^-2
        s = int.from_bytes(digest, "big") * pow(u1, CURVE.n - 2, CURVE.n) % CURVE.n
        kept = ec_comb.tables[:]
        ready = ec_machine.ready
        try:
            ec_comb.tables[:] = [table]
            ec_machine.ready = False
            forged = (r % CURVE.n).to_bytes(32, "big") + s.to_bytes(32, "big")
            self.assertTrue(table.is_for(CURVE, key))
            self.assertFalse(p256.verify(key, digest, forged))
            self.assertFalse(table.is_for(CURVE, key))  # and the table is not used again
        finally:
            ec_machine.ready = ready
            ec_comb.tables[:] = kept

    def test_checks_that_begin_while_the_generator_s_table_is_filled(self):
        """Whoever comes between, at any slice, whoever is dropped or goes on: both are right, and so is the table."""
        right = bytes(filled(GENERATOR).data)
        first, second = GOOD[0], GOOD[1]
        CURVE.table.drop()
        slices = sum(1 for _ in ec_comb.fill_steps(CURVE, CURVE.table, GENERATOR, ec_machine.make_work()))
        for before in (1, slices // 3, slices * 2 // 3, slices - 9, slices - 3, slices - 1):
            for how in ("urgent", "in turns", "first dropped", "second dropped"):
                with self.subTest(before=before, how=how):
                    CURVE.table.drop()
                    one = p256.verify_steps(*arguments(first))
                    two = p256.verify_steps(*arguments(second))
                    for _ in range(before):
                        next(one)
                    verdicts = interleaved(one, two, how)
                    self.assertEqual(verdicts, [True] * (1 if "dropped" in how else 2))
                    self.assertEqual(bytes(CURVE.table.data), right)
                    self.assertTrue(CURVE.table.is_for(CURVE, GENERATOR))

    def test_what_is_no_point_gets_no_table(self):
        """A key off the curve leaves the kept tables as they were."""
        key, digest, signature = arguments(GOOD[0])
        self.assertTrue(p256.verify(key, digest, signature))
        for wrong in (bytes(64), key[:63], key[32:] + key[:32]):
            p256.run(ec_comb.prepare_steps(CURVE, wrong))
            self.assertFalse(p256.verify(wrong, digest, signature))
        self.assertEqual(len(ec_comb.tables), ec_comb.TABLES_MAX)
        self.assertTrue(any(table.is_for(CURVE, key) for table in ec_comb.tables))
