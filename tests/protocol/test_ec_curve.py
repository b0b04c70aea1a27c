"""Points by big integers: every case of an addition, and inverses by Euclid."""

import unittest

from weldgate_protocol import ec_curve, ec_machine, p256, sm2
from weldgate_protocol.ec_curve import inverse_steps


def run(steps):
    """Run steps to their end."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


class Curves:
    """What a sum is made of, on either curve."""

    curve = p256.CURVE

    def setUp(self):
        """Name the curve's numbers."""
        self.x = int.from_bytes(self.curve.generator[:32], "big")
        self.y = int.from_bytes(self.curve.generator[32:], "big")

    def test_additions_distinguish_every_case(self):
        """M-TOK-06: infinity, the same point, the opposite one, and an ordinary one."""
        curve = self.curve
        self.assertEqual(curve.add(1, 1, 0, self.x, self.y), (self.x, self.y, 1))
        self.assertEqual(curve.add(self.x, self.y, 1, self.x, self.y), curve.double(self.x, self.y, 1))
        self.assertEqual(curve.add(self.x, self.y, 1, self.x, curve.p - self.y)[2], 0)
        self.assertEqual(curve.double(1, 1, 0)[2], 0)
        x, y, z = curve.add(*curve.double(self.x, self.y, 1), self.x, self.y)
        self.assertTrue(z != 0 and curve.holds(x, y, z * z % curve.p))

    def test_numbers_of_a_signature_are_in_range(self):
        """M-TOK-06: 1 and n - 1 are taken; 0, n, and any other length give (0, 0)."""
        n = self.curve.n
        for r, s, size, expected in (
            (1, n - 1, 64, (1, n - 1)),
            (n - 1, 1, 64, (n - 1, 1)),
            (0, 1, 64, (0, 0)),
            (1, 0, 64, (0, 0)),
            (n, 1, 64, (0, 0)),
            (1, n, 64, (0, 0)),
            (1, 1, 63, (0, 0)),
            (1, 1, 65, (0, 0)),
        ):
            with self.subTest(r=r, s=s, size=size):
                signature = (r.to_bytes(32, "big") + s.to_bytes(32, "big") + b"\0")[:size]
                self.assertEqual(self.curve.numbers(signature), expected)

    def test_order_of_the_group(self):
        """N times the generator is at infinity, N - 1 times is its opposite."""
        curve = self.curve
        x, y, z = 1, 1, 0
        for i in range(255, -1, -1):
            x, y, z = curve.double(x, y, z)
            if (curve.n - 1) >> i & 1:
                x, y, z = curve.add(x, y, z, self.x, self.y)
        self.assertEqual((self.x * z * z - x) % curve.p, 0)
        self.assertEqual(curve.add(x, y, z, self.x, self.y)[2], 0)

    def test_curve_s_equation_is_asked_in_any_scale(self):
        """A point holds in every Jacobian scale, and with a bit wrong in none."""
        curve = self.curve
        for z in (1, 2, 3, curve.p - 1, 1 << 200):
            x, y = self.x * z * z % curve.p, self.y * z * z * z % curve.p
            self.assertTrue(curve.holds(x, y, z * z % curve.p))
            self.assertFalse(curve.holds(x ^ 1, y, z * z % curve.p))
            self.assertFalse(curve.holds(x, y ^ 1 << 255, z * z % curve.p))

    def test_points_are_judged(self):
        """M-KEYSET-05: on_curve knows points from other pairs of numbers and from other lengths."""
        curve = self.curve
        self.assertTrue(curve.on_curve(curve.generator))
        self.assertFalse(curve.on_curve(curve.generator[:63]))
        self.assertFalse(curve.on_curve(bytes(64)))
        self.assertFalse(curve.on_curve(curve.generator[32:] + curve.generator[:32]))

    def test_euclid_inverts_where_there_is_no_machine(self):
        """Without a native emitter the inverse is the same; 0 stays 0."""
        curve = self.curve
        ready = ec_machine.ready
        for now in (False, ready):
            ec_machine.ready = now
            try:
                for modulus in (curve.p, curve.n):
                    for value in (1, 2, 3, modulus - 1, self.x, modulus >> 1, (1 << 256) - 1):
                        self.assertEqual(value * run(inverse_steps(value, modulus)) % modulus, 1)
                    self.assertEqual(run(inverse_steps(0, modulus)), 0)
                    self.assertEqual(run(inverse_steps(modulus, modulus)), 0)
            finally:
                ec_machine.ready = ready

    def test_points_become_affine_together(self):
        """One inversion serves several points."""
        curve = self.curve
        points = []
        zs = []
        for z in (1, 5, curve.p - 2):
            points.append(self.x * z * z % curve.p)
            points.append(self.y * z * z * z % curve.p)
            zs.append(z)
        run(ec_curve.affine_steps(points, zs, curve.p))
        self.assertEqual(points, [self.x, self.y] * 3)


class P256CurveTest(Curves, unittest.TestCase):
    """P-256."""


class SM2CurveTest(Curves, unittest.TestCase):
    """sm2p256v1."""

    curve = sm2.CURVE
