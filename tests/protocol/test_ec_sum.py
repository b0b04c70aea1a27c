"""The sum by both ways: which x it has, at infinity, where summands agree, and off the curve."""

import unittest

from weldgate_protocol import ec_comb, ec_machine, ec_sum, p256, sm2


class Sums:
    """Questions about u1·G + u2·Q, on either curve, with Q = 2·G so that every answer is known."""

    curve = p256.CURVE

    def setUp(self):
        """Make Q's table."""
        curve = self.curve
        x, y, _ = self.affine(2)
        self.key = x.to_bytes(32, "big") + y.to_bytes(32, "big")
        self.table = ec_comb.Table(ec_machine.make_work())
        self.assertTrue(p256.run(ec_comb.ready_steps(curve, self.table, self.key)))

    def affine(self, scalar):
        """Return x, y and 1 of a multiple of the generator, by doubling and adding."""
        curve = self.curve
        gx, gy = [int.from_bytes(curve.generator[at : at + 32], "big") for at in (0, 32)]
        x, y, z = 1, 1, 0
        for i in range(255, -1, -1):
            x, y, z = curve.double(x, y, z)
            if scalar >> i & 1:
                x, y, z = curve.add(x, y, z, gx, gy)
        w = pow(z, curve.p - 2, curve.p)
        return x * w * w % curve.p, y * w * w * w % curve.p, 1

    def has(self, u1, u2, x):
        """Ask."""
        return p256.run(ec_sum.has_x_steps(self.curve, self.table, u1, u2, x))

    def test_sum_has_its_own_x_and_no_other(self):
        """M-TOK-06, M-SUITE-03: ordinary scalars, and those with which two summands agree or are opposite."""
        n = self.curve.n
        for u1, u2 in ((5, 3), (1, 1), (2, 1), (4, n - 1), (n // 3, n // 5), (0, 7), (7, 0), (n - 1, n - 1)):
            x = self.affine((u1 + 2 * u2) % n)[0] % n
            self.assertTrue(self.has(u1, u2, x))
            self.assertFalse(self.has(u1, u2, (x + 1) % n))
            self.assertFalse(self.has(u1, u2, n - x))

    def test_point_at_infinity_has_no_x(self):
        """M-TOK-06, M-SUITE-03: its Z = 0 would match every number."""
        for u1, u2 in ((self.curve.n - 2, 1), (2, self.curve.n - 1), (0, 0)):
            for x in (0, 1, self.curve.n - 1):
                self.assertFalse(self.has(u1, u2, x))

    def test_sum_off_the_curve_is_a_no_and_both_tables_are_dropped(self):
        """M-TOK-06: what a fault in memory leads to is never compared."""
        for at in range(0, 4096, 64):
            self.table.data[at] ^= 1
        self.assertFalse(self.has(5, 3, self.affine(11)[0] % self.curve.n))
        self.assertEqual((self.table.public, self.curve.table.public), (b"", b""))

    def test_big_integers_alone_say_the_same(self):
        """M-TOK-06: without an emitter."""
        ready = ec_machine.ready
        ec_machine.ready = False
        try:
            self.test_sum_has_its_own_x_and_no_other()
            self.test_point_at_infinity_has_no_x()
        finally:
            ec_machine.ready = ready


class P256SumTest(Sums, unittest.TestCase):
    """P-256."""


class SM2SumTest(Sums, unittest.TestCase):
    """sm2p256v1."""

    curve = sm2.CURVE
