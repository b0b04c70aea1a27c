"""Signed orders: whatever relaxes a chip or rewrites what it holds comes as one of these, never by mere word.

Decides yes or no from an order's bytes and a `Context`. What an order does, and when (configuration only with the
relay open), is the driver's. The order of judgement is the token's: envelope, key, signature, and only then claims.
A key set is signed by a root instead of an issuer key: `keyset` judges it.
"""

from weldgate_protocol import claims, cose, keyset, p256
from weldgate_protocol import reasons as r
from weldgate_protocol._compat import const
from weldgate_protocol.errors import CoseError, Refused
from weldgate_protocol.keyset import SCOPE_CONFIGURATION, SCOPE_MAINTENANCE, KeySet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from weldgate_protocol.claims import Context
    from weldgate_protocol.keyset import Key

RELEASE = b"release"
CLEAR_ALARM = b"clear-alarm"
CONFIG = b"config"
KEY_SET = keyset.KIND
REVOCATIONS = b"revocations"
LOCK = b"lock"
REKEY = b"rekey"
PLANNED_REMOVAL = b"planned-removal"
UPDATE = b"update"  # reserved

SIZE_MAX = const(1000)
LIFE_MAX_S = const(2678400)  # 31 days to reach the chip; what an order brings then stays in force
MODE_SOFT = const(1)
MODE_NOW = const(2)
LEAVE_MAX_S = const(259200)  # 72 h: a workshop's long week-end
WRAPPED_BYTES = const(112)  # keys.wrap

_COMMON = (
    (4, "expires_s", "uint", True, claims.TIME_MIN_S, claims.TIME_MAX_S),
    (6, "issued_s", "uint", True, claims.TIME_MIN_S, claims.TIME_MAX_S),
    (7, "id", "bytes", True, 8, 8),
)
_DEVICE = ((3, "device", "bytes", True, 8, 8),)
_ANY_DEVICE = ((3, "device", "bytes", False, 8, 8),)
_LOCK = ((16, "lock", "bytes", True, 8, 8),)
_VERSION = ((18, "version", "uint", True, 1, claims.TIME_MAX_S),)

# kind -> (scope that its key must have, its claims in the order of their labels)
TABLES = {
    RELEASE: (SCOPE_MAINTENANCE, _DEVICE + _COMMON + _LOCK),
    CLEAR_ALARM: (SCOPE_MAINTENANCE, _DEVICE + _COMMON + ((17, "alarms", "ids", True, 1, 16),)),
    CONFIG: (SCOPE_CONFIGURATION, _DEVICE + _COMMON + _VERSION + ((19, "settings", "map", True, 1, 64),)),
    REVOCATIONS: (
        SCOPE_CONFIGURATION,
        _ANY_DEVICE
        + _COMMON
        + _VERSION
        + ((21, "tokens", "ids", True, 0, 100), (22, "kids", "ids", True, 0, keyset.KEYS_MAX)),
    ),
    LOCK: (SCOPE_CONFIGURATION, _DEVICE + _COMMON + _LOCK + ((23, "mode", "uint", True, MODE_SOFT, MODE_NOW),)),
    REKEY: (
        SCOPE_CONFIGURATION,
        _DEVICE + _COMMON + ((9, "wrapped", "bytes", True, WRAPPED_BYTES, WRAPPED_BYTES),) + _VERSION,
    ),
    PLANNED_REMOVAL: (SCOPE_MAINTENANCE, _DEVICE + _COMMON + ((10, "leave_s", "uint", True, 60, LEAVE_MAX_S),)),
}
CODES = claims.Codes(r.ORDER_MALFORMED, r.ORDER_UNKNOWN_CLAIM, r.ORDER_MISSING_CLAIM, r.ORDER_CLAIM_RANGE)


class Order:
    """A verified order. Times are Unix seconds, ids 8 bytes; what a kind does not have is None or empty."""

    def __init__(self, kind: bytes, kid: bytes, found: "dict[str, Any]", key_set: "KeySet | None" = None) -> None:
        """Take the claims over.

        Args:
            kind: one of the kinds above.
            kid: id of the key that signed.
            found: name -> value of the claims in the order.
            key_set: the set that a key-set order carries.
        """
        self.kind = kind
        self.kid = kid
        self.id: bytes = found["id"]
        self.device: "bytes | None" = found.get("device")
        self.issued_s: int = found["issued_s"]
        self.expires_s: int = found["expires_s"]
        self.version: int = found.get("version", 0)
        self.lock: "bytes | None" = found.get("lock")
        self.alarms: "list[bytes]" = found.get("alarms", [])
        self.settings: "dict[int, Any]" = found.get("settings", {})
        self.tokens: "list[bytes]" = found.get("tokens", [])
        self.kids: "list[bytes]" = found.get("kids", [])
        self.mode: int = found.get("mode", 0)
        self.wrapped: bytes = found.get("wrapped", b"")
        self.leave_s: int = found.get("leave_s", 0)
        self.key_set = key_set

    def __repr__(self) -> str:
        return "Order(%s, id=%s)" % (self.kind.decode(), self.id.hex())

    def acts_once(self) -> bool:
        """Tell whether the id must be kept as used: a higher version cannot say that this order came before."""
        return self.version == 0


