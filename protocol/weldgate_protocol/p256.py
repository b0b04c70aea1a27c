"""ECDSA over NIST P-256: says whether a signature holds, in slices short enough for the gate's tick.

Decides one question, yes or no, from a public key, a digest and a signature (FIPS 186-5 §6.4.2). Hashing, envelopes
and trust in the key are the caller's. Nothing here is secret, so nothing is constant-time.

Theory of operation. u1·G + u2·Q is computed with two signed combs (Lim-Lee) that share their doublings. A scalar
is made odd (k or n - k, the sign goes into the points) and written with 259 digits of +1 or -1; digit j + 37·i is
tooth i of column j, so one column selects one of 2^7 sums ±2^222·P ± ... ± P, of which half need a table since the
other half are their negatives. 36 doublings and 74 additions follow. A key's table (4 KB) is built once, in three
times the time of a check, and kept for the next one. Additions distinguish every case (infinity, equal, opposite), so
degenerate sums come out right and not by luck, and a result at infinity (Z = 0) is a no: without that test the
comparison r·Z² = X would accept a forgery.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import TypeVar

    Result = TypeVar("Result")
    Jacobian = tuple[int, int, int]

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF  # SP 800-186 §3.2.1.3, as all five here
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
GENERATOR = (
    b"\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45"
    b"\xd8\x98\xc2\x96\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16\x2b\xce\x33\x57\x6b\x31\x5e\xce"
    b"\xcb\xb6\x40\x68\x37\xbf\x51\xf5"
)

TEETH = 7
COLUMNS = 37  # TEETH * COLUMNS = 259 >= 256 digits
TABLES_MAX = 2  # public keys whose tables are kept, 4 KB each; G's own comes on top
_HALF = 1 << (TEETH - 1)  # points in a table: the top tooth is always +
_DIGITS = TEETH * COLUMNS
_ALL_ONES = (1 << _DIGITS) - 1


class _Table:
    """A buffer for one key's comb table, and whose it is."""

    def __init__(self) -> None:
        self.public = b""  # nobody's yet
        self.data = bytearray(64 * _HALF)


# Allocated once, at start: a fragmented heap would have no 4 KB in one piece later. Last used first.
_generator = _Table()
_tables = [_Table() for _ in range(TABLES_MAX)]


def _double(x: int, y: int, z: int) -> "Jacobian":
    """Double a point (dbl-2001-b for a = -3); infinity (z = 0) stays there."""
    delta = z * z % P
    gamma = y * y % P
    beta = x * gamma % P
    alpha = 3 * (x - delta) * (x + delta) % P
    x3 = (alpha * alpha - 8 * beta) % P
    return x3, (alpha * (4 * beta - x3) - 8 * gamma * gamma) % P, 2 * y * z % P


def _add(x: int, y: int, z: int, x2: int, y2: int) -> "Jacobian":
    """Add an affine point to a Jacobian one, in every case; all coordinates reduced."""
    if z == 0:
        return x2, y2, 1
    zz = z * z % P
    h = x2 * zz % P - x
    r = y2 * zz % P * z % P - y
    if h == 0:
        return (1, 1, 0) if r else _double(x, y, z)
    hh = h * h % P
    hhh = h * hh % P
    v = x * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    return x3, (r * (v - x3) - y * hhh) % P, z * h % P


def _inverse_steps(value: int, modulus: int) -> "Generator[None, None, int]":
    """Invert modulo a prime by Euclid, in slices; 0 for 0. MicroPython's pow(x, -1, n) silently returns 0."""
    r0, r1 = modulus, value % modulus
    t0, t1 = 0, 1
    count = 0
    while r1:
        q = r0 // r1
        r0, r1 = r1, r0 - q * r1
        t0, t1 = t1, t0 - q * t1
        count += 1
        if count % 48 == 0:
            yield
    return t0 % modulus if r0 == 1 else 0


def _inverses_steps(values: "list[int]") -> "Generator[None, None, None]":
    """Replace non-zero field elements by their inverses, in place, with one inversion for all (Montgomery)."""
    product = 1
    prefixes = []
    for value in values:
        prefixes.append(product)
        product = product * value % P
    yield
    inverse = yield from _inverse_steps(product, P)
    for i in range(len(values) - 1, -1, -1):
        value = values[i]
        values[i] = inverse * prefixes[i] % P
        inverse = inverse * value % P
    yield


