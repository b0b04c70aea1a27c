"""Sums by machine code against big integers; without a native emitter only what needs none is run."""

import unittest

from weldgate_protocol import ec_comb, ec_curve, ec_machine
from weldgate_protocol.ec_machine import R_INVERSE, N, P, R

BELOW = P * 5 // 4  # what a result stays below, 2p at most
EDGES = (0, 1, P - 1, P, P + 1, BELOW - 1, 8191, 1 << 247, (1 << 247) - 1, (1 << 256) - 1, P - 8192, R)


def numbers(count, seed):
    """Yield fixed arbitrary numbers below 5/4 p, the edges first."""
    yield from EDGES
    state = seed
    for _ in range(count):
        value = 0
        for _ in range(11):
            state = (state * 1103515245 + 12345) & 0x7FFFFFFF
            value = value << 25 | state >> 6
        yield value % BELOW


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


def total(m1, negative1, m2, negative2, own):
    """Return the machine's sum, affine; None where it says z = 0."""
    scalars = m1.to_bytes(33, "little") + m2.to_bytes(33, "little") + bytes([negative1, negative2])
    steps = ec_machine.sum_steps(ec_machine.make_work(), scalars, base(), own)
    point = yield_all(steps)
    return affine(*point)


def table_of(public64):
    """Return a fresh table."""
    work = ec_machine.make_work()
    table = ec_comb.Table(work)
    yield_all(ec_comb.fill_steps(table, public64, work))
    return table.data


def base():
    """Return the generator's table."""
    if not ec_comb.generator.is_for(ec_curve.GENERATOR):
        work = ec_machine.make_work()
        yield_all(ec_comb.fill_steps(ec_comb.generator, ec_curve.GENERATOR, work))
    return ec_comb.generator.data


def affine(x, y, z):
    """Return x and y of a Jacobian point, None for z = 0."""
    if z == 0:
        return None
    w = pow(z, P - 2, P)
    return x * w * w % P, y * w * w * w % P


def yield_all(steps):
    """Run steps to their end."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


def slowly(m1, negative1, m2, negative2, own):
    """Return the same sum by big integers, right in every case."""
    x, y, z = 1, 1, 0
    for column in range(ec_comb.COLUMNS - 1, -1, -1):
        x, y, z = ec_curve.double(x, y, z)
        x, y, z = ec_curve.add(x, y, z, *ec_comb.select(base(), m1, column, negative1))
        x, y, z = ec_curve.add(x, y, z, *ec_comb.select(own, m2, column, negative2))
    return affine(x, y, z)


class MachineTest(unittest.TestCase):
    """Field, sums and inverses."""

    def test_products_and_squares_are_those_of_integers(self):
        """M-TOK-06: d = a·b / R for any operands a sum can have, in place too, each limb 13 bits."""
        work = ec_machine.make_work()
        for b in numbers(60, 5) if ec_machine.ready else ():
            for a in numbers(6, 7):
                ec_machine._set(work, 0, a)
                ec_machine._set(work, 1, b)
                calculate(work, (0, 2, 0, 1), (0, 3, 0, 0), (0, 1, 0, 1))
                self.assertEqual(raw(work, 2) % P, a * b * R_INVERSE % P)
                self.assertEqual(raw(work, 3) % P, a * a * R_INVERSE % P)
                self.assertEqual(raw(work, 1), raw(work, 2))
                self.assertTrue(raw(work, 2) < BELOW and raw(work, 3) < BELOW)

    def test_linear_combinations_are_those_of_integers(self):
        """d = a + c·b for c = -8 .. 2, never below 0 and below 1.04 p."""
        work = ec_machine.make_work()
        for b in numbers(20, 11) if ec_machine.ready else ():
            for a in numbers(3, 13):
                ec_machine._set(work, 0, a)
                ec_machine._set(work, 1, b)
                for c in range(-8, 3):
                    calculate(work, (16 + c, 2, 0, 1))
                    self.assertEqual(raw(work, 2) % P, (a + c * b) % P)
                    self.assertTrue(raw(work, 2) < P * 26 // 25)

    def test_registers_give_back_what_was_put_in(self):
        """A register holds any number below 2^260, and comes out of Montgomery form reduced."""
        work = ec_machine.make_work()
        for value in numbers(20, 3):
            ec_machine._set(work, 4, value)
            self.assertEqual(raw(work, 4), value)
            self.assertEqual(ec_machine._plain(work, 4), value * R_INVERSE % P)
        self.assertEqual(ec_machine._plain(work, 10), 1)
        self.assertEqual(R * R_INVERSE % P, 1)

    def test_sums_are_those_of_big_integers(self):
        """M-TOK-06: for ordinary scalars, with every sign, the machine's sum is the complete one's."""
        own = table_of(ec_curve.GENERATOR[:32] + negated(ec_curve.GENERATOR[32:]))
        scalars = [value % (1 << 259) for value in numbers(12, 17)][len(EDGES) :]
        for i in range(0, len(scalars) if ec_machine.ready else 0, 2):
            m1, m2 = scalars[i], scalars[i + 1] << 3 & (1 << 259) - 1
            for signs in ((0, 0), (0, 1), (1, 0), (1, 1)):
                expected = slowly(m1, signs[0], m2, signs[1], own)
                self.assertEqual(total(m1, signs[0], m2, signs[1], own), expected)

    def test_special_cases_come_to_zero(self):
        """M-TOK-06: equal and opposite summands end as z = 0, whatever follows, and never as a point."""
        own = table_of(ec_curve.GENERATOR)
        m, _ = ec_comb.recode(N // 3 | 1)
        for signs in ((0, 0), (0, 1), (1, 0), (1, 1)) if ec_machine.ready else ():
            self.assertEqual(total(m, signs[0], m, signs[1], own), None)

    def test_doublings_are_those_of_big_integers(self):
        """A point doubled 37 times, and other numbers of times."""
        work = ec_machine.make_work()
        x = int.from_bytes(ec_curve.GENERATOR[:32], "big")
        y = int.from_bytes(ec_curve.GENERATOR[32:], "big")
        for times in (1, 11, 12, 13, 37) if ec_machine.ready else ():
            point = (x, y, 1)
            for _ in range(times):
                point = ec_curve.double(*point)
            found = yield_all(ec_machine.doublings_steps(work, x, y, times))
            self.assertEqual(affine(*found), affine(*point))

    def test_inverses_are_inverses(self):
        """Safegcd inverts modulo p and n; 0 stays 0."""
        for modulus in (P, N) if ec_machine.ready else ():
            for value in numbers(40, 19):
                inverse = ec_machine.inverse(value, modulus)
                self.assertTrue(0 <= inverse < modulus)
                self.assertEqual(value * inverse % modulus, 1 if value % modulus else 0)


def negated(y32):
    """Return p - y."""
    return (P - int.from_bytes(y32, "big")).to_bytes(32, "big")
