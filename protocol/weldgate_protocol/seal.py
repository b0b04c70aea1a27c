"""The seal: what a collector that holds K_up cannot make, and so cannot change, drop or invent records under.

Every record of a chip is folded into a running hash, the chain: SHA-256(chain ‖ raw). A record that bears a seal closes
the chain before it: its seal is HMAC under K_seal over the chain and over all of the record that stands before the
seal. Then the chain begins anew with that record, whose seal stands for all before: so each stretch is proved by
itself, a loss spoils no stretch but its own, and a chip finds its chain again from the records it holds.

Decides which record bears a seal, and what the seal is. Who keeps the chain: the chip's `seals`. Who looks at the
records afterwards: the issuer's `seals`, since nobody else has the key.
"""

from weldgate_protocol import messages
from weldgate_protocol._compat import const, sha256
from weldgate_protocol.errors import RemoteError
from weldgate_protocol.frame import HEADER_BYTES, TAG_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from weldgate_protocol._compat import HmacKey

SEAL_BYTES = const(16)
CHAIN_START = bytes(32)
EVERY_BITS = const(8)  # the first record of each 256 numbers bears one

_UNCLEAN = const(1)  # gap causes whose numbers no record of the chip's ever had
_AHEAD = const(6)
_SEAL_AT = const(26)  # SEAL_BYTES, TAG_BYTES and the key and length of the seal, from the end of a raw frame


def due(type_: int, seq: int, before: int) -> bool:
    """Tell whether a record bears a seal.

    Args:
        type_: its message type.
        seq: its number.
        before: the number of the record before it, 0 for none.
    """
    return type_ == messages.SESSION_STOP or before == 0 or seq >> EVERY_BITS != before >> EVERY_BITS


def fold(chain: bytes, raw: bytes) -> bytes:
    """Return the chain with one more record in it, 32 bytes."""
    return sha256(chain + raw)


def make(key: "HmacKey", chain: bytes, head: bytes) -> bytes:
    """Return a seal.

    Args:
        key: K_seal of the generation that the header's parity names.
        chain: of all records since the last sealed one, that one included; CHAIN_START where there is none.
        head: header and payload of the record, up to the seal's own 16 bytes.
    """
    return key.digest(chain + head)[:SEAL_BYTES]


def head_of(raw: bytes) -> bytes:
    """Return what a sealed record's seal covers of itself."""
    return raw[: -SEAL_BYTES - TAG_BYTES]


def seal_of(raw: bytes) -> bytes:
    """Return the seal that a durable frame bears as the last field of its payload, empty where it bears none.

    Args:
        raw: header, payload and tag.
    """
    if raw[-_SEAL_AT : 2 - _SEAL_AT] != b"\x0f\x50":  # key 15, byte string of 16
        return b""
    try:
        fields = messages.decode(raw[1], raw[HEADER_BYTES:-TAG_BYTES])
    except RemoteError:
        return b""
    seal = fields.get("seal")
    return seal if isinstance(seal, bytes) and seal == raw[-SEAL_BYTES - TAG_BYTES : -TAG_BYTES] else b""


def never_given(raw: bytes) -> int:
    """Return the first number that a gap record declares right before its own as never used, 0 for no such record.

    Numbers of an unclean tail, and those that a collector was ahead by, are in no chain, even if such a record comes
    to light later: half-programmed flash may read one way today and another tomorrow.
    """
    if raw[1] != messages.GAP:
        return 0
    try:
        gap = messages.decode(messages.GAP, raw[HEADER_BYTES:-TAG_BYTES])
    except RemoteError:
        return 0
    first = gap["first"]
    own = gap.get("epoch", raw[10:14]) == raw[10:14] and gap["cause"] in (_UNCLEAN, _AHEAD)
    if own and gap.get("last") == int.from_bytes(raw[14:18], "big") - 1 and isinstance(first, int):
        return first
    return 0
