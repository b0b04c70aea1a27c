"""The token: signed leave to start one session. One routine verifies it, whatever brought it.

Decides yes or no from the token's bytes and a `Context`; it knows no clock, no flash and no session. That its holder
may extend a live session, that the used id is written before the relay closes, and that the clock moves as
`Claims.clock_s` says, is the driver's.

Order of judgement (SPEC, Token): length and form of the envelope; the key by its id; the key's algorithm; the
signature; and only then the claims. So nothing an unsigned token says is ever acted on or reported back.
"""

from weldgate_protocol import base45, claims, cose, p256
from weldgate_protocol import reasons as r
from weldgate_protocol._compat import const
from weldgate_protocol.errors import CoseError, Refused
from weldgate_protocol.keyset import SCOPE_EMERGENCY, SCOPE_MAINTENANCE, SCOPE_START

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from weldgate_protocol.claims import Context
    from weldgate_protocol.keyset import Key, KeySet

KIND = b"token"
PREFIX = "WG1:"
SIZE_MAX = const(200)
TEXT_MAX = const(304)  # PREFIX and three characters for two bytes

PURPOSE_START = const(1)
PURPOSE_MAINTENANCE = const(2)
PURPOSE_EMERGENCY = const(5)
SCOPES = {
    PURPOSE_START: SCOPE_START,
    PURPOSE_MAINTENANCE: SCOPE_MAINTENANCE,
    PURPOSE_EMERGENCY: SCOPE_EMERGENCY,
}

LIFE_MAX_S = const(86400)  # DESIGN §3.5: 24 h
LIFE_PERMIT_MAX_S = const(259200)  # DESIGN §3.5: 72 h with a permit
LIFE_EMERGENCY_MAX_S = const(14400)  # DESIGN §3.7: 4 h
LIMIT_MAX_S = const(86400)

TABLE = (
    (2, "holder", "bytes", True, 8, 8),
    (3, "device", "bytes", True, 8, 8),
    (4, "expires_s", "uint", True, claims.TIME_MIN_S, claims.TIME_MAX_S),
    (5, "not_before_s", "uint", False, claims.TIME_MIN_S, claims.TIME_MAX_S),
    (6, "issued_s", "uint", True, claims.TIME_MIN_S, claims.TIME_MAX_S),
    (7, "id", "bytes", True, 8, 8),
    (8, "purpose", "uint", False, PURPOSE_START, PURPOSE_EMERGENCY),
    (9, "domain", "uint", False, 0, 65535),
    (10, "permit", "bytes", False, 8, 8),
    (11, "permit_from_s", "uint", False, claims.TIME_MIN_S, claims.TIME_MAX_S),
    (12, "permit_to_s", "uint", False, claims.TIME_MIN_S, claims.TIME_MAX_S),
    (13, "limit_s", "uint", True, 1, LIMIT_MAX_S),
    (14, "offline_s", "uint", True, 0, LIFE_PERMIT_MAX_S),
    (15, "proof", "bytes", False, 16, 16),
)
CODES = claims.Codes(r.TOKEN_MALFORMED, r.TOKEN_UNKNOWN_CLAIM, r.TOKEN_MISSING_CLAIM, r.TOKEN_CLAIM_RANGE)


class Claims:
    """What a verified token grants. Times are Unix seconds, ids 8 bytes."""

    def __init__(self, kid: bytes, found: "dict[str, Any]") -> None:
        """Take the claims over, defaults filled in.

        Args:
            kid: id of the key that signed.
            found: name -> value of the claims in the token.
        """
        self.kid = kid
        self.holder: bytes = found["holder"]
        self.device: bytes = found["device"]
        self.expires_s: int = found["expires_s"]
        self.issued_s: int = found["issued_s"]
        self.not_before_s: int = found.get("not_before_s", self.issued_s)
        self.id: bytes = found["id"]
        self.purpose: int = found.get("purpose", PURPOSE_START)
        self.domain: int = found.get("domain", 0)
        self.permit: "bytes | None" = found.get("permit")
        self.permit_from_s: "int | None" = found.get("permit_from_s")
        self.permit_to_s: "int | None" = found.get("permit_to_s")
        self.limit_s: int = found["limit_s"]
        self.offline_s: int = found["offline_s"]
        self.proof: "bytes | None" = found.get("proof")
        self.clock_s = 0  # where the tentative floor of an unsure clock moves to; 0 leaves it alone

    def __repr__(self) -> str:
        return "Claims(id=%s, kid=%s)" % (self.id.hex(), self.kid.hex())


