"""ECDSA over NIST P-256: says whether a signature holds, in slices short enough for the gate's tick.

Decides one question, yes or no, from a public key, a digest and a signature (FIPS 186-5 §6.4.2). Hashing, envelopes
and trust in the key are the caller's. Nothing here is secret, so nothing is constant-time.

Theory of operation. u1·G + u2·Q is the sum of two signed combs (`p256_comb`) that share their doublings. Where the
interpreter has a native emitter, machine code adds it up (`p256_machine`); it comes to z = 0 wherever two summands had
the same x, and then, as everywhere without an emitter, big integers do it again with additions that distinguish every
case (`p256_curve`): degenerate sums come out right and not by luck. The sum is compared as r·Z² = X, without an
inversion. Two questions stand before that: Z = 0, the point at infinity, is a no, or the comparison would accept a
forgery; and a sum off the curve is a no, since only a fault in memory can have led there.
"""

from weldgate_protocol import p256_comb, p256_machine
from weldgate_protocol.p256_curve import add, double, holds, inverse_steps
from weldgate_protocol.p256_curve import on_curve as on_curve
from weldgate_protocol.p256_machine import N, P

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import TypeVar

    from weldgate_protocol.p256_curve import Jacobian

    Result = TypeVar("Result")

prepare_steps = p256_comb.prepare_steps


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
    if len(digest32) != 32 or len(signature64) != 64:
        return False
    r = int.from_bytes(signature64[:32], "big")
    s = int.from_bytes(signature64[32:], "big")
    if not (0 < r < N and 0 < s < N):
        return False
    table = p256_comb.take(public64)
    try:
        good = yield from p256_comb.ready_steps(table, public64)
        if good:
            good = yield from _check_steps(table, int.from_bytes(digest32, "big"), r, s)
    finally:  # also when the check is closed before its end
        p256_comb.give_back(table)
    return good


def _check_steps(table: "p256_comb.Table", e: int, r: int, s: int) -> "Generator[None, None, bool]":
    """Tell whether the x of e/s·G + r/s·Q is r modulo n, Q by its table."""
    w = yield from inverse_steps(s, N)
    m1, negative1 = p256_comb.recode(e * w % N)
    m2, negative2 = p256_comb.recode(r * w % N)
    z = 0
    if p256_machine.ready:
        scalars = m1.to_bytes(33, "little") + m2.to_bytes(33, "little") + bytes([negative1, negative2])
        x, y, z = yield from p256_machine.sum_steps(table.work, scalars, p256_comb.generator.data, table.data)
    if z == 0:  # no machine, or a special case on the way
        yield
        x, y, z = yield from _sum_steps(table.data, m1, negative1, m2, negative2)
    if z == 0:
        return False
    zz = z * z % P
    if not holds(x, y, zz):
        table.drop()
        p256_comb.generator.drop()
        return False
    return (r * zz - x) % P == 0 or (r + N < P and ((r + N) * zz - x) % P == 0)


def _sum_steps(own: bytearray, m1: int, negative1: bool, m2: int, negative2: bool) -> "Generator[None, None, Jacobian]":
    """Add up the two combs by big integers, right in every case."""
    base = p256_comb.generator.data
    x, y, z = 1, 1, 0
    for column in range(p256_comb.COLUMNS - 1, -1, -1):
        x, y, z = double(x, y, z)
        x, y, z = add(x, y, z, *p256_comb.select(base, m1, column, negative1))
        x, y, z = add(x, y, z, *p256_comb.select(own, m2, column, negative2))
        if column & 1:
            yield
    return x, y, z


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
