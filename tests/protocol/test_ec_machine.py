"""Sums by machine code against big integers; without a native emitter only what needs none is run."""

import unittest

from weldgate_protocol import ec_comb, ec_machine, p256, sm2


def below(curve):
    """Return what a result stays below, 2p at most."""
    return curve.p * 5 // 4


def edges(curve):
    """Return numbers at which a carry or a reduction might go wrong."""
    p = curve.p
    low = (0, 1, 8191, (1 << 64) - 1, (1 << 64) - 8192, (1 << 96) - 1, (1 << 224) - 1, (1 << 247) - 1, 1 << 247)
    return low + (p - 1, p, p + 1, p - 8192, p - (1 << 64), below(curve) - 1, (1 << 256) - 1, curve.r, curve.r_inverse)


def numbers(curve, count, seed):
    """Yield fixed arbitrary numbers below 5/4 p, the edges first."""
    yield from edges(curve)
    state = seed
    for _ in range(count):
        value = 0
        for _ in range(11):
            state = (state * 1103515245 + 12345) & 0x7FFFFFFF
            value = value << 25 | state >> 6
        yield value % below(curve)


def raw(work, register):
    """Return what stands in a register, each cell 13 bits."""
    value = 0
    for at in range(80 * register + 76, 80 * register - 4, -4):
        cell = int.from_bytes(work[at : at + 4], "little")
        if cell > 8191:
            raise ValueError("cell %d of register %d holds %d" % (at // 4, register, cell))
        value = value << 13 | cell
    return value


def calculate(work, *instructions):
    """Run a program once."""
    program = b"".join([bytes(one) for one in instructions])
    ec_machine.run(work, work, work, bytes([len(program) + 1]) + program, b"", b"", b"", 0, 0)


def total(curve, m1, negative1, m2, negative2, own):
    """Return the machine's sum, affine; None where it says z = 0."""
    scalars = m1.to_bytes(33, "little") + m2.to_bytes(33, "little") + bytes([negative1, negative2])
    steps = ec_machine.sum_steps(curve, ec_machine.make_work(), scalars, base(curve), own)
    return affine(curve, *yield_all(steps))


def table_of(curve, public64):
    """Return a fresh table."""
    table = ec_comb.Table(ec_machine.make_work())
    yield_all(ec_comb.fill_steps(curve, table, public64, table.work))
    return table.data


def base(curve):
    """Return the generator's table."""
    table = ec_comb.generator(curve)
    if not table.is_for(curve, curve.generator):
        yield_all(ec_comb.fill_steps(curve, table, curve.generator, ec_machine.make_work()))
    return table.data


def affine(curve, x, y, z):
    """Return x and y of a Jacobian point, None for z = 0."""
    if z == 0:
        return None
    w = pow(z, curve.p - 2, curve.p)
    return x * w * w % curve.p, y * w * w * w % curve.p


def yield_all(steps):
    """Run steps to their end."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


def slowly(curve, m1, negative1, m2, negative2, own):
    """Return the same sum by big integers, right in every case."""
    x, y, z = 1, 1, 0
    for column in range(ec_comb.COLUMNS - 1, -1, -1):
        x, y, z = curve.double(x, y, z)
        x, y, z = curve.add(x, y, z, *ec_comb.select(curve, base(curve), m1, column, negative1))
        x, y, z = curve.add(x, y, z, *ec_comb.select(curve, own, m2, column, negative2))
    return affine(curve, x, y, z)


def negated(curve, y32):
    """Return p - y."""
    return (curve.p - int.from_bytes(y32, "big")).to_bytes(32, "big")


class Machine:
    """Field, sums and inverses, on either curve."""

    curve = p256.CURVE

    def work(self):
        """Return a work area set up for the curve."""
        work = ec_machine.make_work()
        ec_machine._begin(work, self.curve)
        return work

    def test_products_and_squares_are_those_of_integers(self):
        """M-TOK-06: d = a·b / R for any operands a sum can have, in place too, each limb 13 bits."""
        curve, work = self.curve, self.work()
        p = curve.p
        for b in numbers(curve, 60, 5) if ec_machine.ready else ():
            for a in numbers(curve, 6, 7):
                ec_machine._set(work, 0, a)
                ec_machine._set(work, 1, b)
                calculate(work, (0, 2, 0, 1), (0, 3, 0, 0), (0, 1, 0, 1))
                self.assertEqual(raw(work, 2) % p, a * b * curve.r_inverse % p)
                self.assertEqual(raw(work, 3) % p, a * a * curve.r_inverse % p)
                self.assertEqual(raw(work, 1), raw(work, 2))
                self.assertTrue(raw(work, 2) < below(curve) and raw(work, 3) < below(curve))

    def test_linear_combinations_are_those_of_integers(self):
        """d = a + c·b for c = -8 .. 2, never below 0 and below 1.04 p."""
        curve, work = self.curve, self.work()
        p = curve.p
        for b in numbers(curve, 20, 11) if ec_machine.ready else ():
            for a in numbers(curve, 3, 13):
                ec_machine._set(work, 0, a)
                ec_machine._set(work, 1, b)
                for c in range(-8, 3):
                    calculate(work, (16 + c, 2, 0, 1))
                    self.assertEqual(raw(work, 2) % p, (a + c * b) % p)
                    self.assertTrue(raw(work, 2) < p * 26 // 25)

    def test_registers_give_back_what_was_put_in(self):
        """A register holds any number below 2^260, and comes out of Montgomery form reduced."""
        curve, work = self.curve, self.work()
        for value in numbers(curve, 20, 3):
            ec_machine._set(work, 4, value)
            self.assertEqual(raw(work, 4), value)
            self.assertEqual(ec_machine._plain(work, 4, curve), value * curve.r_inverse % curve.p)
        self.assertEqual(ec_machine._plain(work, 10, curve), 1)
        self.assertEqual(curve.r * curve.r_inverse % curve.p, 1)

    def test_sums_are_those_of_big_integers(self):
        """M-TOK-06: for ordinary scalars, with every sign, the machine's sum is the complete one's."""
        curve = self.curve
        own = table_of(curve, curve.generator[:32] + negated(curve, curve.generator[32:]))
        scalars = [value % (1 << 259) for value in numbers(curve, 12, 17)][len(edges(curve)) :]
        for i in range(0, len(scalars) if ec_machine.ready else 0, 2):
            m1, m2 = scalars[i], scalars[i + 1] << 3 & (1 << 259) - 1
            for signs in ((0, 0), (0, 1), (1, 0), (1, 1)):
                expected = slowly(curve, m1, signs[0], m2, signs[1], own)
                self.assertEqual(total(curve, m1, signs[0], m2, signs[1], own), expected)

    def test_special_cases_come_to_zero(self):
        """M-TOK-06: equal and opposite summands end as z = 0, whatever follows, and never as a point."""
        curve = self.curve
        own = table_of(curve, curve.generator)
        m, _ = ec_comb.recode(curve.n // 3 | 1, curve.n)
        for signs in ((0, 0), (0, 1), (1, 0), (1, 1)) if ec_machine.ready else ():
            self.assertEqual(total(curve, m, signs[0], m, signs[1], own), None)

    def test_doublings_are_those_of_big_integers(self):
        """A point doubled 37 times, and other numbers of times."""
        curve, work = self.curve, ec_machine.make_work()
        x = int.from_bytes(curve.generator[:32], "big")
        y = int.from_bytes(curve.generator[32:], "big")
        for times in (1, 11, 12, 13, 37) if ec_machine.ready else ():
            point = (x, y, 1)
            for _ in range(times):
                point = curve.double(*point)
            found = yield_all(ec_machine.doublings_steps(curve, work, x, y, times))
            self.assertEqual(affine(curve, *found), affine(curve, *point))

    def test_inverses_are_inverses(self):
        """Safegcd inverts modulo p and n; 0 stays 0."""
        for modulus in (self.curve.p, self.curve.n) if ec_machine.ready else ():
            for value in numbers(self.curve, 40, 19):
                inverse = ec_machine.inverse(value, modulus)
                self.assertTrue(0 <= inverse < modulus)
                self.assertEqual(value * inverse % modulus, 1 if value % modulus else 0)


class P256MachineTest(Machine, unittest.TestCase):
    """P-256."""


class SM2MachineTest(Machine, unittest.TestCase):
    """sm2p256v1."""

    curve = sm2.CURVE