def to_bytes(data: "bytes | str") -> bytes:
    """Return a token's COSE bytes, whether it came as such or as `WG1:` and Base45 (text, or its ASCII bytes).

    Raises:
        Refused: TOKEN_TOO_LONG, above 200 bytes or 304 characters; TOKEN_MALFORMED, no Base45.
    """
    size = len(data)
    if not isinstance(data, str) and bytes(data[: len(PREFIX)]) != PREFIX.encode():  # no CBOR of ours begins so
        if size > SIZE_MAX:
            raise Refused(r.TOKEN_TOO_LONG, "token of %d bytes, at most %d" % (size, SIZE_MAX))
        return bytes(data)
    if size > TEXT_MAX:
        raise Refused(r.TOKEN_TOO_LONG, "token of %d characters, at most %d" % (size, TEXT_MAX))
    if isinstance(data, str) and not data.startswith(PREFIX):
        raise Refused(r.TOKEN_MALFORMED, "token text does not begin with " + PREFIX)
    try:
        return base45.decode(data[len(PREFIX) :])
    except CoseError as e:
        raise Refused(r.TOKEN_MALFORMED, e.message)


def to_text(data: bytes) -> str:
    """Return the text of a token's COSE bytes, as it stands in a QR code."""
    return PREFIX + base45.encode(data)


def verify_steps(data: "bytes | str", context: "Context") -> "Generator[None, None, Claims]":
    """Judge a token, yielding between slices of at most 20 ms of an ESP32; run it with `yield from`.

    Args:
        data: COSE_Sign1 bytes, or `WG1:` and Base45.
        context: what the chip knows; see `claims.Context`.

    Returns:
        The claims, with `clock_s` set where an unsure clock learns from them.

    Raises:
        Refused: with the number of the reason (1 to 25).
    """
    raw = to_bytes(data)
    yield
    try:
        sign1 = cose.parse_sign1(raw)
    except CoseError as e:
        raise Refused(r.TOKEN_MALFORMED, e.message)
    key_set = context.key_set
    if key_set is None:
        raise Refused(r.TOKEN_NO_KEY_SET, "no key set yet")
    key = key_set.find(sign1.kid)
    if key is None:
        raise Refused(r.TOKEN_UNKNOWN_KEY, "no key %s in the key set" % sign1.kid.hex())
    if key.kid in context.revoked_keys:
        raise Refused(r.TOKEN_KEY_REVOKED, "key %s is revoked" % key.kid.hex())
    if sign1.alg != key.alg or not cose.is_known(key.alg):
        raise Refused(r.TOKEN_ALGORITHM, "token says algorithm %d, its key is for %d" % (sign1.alg, key.alg))
    yield
    good = yield from cose.verify_steps(sign1, KIND, key.alg, key.public)
    if not good:
        raise Refused(r.TOKEN_SIGNATURE, "token is not signed by key %s" % key.kid.hex())
    granted = Claims(key.kid, claims.read_payload(sign1.payload, TABLE, CODES))
    _check_form(granted)
    if granted.device != context.device:
        raise Refused(r.TOKEN_OTHER_DEVICE, "token is for another device")
    _check_key(granted, key, context)
    if granted.id in context.revoked_tokens:
        raise Refused(r.TOKEN_REVOKED, "token %s is revoked" % granted.id.hex())
    _check_times(granted, key_set, context)
    if context.used(granted.id):
        raise Refused(r.TOKEN_USED, "token %s was used" % granted.id.hex())
    return granted


def verify(data: "bytes | str", context: "Context") -> Claims:
    """Judge a token in one go; see `verify_steps`."""
    return p256.run(verify_steps(data, context))


def life_max_s(purpose: int, permit: "bytes | None") -> int:
    """Return how many seconds after its issue a token may expire at most."""
    if purpose == PURPOSE_EMERGENCY:
        return LIFE_EMERGENCY_MAX_S
    return LIFE_MAX_S if permit is None else LIFE_PERMIT_MAX_S


