"""SM2 with SM3 (GM/T 0003.2, GM/T 0009): says whether a signature holds, in slices short enough for the gate's tick.

Decides one question, yes or no, from a public key, a message and a signature. Envelopes and trust in the key are the
caller's, the sum is `ec_sum`'s. Nothing here is secret, so nothing is constant-time.

The hash is not of the message alone: ZA, a hash over the signer's id, the curve and the key, comes first, so that a
signature by one key is none by another. ZA is computed when a key's table is built and lies under the table's seal.
"""

from weldgate_protocol import ec_comb, ec_machine, ec_sum, sm3
from weldgate_protocol.ec_curve import Curve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

# GM/T 0003.5 §2, all
CURVE = Curve(
    0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF,
    0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123,
    0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93,
    b"\x32\xc4\xae\x2c\x1f\x19\x81\x19\x5f\x99\x04\x46\x6a\x39\xc9\x94\x8f\xe3\x0b\xbf\xf2\x66\x0b\xe1\x71\x5a\x45\x89"
    b"\x33\x4c\x74\xc7\xbc\x37\x36\xa2\xf4\xf6\x77\x9c\x59\xbd\xce\xe3\x6b\x69\x21\x53\xd0\xa9\x87\x7c\xc6\x2a\x47\x40"
    b"\x02\xdf\x32\xe5\x21\x39\xf0\xa0",
    ec_machine.REDUCES_SM2,
    0x4FFFFFFF700000005FFFFFFFC00000002FFFFFFF90000000AFFFFFFF90000000,
)
SIGNER = b"1234567812345678"  # GM/T 0009 §10: the id where none is agreed on


def signer_hash(public64: bytes) -> bytes:
    """Return ZA (GM/T 0003.2 §5.5), 32 bytes: SM3 of the id and its length in bits, a, b, the generator, the key."""
    return sm3.digest(
        (8 * len(SIGNER)).to_bytes(2, "big")
        + SIGNER
        + (CURVE.p - 3).to_bytes(32, "big")
        + CURVE.b.to_bytes(32, "big")
        + CURVE.generator
        + public64
    )


def on_curve(public64: bytes) -> bool:
    """Tell whether x ‖ y (64 bytes, big-endian) is a point of the curve, and so a good key."""
    return CURVE.on_curve(public64)


def prepare_steps(public64: bytes) -> "Generator[None, None, None]":
    """Build the tables that checks by this key use, ahead of the first one; see `ec_comb.prepare_steps`."""
    return ec_comb.prepare_steps(CURVE, public64, signer_hash)


def verify_steps(public64: bytes, message: bytes, signature64: bytes) -> "Generator[None, None, bool]":
    """Verify a signature, yielding between slices of at most 20 ms of an ESP32.

    Who drops a check before its end calls its `close()`.

    Args:
        public64: the public key, x ‖ y, 32 bytes each, big-endian.
        message: what was signed, not hashed.
        signature64: r ‖ s, 32 bytes each, big-endian.

    Returns:
        True if and only if the signature is good; any malformed argument is False.
    """
    return _verify_steps(public64, lambda za: sm3.digest(za + message), signature64)


def _verify_steps(
    public64: bytes, hashed: "Callable[[bytes], bytes]", signature64: bytes
) -> "Generator[None, None, bool]":
    """Verify a signature over `hashed(ZA)`, 32 bytes."""
    n = CURVE.n
    r, s = CURVE.numbers(signature64)
    if r == 0:
        return False
    t = (r + s) % n
    if t == 0:  # the key would have no part in the sum
        return False
    table = ec_comb.take(CURVE, public64)
    try:
        good = yield from ec_comb.ready_steps(CURVE, table, public64, signer_hash)
        if good:
            e = int.from_bytes(hashed(table.extra()), "big")
            yield
            good = yield from ec_sum.has_x_steps(CURVE, table, s, t, (r - e) % n)
    finally:  # also when the check is closed before its end
        ec_comb.give_back(table)
    return good
