"""Points by big integers: every case of an addition, and inverses by Euclid."""

import unittest

from weldgate_protocol import ec_curve, ec_machine
from weldgate_protocol.ec_curve import GENERATOR, add, double, holds, inverse_steps
from weldgate_protocol.ec_machine import N, P

X = int.from_bytes(GENERATOR[:32], "big")
Y = int.from_bytes(GENERATOR[32:], "big")


def run(steps):
    """Run steps to their end."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


class CurveTest(unittest.TestCase):
    """What a sum is made of."""

    def test_additions_distinguish_every_case(self):
        """M-TOK-06: infinity, the same point, the opposite one, and an ordinary one."""
        self.assertEqual(add(1, 1, 0, X, Y), (X, Y, 1))
        self.assertEqual(add(X, Y, 1, X, Y), double(X, Y, 1))
        self.assertEqual(add(X, Y, 1, X, P - Y)[2], 0)
        self.assertEqual(double(1, 1, 0)[2], 0)
        x, y, z = add(*double(X, Y, 1), X, Y)
        self.assertTrue(z != 0 and holds(x, y, z * z % P))

    def test_order_of_the_group(self):
        """N times the generator is at infinity, N - 1 times is its opposite."""
        x, y, z = 1, 1, 0
        for i in range(255, -1, -1):
            x, y, z = double(x, y, z)
            if (N - 1) >> i & 1:
                x, y, z = add(x, y, z, X, Y)
        self.assertEqual((X * z * z - x) % P, 0)
        self.assertEqual(add(x, y, z, X, Y)[2], 0)

    def test_curve_s_equation_is_asked_in_any_scale(self):
        """A point holds in every Jacobian scale, and with a bit wrong in none."""
        for z in (1, 2, 3, P - 1, 1 << 200):
            x, y = X * z * z % P, Y * z * z * z % P
            self.assertTrue(holds(x, y, z * z % P))
            self.assertFalse(holds(x ^ 1, y, z * z % P))
            self.assertFalse(holds(x, y ^ 1 << 255, z * z % P))

    def test_points_are_judged(self):
        """M-KEYSET-05: on_curve knows points from other pairs of numbers and from other lengths."""
        self.assertTrue(ec_curve.on_curve(GENERATOR))
        self.assertFalse(ec_curve.on_curve(GENERATOR[:63]))
        self.assertFalse(ec_curve.on_curve(bytes(64)))
        self.assertFalse(ec_curve.on_curve(GENERATOR[32:] + GENERATOR[:32]))

    def test_euclid_inverts_where_there_is_no_machine(self):
        """Without a native emitter the inverse is the same; 0 stays 0."""
        ready = ec_machine.ready
        for now in (False, ready):
            ec_machine.ready = now
            try:
                for modulus in (P, N):
                    for value in (1, 2, 3, modulus - 1, X, modulus >> 1, (1 << 256) - 1):
                        self.assertEqual(value * run(inverse_steps(value, modulus)) % modulus, 1)
                    self.assertEqual(run(inverse_steps(0, modulus)), 0)
                    self.assertEqual(run(inverse_steps(modulus, modulus)), 0)
            finally:
                ec_machine.ready = ready

    def test_points_become_affine_together(self):
        """One inversion serves several points."""
        points = []
        zs = []
        for z in (1, 5, P - 2):
            points.append(X * z * z % P)
            points.append(Y * z * z * z % P)
            zs.append(z)
        run(ec_curve.affine_steps(points, zs))
        self.assertEqual(points, [X, Y] * 3)
