"""Sums on a curve by machine code: programs of field operations for the two routines of `_ec_viper`.

Decides in which order the field operations of a sum run. It is quick and not complete: where two summands have the same
x it comes to z = 0, and who called takes `ec_curve`.

Theory of operation. A field element is 20 limbs of 13 bits in 32-bit cells, in Montgomery form (times R = 2^260), below
2p; elements are the numbered registers of a work area. `run` interprets programs of four bytes an instruction:

    0, d, a, b          d = a · b / R
    1, d, 0, 0          d, d + 1 = x, y of the generator's comb point for the column; 2: of the key's
    16 + c, d, a, b     d = a + c·b, for c = -8 .. 2

It does a whole program once for each column from a first down to a last. So a check is some ten calls, each well below
20 ms, instead of 1,500 at 300 to 750 instructions a call; the program decides nothing by the data and runs no loop.

If two summands agree in x, then H = 0 in that addition (x2·z² - x), and its Z3 = Z·H = 0. Each later step multiplies Z
on, so z = 0 at the end says that somewhere a case was special (or the sum is at infinity), and z ≠ 0 that none was: no
curve of odd order has a point with y = 0 to be doubled. One test at the end stands for 63 on the way.

`inverse` is Bernstein and Yang's safegcd (https://gcd.cr.yp.to, with delta from 1/2 as in libsecp256k1): thirty steps
on the low bits make a 2×2 matrix, which goes onto the big integers at once; after 20 rounds at most g is 0. The
division by 2^30 that each round owes the cofactors is made good at the end, by 2^-600.
"""

from struct import unpack

from weldgate_protocol._compat import const

try:
    from weldgate_protocol._ec_viper import divsteps, run

    ready = True
except (ImportError, SyntaxError, ValueError):  # CPython; no native emitter, or compiled for another architecture
    ready = False

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from weldgate_protocol.ec_curve import Curve

WORK_BYTES = const(1432)  # 11 registers, then what `run` needs: columns 59, sums 20, digits 58 cells, the reduction
REDUCES_P256 = const(0)
REDUCES_SM2 = const(1)

COLUMNS = const(37)
_SLICE_COLUMNS = const(4)  # of a sum, some 0.7 million x86-64 instructions
_SLICE_DOUBLINGS = const(12)
_MASK30 = const(0x3FFFFFFF)
_ROUNDS = const(20)  # of thirty divsteps; 590 are enough for 256 bits
_REDUCTION_AT = const(1428)  # bytes into a work area
_unscale: "dict[int, int]" = {}  # modulus -> 2^-600, worked out at its first inversion

# Registers: 0 to 2 the sum X, Y, Z; 3 and 4 the point to add; 5 to 9 what is in between; 10 holds one.
_DOUBLE = (  # dbl-2001-b for a = -3, alpha negated
    b"\x00\x05\x02\x02"  # delta = Z·Z
    b"\x00\x06\x01\x01"  # gamma = Y·Y
    b"\x00\x07\x00\x06"  # beta = X·gamma
    b"\x0f\x08\x05\x00"  # delta - X
    b"\x11\x09\x00\x05"  # X + delta
    b"\x00\x08\x08\x09"
    b"\x12\x08\x08\x08"  # alpha = 3·(delta - X)·(X + delta)
    b"\x00\x00\x08\x08"
    b"\x08\x00\x00\x07"  # X = alpha·alpha - 8·beta
    b"\x00\x02\x01\x02"
    b"\x11\x02\x02\x02"  # Z = 2·Y·Z
    b"\x0c\x09\x00\x07"  # X - 4·beta
    b"\x00\x01\x08\x09"
    b"\x00\x06\x06\x06"
    b"\x08\x01\x01\x06"  # Y = alpha·(X - 4·beta) - 8·gamma·gamma
)
_ADD = (
    b"\x00\x05\x02\x02"  # Z·Z
    b"\x00\x06\x03\x05"
    b"\x00\x05\x05\x02"
    b"\x00\x05\x04\x05"
    b"\x0f\x06\x06\x00"  # H = x2·Z·Z - X
    b"\x0f\x05\x05\x01"  # r = y2·Z·Z·Z - Y
    b"\x00\x02\x02\x06"  # Z = Z·H
    b"\x00\x07\x06\x06"
    b"\x00\x06\x06\x07"  # H·H·H
    b"\x00\x07\x00\x07"  # V = X·H·H
    b"\x00\x00\x05\x05"
    b"\x0f\x00\x00\x06"
    b"\x0e\x00\x00\x07"  # X = r·r - H·H·H - 2·V
    b"\x0f\x07\x07\x00"
    b"\x00\x07\x05\x07"
    b"\x00\x06\x01\x06"
    b"\x0f\x01\x07\x06"  # Y = r·(V - X) - Y·H·H·H
)


