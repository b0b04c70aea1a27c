"""The sum that every signature check comes down to: u1·G + u2·Q, right in every case and never off the curve.

Theory of operation. The sum is that of two signed combs (`ec_comb`) that share their doublings. Where the interpreter
has a native emitter, machine code adds it up (`ec_machine`); it comes to z = 0 wherever two summands had the same x,
and then, as everywhere without an emitter, big integers do it again with additions that distinguish every case
(`ec_curve`): degenerate sums come out right and not by luck. Two questions stand before any comparison: Z = 0, the
point at infinity, is a no, or the comparison would accept a forgery; and a sum off the curve is a no, since only a
fault in memory can have led there.
"""

from weldgate_protocol import ec_comb, ec_machine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from weldgate_protocol.ec_comb import Table
    from weldgate_protocol.ec_curve import Curve, Jacobian


def has_x_steps(curve: "Curve", table: "Table", u1: int, u2: int, x: int) -> "Generator[None, None, bool]":
    """Tell whether the x of u1·G + u2·Q is a number modulo n, in slices.

    It is compared as x·Z² = X, without an inversion, and so for x + n where that is below p.

    Args:
        curve: which.
        table: Q's, as `ec_comb.ready_steps` left it.
        u1: 0 to n - 1.
        u2: 0 to n - 1.
        x: 0 to n - 1.

    Returns:
        Whether it is; False for the point at infinity, and for a sum that a fault in memory has led off the curve:
        both tables are then made again for the next check.
    """
    m1, negative1 = ec_comb.recode(u1, curve.n)
    m2, negative2 = ec_comb.recode(u2, curve.n)
    base = ec_comb.generator(curve)
    sum_x, sum_y, z = 0, 0, 0
    if ec_machine.ready:
        scalars = m1.to_bytes(33, "little") + m2.to_bytes(33, "little") + bytes([negative1, negative2])
        sum_x, sum_y, z = yield from ec_machine.sum_steps(curve, table.work, scalars, base.data, table.data)
    if z == 0:  # no machine, or a special case on the way
        yield
        sum_x, sum_y, z = yield from complete_steps(curve, table.data, m1, negative1, m2, negative2)
    if z == 0:
        return False
    p = curve.p
    zz = z * z % p
    if not curve.holds(sum_x, sum_y, zz):
        table.drop()
        base.drop()
        return False
    return (x * zz - sum_x) % p == 0 or (x + curve.n < p and ((x + curve.n) * zz - sum_x) % p == 0)


def complete_steps(
    curve: "Curve", own: bytearray, m1: int, negative1: bool, m2: int, negative2: bool
) -> "Generator[None, None, Jacobian]":
    """Add up the two combs by big integers, right in every case.

    Args:
        curve: which.
        own: Q's table.
        m1: the generator's scalar and whether it is negated, as `ec_comb.recode` says; m2 Q's.
        negative1: see m1.
        m2: see m1.
        negative2: see m1.
    """
    base = ec_comb.generator(curve).data
    x, y, z = 1, 1, 0
    for column in range(ec_comb.COLUMNS - 1, -1, -1):
        x, y, z = curve.double(x, y, z)
        x, y, z = curve.add(x, y, z, *ec_comb.select(curve, base, m1, column, negative1))
        x, y, z = curve.add(x, y, z, *ec_comb.select(curve, own, m2, column, negative2))
        if column & 1:
            yield
    return x, y, z