def verify_steps(kind: bytes, data: bytes, context: "Context") -> "Generator[None, None, Order]":
    """Judge an order, yielding between slices of at most 20 ms of an ESP32; run it with `yield from`.

    Args:
        kind: what it came as, by the type of the message that carried it.
        data: the COSE_Sign1 object.
        context: what the chip knows; see `claims.Context`.

    Returns:
        The order, to be carried out.

    Raises:
        Refused: with the number of the reason (40 to 56; 60 to 63 for key sets and where the key set has ended).
    """
    if kind == KEY_SET:
        key_set = yield from keyset.verify_steps(data, context)
        found = {
            "id": key_set.id,
            "issued_s": key_set.issued_s,
            "expires_s": key_set.expires_s,
            "version": key_set.version,
        }
        return Order(kind, key_set.root, found, key_set)
    if kind not in TABLES:
        raise Refused(r.ORDER_UNSUPPORTED, "order is of a kind this firmware does not do")
    if len(data) > SIZE_MAX:
        raise Refused(r.ORDER_TOO_LONG, "order of %d bytes, at most %d" % (len(data), SIZE_MAX))
    scope, table = TABLES[kind]
    try:
        sign1 = cose.parse_sign1(data)
    except CoseError as e:
        raise Refused(r.ORDER_MALFORMED, e.message)
    key = context.key_set.find(sign1.kid) if context.key_set is not None else None
    if key is None or key.kid in context.revoked_keys:
        raise Refused(r.ORDER_UNKNOWN_KEY, "no valid key %s in the key set" % sign1.kid.hex())
    yield
    good = yield from cose.verify_steps(sign1, kind, key.alg, key.public)
    if not good:
        raise Refused(r.ORDER_SIGNATURE, "order is not a %s signed by key %s" % (kind.decode(), key.kid.hex()))
    order = Order(kind, key.kid, claims.read_payload(sign1.payload, table, CODES))
    yield
    _check_form(order)
    if order.device is not None and order.device != context.device:
        raise Refused(r.ORDER_OTHER_DEVICE, "order is for another device")
    _check_key(order, key, scope, context)
    if not _sets_clock(order, context):
        _check_times(order, context)
    _check_target(order, context)
    return order


def verify(kind: bytes, data: bytes, context: "Context") -> Order:
    """Judge an order in one go; see `verify_steps`."""
    return p256.run(verify_steps(kind, data, context))


def _check_form(order: Order) -> None:
    """Refuse times that contradict each other."""
    life_s = order.expires_s - order.issued_s
    if not 0 < life_s <= LIFE_MAX_S:
        raise Refused(r.ORDER_CLAIM_RANGE, "order lives %d s, at most %d" % (life_s, LIFE_MAX_S))


def _check_key(order: Order, key: "Key", scope: int, context: "Context") -> None:
    """Refuse what the key may not order: kind, place, time."""
    if not key.scopes & scope:
        raise Refused(r.ORDER_SCOPE, "key's scopes %d do not cover this order" % key.scopes)
    if not key.covers(context.area):
        raise Refused(r.ORDER_SCOPE, "key is for area %s, the chip is in %s" % (key.area, context.area))
    if not key.in_period(order.issued_s, order.expires_s):
        raise Refused(r.ORDER_SCOPE, "order's time is not inside its key's period")


def _sets_clock(order: Order, context: "Context") -> bool:
    """Tell whether it clears the alarm of the clock and nothing else: then the clock is no judge of it.

    The alarm's id was drawn at random when it rose, so the order was signed after that: it is no old one.
    """
    return context.clock_alarm is not None and order.alarms == [context.clock_alarm]


def _check_times(order: Order, context: "Context") -> None:
    """Refuse by the clock as far as it can be relied on; an order never moves it."""
    sure_s = context.sure()
    now_s = context.floor_s()
    if context.key_set is not None and now_s >= context.key_set.expires_s:
        raise Refused(r.KEY_SET_EXPIRED, "key set ended at %d" % context.key_set.expires_s)
    if sure_s is not None and order.issued_s > sure_s + claims.SKEW_S:
        raise Refused(r.ORDER_FROM_FUTURE, "order issued at %d, it is %d" % (order.issued_s, sure_s))
    if order.expires_s <= now_s:
        raise Refused(r.ORDER_EXPIRED, "order ended at %d, it is %d or later" % (order.expires_s, now_s))


def _check_target(order: Order, context: "Context") -> None:
    """Refuse repeats, old versions, and what aims at nothing that holds."""
    if order.acts_once():
        if order.expires_s <= context.pruned_expiry_s and not _sets_clock(order, context):
            raise Refused(r.ORDER_EXPIRED, "order ends no later than used ones that were forgotten")
        if context.used(order.id):
            raise Refused(r.ORDER_USED, "order %s was carried out" % order.id.hex())
    else:
        held = context.versions.get(order.kind, 0)
        if order.version <= held:
            raise Refused(r.ORDER_VERSION_OLD, "version %d, %d is in force" % (order.version, held))
        if order.kind == REKEY and order.version != held + 1:
            raise Refused(r.ORDER_CLAIM_RANGE, "key generation %d, the next is %d" % (order.version, held + 1))
    if order.kind == RELEASE and order.lock not in context.locks:
        raise Refused(r.ORDER_UNKNOWN_LOCK, "no such lock holds")
    for alarm in order.alarms:
        if alarm not in context.alarms and alarm != context.clock_alarm:
            raise Refused(r.ORDER_UNKNOWN_ALARM, "alarm %s is not latched" % alarm.hex())
