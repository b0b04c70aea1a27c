"""Points of a curve by big integers: correct in every case, on both interpreters, and slow.

Decides what is a point and what two of them add up to, for curves y² = x³ - 3x + b of prime order. `ec_machine` does
the same twenty times faster where no case is special, and hands what is special back to here.
"""

from weldgate_protocol import ec_machine
from weldgate_protocol._compat import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from weldgate_protocol.ec_comb import Table

    Jacobian = tuple[int, int, int]

_SLICE = const(48)  # Euclid's steps between two pauses


class Curve:
    """A curve, its prime p = -1 modulo 2^13.

    Attributes:
        p: the field's prime.
        n: the group's order, a prime.
        b: the curve's constant.
        generator: x ‖ y, 64 bytes, big-endian.
        reduction: how `ec_machine` reduces modulo p: `REDUCES_P256` or `REDUCES_SM2`.
        r: 2^260 modulo p, what Montgomery form multiplies by.
        r_inverse: what leads out of it.
        table: the generator's comb table, None until `ec_comb.generator` makes it.
    """

    def __init__(self, p: int, n: int, b: int, generator: bytes, reduction: int, r_inverse: int) -> None:
        self.p = p
        self.n = n
        self.b = b
        self.generator = generator
        self.reduction = reduction
        self.r = (1 << 260) % p
        self.r_inverse = r_inverse
        self.table: "Table | None" = None

    def double(self, x: int, y: int, z: int) -> "Jacobian":
        """Double a point (dbl-2001-b for a = -3); infinity (z = 0) stays there."""
        p = self.p
        delta = z * z % p
        gamma = y * y % p
        beta = x * gamma % p
        alpha = 3 * (x - delta) * (x + delta) % p
        x3 = (alpha * alpha - 8 * beta) % p
        return x3, (alpha * (4 * beta - x3) - 8 * gamma * gamma) % p, 2 * y * z % p

    def add(self, x: int, y: int, z: int, x2: int, y2: int) -> "Jacobian":
        """Add an affine point to a Jacobian one, in every case; all coordinates reduced."""
        p = self.p
        if z == 0:
            return x2, y2, 1
        zz = z * z % p
        h = x2 * zz % p - x
        r = y2 * zz % p * z % p - y
        if h == 0:
            return (1, 1, 0) if r else self.double(x, y, z)
        hh = h * h % p
        hhh = h * hh % p
        v = x * hh % p
        x3 = (r * r - hhh - 2 * v) % p
        return x3, (r * (v - x3) - y * hhh) % p, z * h % p

    def on_curve(self, public64: bytes) -> bool:
        """Tell whether x ‖ y (64 bytes, big-endian) is a point of the curve, and so a good key: n is prime."""
        p = self.p
        if len(public64) != 64:
            return False
        x = int.from_bytes(public64[:32], "big")
        y = int.from_bytes(public64[32:], "big")
        return x < p and y < p and self.holds(x, y, 1)

    def numbers(self, signature64: bytes) -> "tuple[int, int]":
        """Return r and s of a signature, r ‖ s, big-endian; (0, 0), no signature's, for another length or range."""
        n = self.n
        r = int.from_bytes(signature64[:32], "big")
        s = int.from_bytes(signature64[32:], "big")
        return (r, s) if len(signature64) == 64 and 0 < r < n and 0 < s < n else (0, 0)

    def holds(self, x: int, y: int, zz: int) -> bool:
        """Tell whether a Jacobian point, of its z the square, satisfies the curve's equation."""
        p = self.p
        z4 = zz * zz % p
        return (y * y - (x * x - 3 * z4) * x - self.b * z4 % p * zz) % p == 0


def inverse_steps(value: int, modulus: int) -> "Generator[None, None, int]":
    """Invert modulo n or p, in slices; 0 for 0. MicroPython's pow(x, -1, n) silently returns 0."""
    if ec_machine.ready:
        yield
        return ec_machine.inverse(value, modulus)
    r0, r1 = modulus, value % modulus
    t0, t1 = 0, 1
    count = 0
    while r1:
        q = r0 // r1
        r0, r1 = r1, r0 - q * r1
        t0, t1 = t1, t0 - q * t1
        count += 1
        if count % _SLICE == 0:
            yield
    return t0 % modulus if r0 == 1 else 0


def inverses_steps(values: "list[int]", p: int) -> "Generator[None, None, None]":
    """Replace non-zero field elements by their inverses, in place, with one inversion for all (Montgomery)."""
    product = 1
    prefixes = []
    for value in values:
        prefixes.append(product)
        product = product * value % p
    yield
    inverse = yield from inverse_steps(product, p)
    for i in range(len(values) - 1, -1, -1):
        value = values[i]
        values[i] = inverse * prefixes[i] % p
        inverse = inverse * value % p
    yield


def affine_steps(points: "list[int]", zs: "list[int]", p: int) -> "Generator[None, None, None]":
    """Turn Jacobian points, a flat list x0, y0, x1, y1 … with their zs beside it, into affine ones in place."""
    yield from inverses_steps(zs, p)
    for i in range(len(zs)):
        zz = zs[i] * zs[i] % p
        points[2 * i] = points[2 * i] * zz % p
        points[2 * i + 1] = points[2 * i + 1] * zz % p * zs[i] % p
    yield