def _affine_steps(points: "list[int]", zs: "list[int]") -> "Generator[None, None, None]":
    """Turn Jacobian points, a flat list x0, y0, x1, y1 … with their zs beside it, into affine ones in place."""
    yield from _inverses_steps(zs)
    for i in range(len(zs)):
        zz = zs[i] * zs[i] % P
        points[2 * i] = points[2 * i] * zz % P
        points[2 * i + 1] = points[2 * i + 1] * zz % P * zs[i] % P
    yield


def on_curve(public64: bytes) -> bool:
    """Tell whether x ‖ y (64 bytes, big-endian) is a point of the curve; the group's order being prime, a good key."""
    if len(public64) != 64:
        return False
    x = int.from_bytes(public64[:32], "big")
    y = int.from_bytes(public64[32:], "big")
    return x < P and y < P and (y * y - (x * x - 3) * x - B) % P == 0


def _teeth_steps(public64: bytes) -> "Generator[None, None, list[int]]":
    """Compute the teeth 2^(37·i)·Q, i = 0..6, affine, as a flat list x0, y0, x1, y1 …"""
    x = int.from_bytes(public64[:32], "big")
    y = int.from_bytes(public64[32:], "big")
    z = 1
    teeth = [x, y]
    zs = [1]
    for _ in range(1, TEETH):
        for j in range(COLUMNS):
            x, y, z = _double(x, y, z)
            if j % 8 == 0:
                yield
        teeth.append(x)
        teeth.append(y)
        zs.append(z)
    yield from _affine_steps(teeth, zs)
    return teeth


def _point(table: bytearray, index: int) -> "tuple[int, int]":
    """Read entry number index of a table."""
    at = 64 * index
    return int.from_bytes(table[at : at + 32], "big"), int.from_bytes(table[at + 32 : at + 64], "big")


def _put(table: bytearray, index: int, x: int, y: int) -> None:
    """Write entry number index of a table."""
    at = 64 * index
    table[at : at + 32] = x.to_bytes(32, "big")
    table[at + 32 : at + 64] = y.to_bytes(32, "big")


def _seed_steps(teeth: "list[int]") -> "Generator[None, None, list[int]]":
    """Compute entry 0 (top tooth less all others), then twice each other tooth, affine, as a flat list."""
    x, y, z = teeth[-2], teeth[-1], 1
    for i in range(TEETH - 1):
        x, y, z = _add(x, y, z, teeth[2 * i], P - teeth[2 * i + 1])
    yield
    points = [x, y]
    zs = [z]
    for i in range(TEETH - 1):
        x, y, z = _double(teeth[2 * i], teeth[2 * i + 1], 1)
        points.append(x)
        points.append(y)
        zs.append(z)
    yield
    yield from _affine_steps(points, zs)
    return points


def _fill_steps(table: _Table, public64: bytes) -> "Generator[None, None, None]":
    """Make a table this key's: 64 affine points of 64 bytes, entry e = top tooth + the others by e's bits (1 = +).

    Doubles the table tooth by tooth: entry e + 2^i = entry e + 2 x tooth i. The x of two summands never agree (their
    scalars are distinct, not opposite, and below n), so affine additions with shared inversions do.
    """
    if table.public == public64:
        return
    table.public = b""
    teeth = yield from _teeth_steps(public64)
    seed = yield from _seed_steps(teeth)
    data = table.data  # read back as it grows: as integers it would take four times the heap
    _put(data, 0, seed[0], seed[1])
    for i in range(TEETH - 1):
        x2, y2 = seed[2 * i + 2], seed[2 * i + 3]
        slopes = [x2 - _point(data, j)[0] for j in range(1 << i)]
        yield from _inverses_steps(slopes)
        for j in range(1 << i):
            x, y = _point(data, j)
            slope = (y2 - y) * slopes[j] % P
            x3 = (slope * slope - x - x2) % P
            _put(data, j + (1 << i), x3, (slope * (x - x3) - y) % P)
            if j % 16 == 15:
                yield
    table.public = bytes(public64)


