"""What tokens, orders and key sets have in common: claims by table, and the circumstances they are judged in.

A table has a row (label, name, kind, required, low, high) a claim; low and high bound a number's value or a string's,
list's or map's length. Labels 24 to 63 may be ignored by who does not know them; any other unknown label is refused,
because it may take away a permission that this firmware would still grant.
"""

from weldgate_protocol import cbor
from weldgate_protocol._compat import const
from weldgate_protocol.errors import CborError, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence
    from typing import Any

    from weldgate_protocol.cbor import Value
    from weldgate_protocol.keyset import KeySet

    Row = tuple[int, str, str, bool, int, int]
    Table = tuple[Row, ...]

QUALITY_FLOOR = const(0)  # the clock knows only that it is not earlier
QUALITY_HELD = const(1)  # was set since power-on, runs on its own
QUALITY_SYNCED = const(2)  # set lately

TIME_MIN_S = const(1577836800)  # 2020-01-01: the chip counts from there
TIME_MAX_S = const(0xFFFFFFFF)  # the frame header's time ends there
SKEW_S = const(600)  # DESIGN §3.6: how far ahead an issued-at may lie
CLOCK_STEP_S = const(34560000)  # DESIGN §3.6: 400 days, the furthest that one token moves an unsynced clock

IGNORABLE_FIRST = const(24)
IGNORABLE_LAST = const(63)
ID_BYTES = const(8)


class Context:
    """The circumstances in which a token or order is judged: what the chip knows, handed in by the driver.

    Read it as a snapshot: when key set or revocations change during a verification, the driver drops that one.
    """

    def __init__(
        self,
        device: bytes,
        area: str,
        key_set: "KeySet | None",
        now_s: "int | None",
        quality: int,
        used: "Callable[[bytes], bool]",
        roots: "Sequence[bytes]" = (),
        revoked_tokens: "Container[bytes]" = (),
        revoked_keys: "Container[bytes]" = (),
        pruned_expiry_s: int = 0,
        versions: "Mapping[bytes, int] | None" = None,
        locks: "Container[bytes]" = (),
        alarms: "Container[bytes]" = (),
        ids_from_s: int = 0,
        clock_alarm: "bytes | None" = None,
    ) -> None:
        """Gather the circumstances.

        Args:
            device: the chip's id, 8 bytes.
            area: the chip's area code.
            key_set: the key set in force, None where there is none yet.
            now_s: Unix seconds as the chip's clock has them; None when it has no idea.
            quality: QUALITY_FLOOR, QUALITY_HELD or QUALITY_SYNCED.
            used: tells whether the id (8 bytes) of a token or order was used before.
            roots: public keys (64 bytes each) that may sign a key set.
            revoked_tokens: token ids of the revocation list.
            revoked_keys: key ids of the revocation list.
            pruned_expiry_s: the latest expiry among used ids that were forgotten, 0 where none was.
            versions: version in force by order kind (`b"config"`, `b"key-set"`, `b"revocations"`); 0 where absent.
            locks: ids of the locks that hold.
            alarms: ids of the alarms that are latched.
            ids_from_s: used ids of tokens issued up to here were lost with both copies of the log; 0: none were.
            clock_alarm: id of the alarm that says that the collector's time lies below this chip's floor, or None.
        """
        self.device = device
        self.area = area
        self.key_set = key_set
        self.now_s = now_s
        self.quality = quality
        self.used = used
        self.roots = roots
        self.revoked_tokens = revoked_tokens
        self.revoked_keys = revoked_keys
        self.pruned_expiry_s = pruned_expiry_s
        self.versions = {} if versions is None else versions
        self.locks = locks
        self.alarms = alarms
        self.ids_from_s = ids_from_s
        self.clock_alarm = clock_alarm

    def sure(self) -> "int | None":
        """Return the time when the clock was set since power-on, else None."""
        return None if self.quality == QUALITY_FLOOR else self.now_s

    def floor_s(self) -> int:
        """Return the latest time known to be past: the clock's own, or the key set's time of signing."""
        floor = self.now_s or 0
        if self.key_set is not None:
            floor = max(floor, self.key_set.issued_s)
        return floor


class Codes:
    """The numbered reasons that one family of objects uses for faults in the form of its claims."""

    def __init__(self, malformed: int, unknown: int, missing: int, out_of_range: int) -> None:
        self.malformed = malformed
        self.unknown = unknown
        self.missing = missing
        self.out_of_range = out_of_range


def read_payload(payload: bytes, table: "Table", codes: Codes) -> "dict[str, Any]":
    """Decode a payload and check it against a table; see `read`."""
    try:
        pairs = cbor.decode(payload)
    except CborError as e:
        raise Refused(codes.malformed, "claims: " + e.message)
    return read(pairs, table, codes)


def read(pairs: "Value", table: "Table", codes: Codes) -> "dict[str, Any]":
    """Check a map of claims against a table.

    Args:
        pairs: label -> value, as decoded.
        table: the claims there are.
        codes: the reasons to refuse with.

    Returns:
        name -> value of the claims that are there and known.

    Raises:
        Refused: no map (malformed); a label outside table and ignorable range (unknown); a required one absent
            (missing); wrong type, value or length (out of range). In this order, then in the table's.
    """
    if not isinstance(pairs, dict):
        raise Refused(codes.malformed, "claims are not a map")
    known = [row[0] for row in table]
    for label in pairs:
        if label not in known and not IGNORABLE_FIRST <= label <= IGNORABLE_LAST:
            raise Refused(codes.unknown, "claim %d is not known: newer firmware needed" % label)
    found: "dict[str, Any]" = {}
    for label, name, kind, required, low, high in table:
        if label not in pairs:
            if required:
                raise Refused(codes.missing, "claim %d (%s) is missing" % (label, name))
            continue
        value = pairs[label]
        if not _fits(value, kind, low, high):
            raise Refused(codes.out_of_range, "claim %d (%s) is not a %s of %d..%d" % (label, name, kind, low, high))
        found[name] = value
    return found


def _fits(value: "Value", kind: str, low: int, high: int) -> bool:
    """Tell whether a value is of a kind and within its bounds."""
    if kind == "uint" or kind == "int":
        return type(value) is int and low <= value <= high
    if kind == "bytes":
        return isinstance(value, bytes) and low <= len(value) <= high
    if kind == "text":
        return isinstance(value, str) and low <= len(value) <= high
    if kind == "map":
        return isinstance(value, dict) and low <= len(value) <= high
    if not isinstance(value, list) or not low <= len(value) <= high:
        return False
    for item in value:
        if kind == "ids" and not (isinstance(item, bytes) and len(item) == ID_BYTES):
            return False
        if kind == "maps" and not isinstance(item, dict):
            return False
    return True
