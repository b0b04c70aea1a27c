"""Comb tables: each curve's generator's and those of a few keys, built once in memory and kept.

Decides what a table holds, whose it is and whether it still is what was built.

Theory of operation. Signed comb (Lim-Lee): a scalar is made odd (k or n - k, the sign goes into the points) and written
with 259 digits of +1 or -1; digit j + 37·i is tooth i of column j, so one column selects one of 2^7 sums
±2^222·P ± ... ± P, of which half need a table since the other half are their negatives. 36 doublings and 73 additions
make u1·G + u2·Q.

A table holds 64 affine points, x and y in Montgomery form (times 2^260 modulo p), 32 bytes each, little-endian, and
after them the key it was made from, here; SHA-256 over all of it is its seal. A key's seal is looked at before each
check, the generator's when a key is prepared; a table that differs is built again.
"""

from weldgate_protocol import ec_machine
from weldgate_protocol._compat import const, sha256
from weldgate_protocol.ec_curve import affine_steps, inverses_steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from weldgate_protocol.ec_curve import Curve, Jacobian

    Extra = Callable[[bytes], bytes]

TEETH = const(7)
COLUMNS = const(37)  # TEETH * COLUMNS = 259 >= 256 digits
TABLES_MAX = 2  # public keys whose tables are kept, 4 KB each
_HALF = const(64)  # points in a table: the top tooth is always +
_EXTRA_AT = const(4160)
_BATCH = const(16)  # points that share an inversion; more of them need more heap at once
_ALL_ONES = (1 << 259) - 1


class Table:
    """A buffer for one point's comb table, whose it is, and the work area of the one check that uses it."""

    def __init__(self, work: bytearray) -> None:
        self.curve: "Curve | None" = None
        self.public = b""  # nobody's yet
        self.data = bytearray(64 * _HALF + 96)  # the table, the key, and 32 bytes that a scheme keeps with a key
        self.seal = b""
        self.work = work
        self._turn = 0  # counts who began to fill it; the last one does
        self._filling = False

    def is_for(self, curve: "Curve", public64: bytes) -> bool:
        """Tell whether this is a key's table and no bit of it has changed since it was built."""
        return self.curve is curve and self.public == public64 and self.seal == sha256(self.data)

    def extra(self) -> bytes:
        """Return what the key's scheme keeps with it, under the same seal."""
        return bytes(self.data[_EXTRA_AT:])

    def drop(self) -> None:
        """Make it nobody's."""
        self.public = b""

    def begin(self) -> int:
        """Take the filling over from whoever is at it, and return the turn it is."""
        self.drop()
        self._turn += 1
        self._filling = True
        return self._turn

    def end(self, turn: int) -> None:
        """Fill it no longer, in this turn."""
        if self.has(turn):
            self._filling = False

    def has(self, turn: int) -> bool:
        """Tell whether nobody has taken the filling over since this turn began."""
        return self._turn == turn

    def waits(self, turn: int) -> bool:
        """Tell whether somebody else, who came later, still fills it."""
        return self._filling and not self.has(turn)


# Allocated once, at start: a fragmented heap would have no 4 KB in one piece later.
tables = [Table(ec_machine.make_work()) for _ in range(TABLES_MAX)]  # last used first


def generator(curve: "Curve") -> Table:
    """Return the table of a curve's generator, still empty where nobody has asked before."""
    if curve.table is None:
        curve.table = Table(bytearray(0))
    return curve.table


def take(curve: "Curve", public64: bytes) -> Table:
    """Take this key's table out of the kept ones, else the one unused longest, else a new one.

    Who took it owns it until it is given back, so that checks may run side by side.
    """
    for i in range(len(tables)):
        if tables[i].public == public64 and tables[i].curve is curve:
            return tables.pop(i)
    return tables.pop() if tables else Table(ec_machine.make_work())


def give_back(table: Table) -> None:
    """Put a table back as the last used one."""
    tables.insert(0, table)
    while len(tables) > TABLES_MAX:
        tables.pop()


def recode(scalar: int, n: int) -> "tuple[int, bool]":
    """Return (m, negative): digits ±1 of the odd one of k and n - k, digit i = 2·bit i of m - 1."""
    negative = scalar & 1 == 0
    odd = n - scalar if negative else scalar
    return (odd + _ALL_ONES) >> 1, negative


def select(curve: "Curve", table: "bytes | bytearray", m: int, column: int, flip: bool) -> "tuple[int, int]":
    """Return the comb's affine point for one column of a recoded scalar, negated once more when flip is set."""
    index = 0
    for i in range(TEETH - 1, -1, -1):
        index = index << 1 | (m >> (column + COLUMNS * i) & 1)
    if index < _HALF:  # the top tooth is negative: the opposite point has all digits turned round
        index = 2 * _HALF - 1 - index
        flip = not flip
    x, y = _point(table, index - _HALF)
    x, y = x * curve.r_inverse % curve.p, y * curve.r_inverse % curve.p
    return x, curve.p - y if flip else y


def _point(table: "bytes | bytearray", index: int) -> "tuple[int, int]":
    """Read entry number index of a table, as it stands there."""
    at = 64 * index
    return int.from_bytes(table[at : at + 32], "little"), int.from_bytes(table[at + 32 : at + 64], "little")


def _put(table: bytearray, index: int, x: int, y: int) -> None:
    """Write entry number index of a table."""
    at = 64 * index
    table[at : at + 32] = x.to_bytes(32, "little")
    table[at + 32 : at + 64] = y.to_bytes(32, "little")