def _check_form(granted: Claims) -> None:
    """Refuse claims that contradict each other."""
    if granted.purpose not in SCOPES:
        raise Refused(r.TOKEN_CLAIM_RANGE, "purpose %d, only 1, 2 and 5" % granted.purpose)
    if granted.expires_s <= granted.issued_s or granted.expires_s <= granted.not_before_s:
        raise Refused(r.TOKEN_CLAIM_RANGE, "token ends before it begins")
    if granted.permit is None:
        if granted.permit_from_s is not None or granted.permit_to_s is not None:
            raise Refused(r.TOKEN_CLAIM_RANGE, "permit window without a permit")
    elif (granted.permit_to_s or claims.TIME_MAX_S) <= (granted.permit_from_s or 0):
        raise Refused(r.TOKEN_CLAIM_RANGE, "permit ends before it begins")
    life_s = granted.expires_s - granted.issued_s
    if life_s > life_max_s(granted.purpose, granted.permit):
        raise Refused(r.TOKEN_LIFE_TOO_LONG, "token lives %d s, too long for its purpose" % life_s)


def _check_key(granted: Claims, key: "Key", context: "Context") -> None:
    """Refuse what the key may not sign: purpose, place, time, life."""
    if not key.scopes & SCOPES[granted.purpose]:
        raise Refused(r.TOKEN_SCOPE, "key's scopes %d do not cover purpose %d" % (key.scopes, granted.purpose))
    if not key.covers(context.area):
        raise Refused(r.TOKEN_AREA, "key is for area %s, the chip is in %s" % (key.area, context.area))
    if not key.in_period(granted.issued_s, granted.expires_s):
        raise Refused(r.TOKEN_KEY_PERIOD, "token's time is not inside its key's period")
    if granted.expires_s - granted.issued_s > key.max_life_s:
        raise Refused(r.TOKEN_LIFE_TOO_LONG, "token lives longer than the key's %d s" % key.max_life_s)


def _check_times(granted: Claims, key_set: "KeySet", context: "Context") -> None:
    """Refuse by the clock as far as it can be relied on, and say where a token moves it to (DESIGN §3.4, §3.6)."""
    sure_s = context.sure()
    floor_s = context.floor_s()
    now_s = max(floor_s, granted.issued_s)  # the issuer's signature proves that its time of signing is past
    if sure_s is not None:
        if granted.issued_s > sure_s + claims.SKEW_S:
            raise Refused(r.TOKEN_FROM_FUTURE, "token issued at %d, it is %d" % (granted.issued_s, sure_s))
    elif granted.issued_s > floor_s + claims.CLOCK_STEP_S:
        raise Refused(r.TOKEN_CLOCK_UNSURE, "token would move the clock by more than 400 days")
    if granted.purpose != PURPOSE_EMERGENCY and now_s >= key_set.expires_s:
        raise Refused(r.TOKEN_KEY_SET_EXPIRED, "key set ended at %d" % key_set.expires_s)
    if granted.expires_s <= now_s:
        raise Refused(r.TOKEN_EXPIRED, "token ended at %d, it is %d or later" % (granted.expires_s, now_s))
    if granted.expires_s <= context.pruned_expiry_s:
        # The clock was lowered: whether the id was used is no longer known.
        raise Refused(r.TOKEN_EXPIRED, "token ends no later than used ones that were forgotten")
    if granted.issued_s <= context.ids_from_s:
        raise Refused(r.TOKEN_EXPIRED, "token was issued before the chip lost its used ids")
    if granted.not_before_s > now_s:
        raise Refused(r.TOKEN_NOT_YET, "token begins at %d, it is %d" % (granted.not_before_s, now_s))
    if (granted.permit_from_s or 0) > now_s or (granted.permit_to_s or claims.TIME_MAX_S) <= now_s:
        raise Refused(r.TOKEN_PERMIT_WINDOW, "permit does not cover this time")
    learnt_s = min(now_s, key_set.expires_s)
    if sure_s is None and learnt_s > (context.now_s or 0):
        granted.clock_s = learnt_s
