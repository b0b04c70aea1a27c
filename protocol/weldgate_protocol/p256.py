"""ECDSA over NIST P-256: says whether a signature holds, in slices short enough for the gate's tick.

Decides one question, yes or no, from a public key, a digest and a signature (FIPS 186-5 §6.4.2). Hashing, envelopes
and trust in the key are the caller's, the sum is `ec_sum`'s. Nothing here is secret, so nothing is constant-time.
"""

from weldgate_protocol import ec_comb, ec_machine, ec_sum
from weldgate_protocol.ec_curve import Curve, inverse_steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import TypeVar

    Result = TypeVar("Result")

# SP 800-186 §3.2.1.3, all
CURVE = Curve(
    0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    b"\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45"
    b"\xd8\x98\xc2\x96\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16\x2b\xce\x33\x57\x6b\x31\x5e\xce"
    b"\xcb\xb6\x40\x68\x37\xbf\x51\xf5",
    ec_machine.REDUCES_P256,
    0x0FFFFFFFE00000003FFFFFFFD0000000200000001FFFFFFFE000000030000000,
)
ec_comb.generator(CURVE)  # at start: a fragmented heap would have no 4 KB in one piece later


def on_curve(public64: bytes) -> bool:
    """Tell whether x ‖ y (64 bytes, big-endian) is a point of the curve, and so a good key."""
    return CURVE.on_curve(public64)


def prepare_steps(public64: bytes) -> "Generator[None, None, None]":
    """Build the tables that checks by this key use, ahead of the first one; see `ec_comb.prepare_steps`."""
    return ec_comb.prepare_steps(CURVE, public64)


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
    n = CURVE.n
    r, s = CURVE.numbers(signature64)
    if r == 0 or len(digest32) != 32:
        return False
    table = ec_comb.take(CURVE, public64)
    try:
        good = yield from ec_comb.ready_steps(CURVE, table, public64)
        if good:
            w = yield from inverse_steps(s, n)
            u1, u2 = int.from_bytes(digest32, "big") * w % n, r * w % n
            good = yield from ec_sum.has_x_steps(CURVE, table, u1, u2, r)
    finally:  # also when the check is closed before its end
        ec_comb.give_back(table)
    return good


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