def _doublings_steps(curve: "Curve", work: bytearray, x: int, y: int) -> "Generator[None, None, Jacobian]":
    """Double an affine point 37 times, from one tooth to the next."""
    if ec_machine.ready:
        point = yield from ec_machine.doublings_steps(curve, work, x, y, COLUMNS)
        return point
    point = (x, y, 1)
    for i in range(COLUMNS):
        point = curve.double(*point)
        if i % 8 == 0:
            yield
    return point


def _teeth_steps(curve: "Curve", work: bytearray, public64: bytes) -> "Generator[None, None, list[int]]":
    """Compute the teeth 2^(37·i)·Q, i = 0..6, affine, as a flat list x0, y0, x1, y1 …"""
    x = int.from_bytes(public64[:32], "big")
    y = int.from_bytes(public64[32:], "big")
    teeth = [x, y]
    for _ in range(1, TEETH):
        x, y, z = yield from _doublings_steps(curve, work, x, y)
        point = [x, y]
        yield from affine_steps(point, [z], curve.p)
        x, y = point
        teeth.append(x)
        teeth.append(y)
    return teeth


def _seed_steps(curve: "Curve", teeth: "list[int]") -> "Generator[None, None, list[int]]":
    """Compute entry 0 (top tooth less all others), then twice each other tooth, affine, as a flat list."""
    x, y, z = teeth[-2], teeth[-1], 1
    for i in range(TEETH - 1):
        x, y, z = curve.add(x, y, z, teeth[2 * i], curve.p - teeth[2 * i + 1])
    yield
    points = [x, y]
    zs = [z]
    for i in range(TEETH - 1):
        x, y, z = curve.double(teeth[2 * i], teeth[2 * i + 1], 1)
        points.append(x)
        points.append(y)
        zs.append(z)
    yield
    yield from affine_steps(points, zs, curve.p)
    return points


def fill_steps(
    curve: "Curve", table: Table, public64: bytes, work: bytearray, extra: "Extra | None" = None
) -> "Generator[None, None, bool]":
    """Make a table this key's: 64 affine points, entry e = top tooth + the others by e's bits (1 = +).

    Checks share the generator's table, and one may begin while another fills it. Who comes last fills, since on the
    chip that is who is urgent; who came before waits, and begins again should the other have been dropped.

    Args:
        curve: whose point the key is.
        table: to be filled.
        public64: the key, x ‖ y.
        work: a work area nobody else uses.
        extra: computes what the key's scheme keeps with it, 32 bytes.

    Returns:
        False for what is no point of the curve; the table is as it was.
    """
    if table.is_for(curve, public64):
        return True
    if not curve.on_curve(public64):
        return False
    while not table.is_for(curve, public64):
        turn = table.begin()
        try:
            yield from _fill_steps(curve, table, turn, public64, work, extra)
        finally:
            table.end(turn)
        while table.waits(turn):
            yield
    return True


def _fill_steps(
    curve: "Curve", table: Table, turn: int, public64: bytes, work: bytearray, extra: "Extra | None"
) -> "Generator[None, None, None]":
    """Fill a table, or give up as soon as somebody else has taken it over.

    Doubles the table tooth by tooth: entry e + 2^i = entry e + 2 x tooth i. The x of two summands never agree (their
    scalars are distinct, not opposite, and below n), so affine additions with shared inversions do.
    """
    p = curve.p
    teeth = yield from _teeth_steps(curve, work, public64)
    seed = yield from _seed_steps(curve, teeth)
    data = table.data  # read back as it grows: as integers it would take four times the heap
    if not table.has(turn):
        return
    _put(data, 0, seed[0], seed[1])
    for i in range(TEETH - 1):
        x2, y2 = seed[2 * i + 2], seed[2 * i + 3]
        for begin in range(0, 1 << i, _BATCH):
            batch = range(begin, min(begin + _BATCH, 1 << i))
            slopes = [x2 - _point(data, j)[0] for j in batch]
            yield from inverses_steps(slopes, p)
            if not table.has(turn):
                return
            for j in batch:
                x, y = _point(data, j)
                slope = (y2 - y) * slopes[j - begin] % p
                x3 = (slope * slope - x - x2) % p
                _put(data, j + (1 << i), x3, (slope * (x - x3) - y) % p)
            yield
            if not table.has(turn):
                return
    for j in range(_HALF):
        x, y = _point(data, j)
        _put(data, j, x * curve.r % p, y * curve.r % p)
        if j % 16 == 15:
            yield
            if not table.has(turn):
                return
    data[64 * _HALF : _EXTRA_AT] = public64
    data[_EXTRA_AT:] = extra(public64) if extra is not None else bytes(32)
    table.curve = curve
    table.seal = sha256(data)
    table.public = bytes(public64)


def ready_steps(
    curve: "Curve", table: Table, public64: bytes, extra: "Extra | None" = None, again: bool = False
) -> "Generator[None, None, bool]":
    """Have the generator's table and this key's there.

    Args:
        curve: whose point the key is.
        table: as taken for the key.
        public64: the key.
        extra: see `fill_steps`.
        again: look at the generator's seal too; what goes wrong with it in between leads off the curve.

    Returns:
        False for what is no point of the curve.
    """
    base = generator(curve)
    if again or base.public != curve.generator:
        yield from fill_steps(curve, base, curve.generator, table.work)
    good = yield from fill_steps(curve, table, public64, table.work, extra)
    return good


def prepare_steps(curve: "Curve", public64: bytes, extra: "Extra | None" = None) -> "Generator[None, None, None]":
    """Build the tables that checks by this key use, ahead of the first one, in slices.

    Args:
        curve: whose point the key is.
        public64: x ‖ y, 64 bytes; what is no point of the curve is left alone.
        extra: see `fill_steps`.
    """
    if not curve.on_curve(public64):
        return
    table = take(curve, public64)
    try:
        yield from ready_steps(curve, table, public64, extra, again=True)
    finally:
        give_back(table)