def _program(instructions: bytes) -> bytes:
    """Put a program's length, itself included, in front of it."""
    return bytes([len(instructions) + 1]) + instructions


_FIRST = _program(b"\x01\x00\x00\x00\x10\x02\x0a\x0a\x02\x03\x00\x00" + _ADD)  # sum = generator's; add the key's
_NEXT = _program(_DOUBLE + b"\x01\x03\x00\x00" + _ADD + b"\x02\x03\x00\x00" + _ADD)
_DOUBLINGS = _program(_DOUBLE)


def make_work() -> bytearray:
    """Return a work area; each check needs one of its own."""
    return bytearray(WORK_BYTES)


def _begin(work: bytearray, curve: "Curve") -> None:
    """Set a work area up for a curve."""
    work[_REDUCTION_AT] = curve.reduction
    _set(work, 10, curve.r)


def _set(work: bytearray, register: int, value: int) -> None:
    """Put a number below 2^260 into a register."""
    for at in range(80 * register, 80 * register + 80, 4):
        work[at] = value & 0xFF
        work[at + 1] = value >> 8 & 0x1F
        work[at + 2] = work[at + 3] = 0
        value >>= 13


def _plain(work: bytearray, register: int, curve: "Curve") -> int:
    """Return a register's field element, out of Montgomery form and reduced."""
    value = 0
    for at in range(80 * register + 72, 80 * register - 8, -8):  # limbs by twos: small integers on 32 bits too
        value = value << 26 | (work[at + 5] << 21 | work[at + 4] << 13 | work[at + 1] << 8 | work[at])
    return value * curve.r_inverse % curve.p


def _sum(work: bytearray, curve: "Curve") -> "tuple[int, int, int]":
    """Return the sum in Jacobian coordinates."""
    return _plain(work, 0, curve), _plain(work, 1, curve), _plain(work, 2, curve)


def sum_steps(
    curve: "Curve", work: bytearray, scalars: bytes, base: bytearray, own: bytearray
) -> "Generator[None, None, tuple[int, int, int]]":
    """Add up two combs, in slices.

    Args:
        curve: which.
        work: see `make_work`.
        scalars: 33 bytes little-endian for the generator, 33 for the key, the digits' bits as in `ec_comb.recode`;
            then a byte 0 or 1 for each, whether its points are negated.
        base: the generator's table, with a byte to spare.
        own: the key's, likewise.

    Returns:
        The sum in Jacobian coordinates; z = 0 when it is at infinity or a case was special.
    """
    _begin(work, curve)
    run(work, work, work, _FIRST, scalars, base, own, COLUMNS - 1, COLUMNS - 1)
    column = COLUMNS - 2
    while column >= 0:
        yield
        low = max(column - _SLICE_COLUMNS + 1, 0)
        run(work, work, work, _NEXT, scalars, base, own, column, low)
        column = low - 1
    return _sum(work, curve)


def doublings_steps(
    curve: "Curve", work: bytearray, x: int, y: int, times: int
) -> "Generator[None, None, tuple[int, int, int]]":
    """Double a point a number of times, in slices, and return it in Jacobian coordinates."""
    _begin(work, curve)
    _set(work, 0, x * curve.r % curve.p)
    _set(work, 1, y * curve.r % curve.p)
    _set(work, 2, curve.r)
    while times > 0:
        run(work, work, work, _DOUBLINGS, b"", b"", b"", min(times, _SLICE_DOUBLINGS), 1)
        times -= _SLICE_DOUBLINGS
        yield
    return _sum(work, curve)


def inverse(value: int, modulus: int) -> int:
    """Invert modulo a curve's p or n; 0 for 0."""
    f, g = modulus, value % modulus
    d, e, zeta = 0, 1, -1  # value·d = f·2^(30·rounds) modulo the modulus, and value·e = g·2^(30·rounds)
    cells = bytearray(16)
    rounds = _ROUNDS
    while g:
        zeta = divsteps(zeta, f & _MASK30, g & _MASK30, cells)
        u, v, q, r = unpack("<iiii", cells)
        f, g = (u * f + v * g) >> 30, (q * f + r * g) >> 30
        d, e = u * d + v * e, q * d + r * e
        rounds -= 1
    if f == -1:
        d = -d
    elif f != 1:
        return 0
    if modulus not in _unscale:
        _unscale[modulus] = pow((modulus + 1) >> 1, 30 * _ROUNDS, modulus)
    return (d << 30 * rounds) % modulus * _unscale[modulus] % modulus
