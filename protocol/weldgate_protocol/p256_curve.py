"""Points of P-256 by big integers: correct in every case, on both interpreters, and slow.

Decides what is a point and what two of them add up to. `p256_machine` does the same twenty times faster where no case
is special, and hands what is special back to here.
"""

from weldgate_protocol import p256_machine
from weldgate_protocol._compat import const
from weldgate_protocol.p256_machine import P

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    Jacobian = tuple[int, int, int]

# SP 800-186 §3.2.1.3, both
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
GENERATOR = (
    b"\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45"
    b"\xd8\x98\xc2\x96\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16\x2b\xce\x33\x57\x6b\x31\x5e\xce"
    b"\xcb\xb6\x40\x68\x37\xbf\x51\xf5"
)

_SLICE = const(48)  # Euclid's steps between two pauses


def double(x: int, y: int, z: int) -> "Jacobian":
    """Double a point (dbl-2001-b for a = -3); infinity (z = 0) stays there."""
    delta = z * z % P
    gamma = y * y % P
    beta = x * gamma % P
    alpha = 3 * (x - delta) * (x + delta) % P
    x3 = (alpha * alpha - 8 * beta) % P
    return x3, (alpha * (4 * beta - x3) - 8 * gamma * gamma) % P, 2 * y * z % P


def add(x: int, y: int, z: int, x2: int, y2: int) -> "Jacobian":
    """Add an affine point to a Jacobian one, in every case; all coordinates reduced."""
    if z == 0:
        return x2, y2, 1
    zz = z * z % P
    h = x2 * zz % P - x
    r = y2 * zz % P * z % P - y
    if h == 0:
        return (1, 1, 0) if r else double(x, y, z)
    hh = h * h % P
    hhh = h * hh % P
    v = x * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    return x3, (r * (v - x3) - y * hhh) % P, z * h % P


def on_curve(public64: bytes) -> bool:
    """Tell whether x ‖ y (64 bytes, big-endian) is a point of the curve; the group's order being prime, a good key."""
    if len(public64) != 64:
        return False
    x = int.from_bytes(public64[:32], "big")
    y = int.from_bytes(public64[32:], "big")
    return x < P and y < P and holds(x, y, 1)


def holds(x: int, y: int, zz: int) -> bool:
    """Tell whether a Jacobian point, of its z the square, satisfies the curve's equation."""
    z4 = zz * zz % P
    return (y * y - (x * x - 3 * z4) * x - B * z4 % P * zz) % P == 0


def inverse_steps(value: int, modulus: int) -> "Generator[None, None, int]":
    """Invert modulo n or p, in slices; 0 for 0. MicroPython's pow(x, -1, n) silently returns 0."""
    if p256_machine.ready:
        yield
        return p256_machine.inverse(value, modulus)
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


def inverses_steps(values: "list[int]") -> "Generator[None, None, None]":
    """Replace non-zero field elements by their inverses, in place, with one inversion for all (Montgomery)."""
    product = 1
    prefixes = []
    for value in values:
        prefixes.append(product)
        product = product * value % P
    yield
    inverse = yield from inverse_steps(product, P)
    for i in range(len(values) - 1, -1, -1):
        value = values[i]
        values[i] = inverse * prefixes[i] % P
        inverse = inverse * value % P
    yield


def affine_steps(points: "list[int]", zs: "list[int]") -> "Generator[None, None, None]":
    """Turn Jacobian points, a flat list x0, y0, x1, y1 … with their zs beside it, into affine ones in place."""
    yield from inverses_steps(zs)
    for i in range(len(zs)):
        zz = zs[i] * zs[i] % P
        points[2 * i] = points[2 * i] * zz % P
        points[2 * i + 1] = points[2 * i + 1] * zz % P * zs[i] % P
    yield