def _take(public64: bytes) -> _Table:
    """Take this key's table out of the kept ones, else the one unused longest, else a new one.

    Who took it owns it until it is given back, so that checks may run side by side.
    """
    for i in range(len(_tables)):
        if _tables[i].public == public64:
            return _tables.pop(i)
    return _tables.pop() if _tables else _Table()


def _give_back(table: _Table) -> None:
    """Put a table back as the last used one."""
    _tables.insert(0, table)
    while len(_tables) > TABLES_MAX:
        _tables.pop()


def prepare_steps(public64: bytes) -> "Generator[None, None, None]":
    """Build the tables that checks by this key use, ahead of the first one, in slices.

    Args:
        public64: a point of the curve, x ‖ y, 64 bytes; anything else is left alone.
    """
    if not on_curve(public64):
        return
    yield from _fill_steps(_generator, GENERATOR)  # two builders at once write the same bytes to the same places
    table = _take(public64)
    try:
        yield from _fill_steps(table, public64)
    finally:
        _give_back(table)


def _select(table: bytearray, scalar: int, column: int, flip: bool) -> "tuple[int, int]":
    """Return the comb's affine point for one column of a recoded scalar, negated once more when flip is set."""
    index = 0
    for i in range(TEETH - 1, -1, -1):
        index = index << 1 | (scalar >> (column + COLUMNS * i) & 1)
    if index < _HALF:  # the top tooth is negative: the opposite point has all digits turned round
        index = 2 * _HALF - 1 - index
        flip = not flip
    x, y = _point(table, index - _HALF)
    return x, P - y if flip else y


def _recode(scalar: int) -> "tuple[int, bool]":
    """Return (m, negative): digits ±1 of the odd one of k and n - k, digit i = 2·bit i of m - 1."""
    negative = scalar & 1 == 0
    odd = N - scalar if negative else scalar
    return (odd + _ALL_ONES) >> 1, negative


def verify_steps(public64: bytes, digest32: bytes, signature64: bytes) -> "Generator[None, None, bool]":
    """Verify a signature, yielding between slices of at most 20 ms of an ESP32.

    Who drops a check before its end calls its `close()`.

    Args:
        public64: the public key, x ‖ y, 32 bytes each, big-endian.
        digest32: SHA-256 of what was signed.
        signature64: r ‖ s, 32 bytes each, big-endian.

    Returns:
        True if and only if the signature is good; any malformed argument is False.
    """
    if len(digest32) != 32 or len(signature64) != 64 or not on_curve(public64):
        return False
    r = int.from_bytes(signature64[:32], "big")
    s = int.from_bytes(signature64[32:], "big")
    if not (0 < r < N and 0 < s < N):
        return False
    yield from _fill_steps(_generator, GENERATOR)
    table = _take(public64)
    try:
        yield from _fill_steps(table, public64)
        good = yield from _check_steps(table.data, int.from_bytes(digest32, "big"), r, s)
    finally:  # also when the check is closed before its end
        _give_back(table)
    return good


def _check_steps(table: bytearray, e: int, r: int, s: int) -> "Generator[None, None, bool]":
    """Tell whether the x of e/s·G + r/s·Q is r modulo n, Q by its table."""
    w = yield from _inverse_steps(s, N)
    m1, negative1 = _recode(e * w % N)
    m2, negative2 = _recode(r * w % N)
    x, y, z = 1, 1, 0
    for column in range(COLUMNS - 1, -1, -1):
        x, y, z = _double(x, y, z)
        x2, y2 = _select(_generator.data, m1, column, negative1)
        x, y, z = _add(x, y, z, x2, y2)
        x2, y2 = _select(table, m2, column, negative2)
        x, y, z = _add(x, y, z, x2, y2)
        if column & 1:
            yield
    if z == 0:
        return False
    zz = z * z % P
    return (r * zz - x) % P == 0 or (r + N < P and ((r + N) * zz - x) % P == 0)


def verify(public64: bytes, digest32: bytes, signature64: bytes) -> bool:
    """Verify a signature in one go; see `verify_steps`."""
    return run(verify_steps(public64, digest32, signature64))


def run(steps: "Generator[None, None, Result]") -> "Result":
    """Run a resumable routine to its end without a pause and return (or raise) what it does: hosts and tests."""
    try:
        while True:
            next(steps)
    except StopIteration as stop:
        result: "Result" = stop.value
        return result
