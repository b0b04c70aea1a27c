"""The key set: which issuer keys a chip trusts, for what, where, how long; signed by a root key of the site.

Decides whether a signed set replaces the one in force, and answers what a key in it may do. Keeping it in flash is
the driver's; judging tokens and orders by it is `token`'s and `order`'s.
"""

from weldgate_protocol import claims, cose, p256
from weldgate_protocol import reasons as r
from weldgate_protocol._compat import const
from weldgate_protocol.errors import CoseError, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from weldgate_protocol.claims import Context
    from weldgate_protocol.cose import Sign1

KIND = b"key-set"
SIZE_MAX = const(1000)  # one payload of the wire carries it whole
KEYS_MAX = const(16)
AREA_MAX = const(32)

SCOPE_START = const(1)
SCOPE_MAINTENANCE = const(2)
SCOPE_CONFIGURATION = const(4)
SCOPE_UPDATE = const(8)
SCOPE_EMERGENCY = const(16)
SCOPES_ALL = const(31)

TABLE = (
    (3, "device", "bytes", False, 8, 8),
    (4, "expires_s", "uint", True, claims.TIME_MIN_S, claims.TIME_MAX_S),
    (6, "issued_s", "uint", True, claims.TIME_MIN_S, claims.TIME_MAX_S),
    (7, "id", "bytes", True, 8, 8),
    (18, "version", "uint", True, 1, claims.TIME_MAX_S),
    (20, "keys", "maps", True, 1, KEYS_MAX),
)
KEY_TABLE = (
    (1, "kid", "bytes", True, 8, 8),
    (2, "public", "bytes", True, 64, 64),
    (3, "scopes", "uint", True, 1, SCOPES_ALL),
    (4, "area", "text", True, 0, AREA_MAX),
    (5, "max_life_s", "uint", True, 1, 259200),  # 72 h, the longest life of any token
    (6, "not_before_s", "uint", True, claims.TIME_MIN_S, claims.TIME_MAX_S),
    (7, "expires_s", "uint", True, claims.TIME_MIN_S, claims.TIME_MAX_S),
    (8, "alg", "int", True, -131072, -1),
)
CODES = claims.Codes(r.KEY_SET_MALFORMED, r.KEY_SET_MALFORMED, r.KEY_SET_MALFORMED, r.KEY_SET_MALFORMED)


class Key:
    """One issuer key and what it may do."""

    def __init__(
        self,
        kid: bytes,
        public: bytes,
        scopes: int,
        area: str,
        max_life_s: int,
        not_before_s: int,
        expires_s: int,
        alg: int,
    ) -> None:
        self.kid = kid
        self.public = public
        self.scopes = scopes
        self.area = area
        self.max_life_s = max_life_s
        self.not_before_s = not_before_s
        self.expires_s = expires_s
        self.alg = alg

    def __repr__(self) -> str:
        return "Key(%s, scopes=%d, area=%r)" % (self.kid.hex(), self.scopes, self.area)

    def covers(self, area: str) -> bool:
        """Tell whether a chip with this area code lies in the key's area; "" is everywhere."""
        return area.startswith(self.area)

    def in_period(self, issued_s: int, expires_s: int) -> bool:
        """Tell whether what is signed begins and ends inside the key's own period."""
        return self.not_before_s <= issued_s and expires_s <= self.expires_s


class KeySet:
    """The issuer keys in force, by version."""

    def __init__(
        self, version: int, issued_s: int, expires_s: int, id_: bytes, root: bytes, keys: "Sequence[Key]"
    ) -> None:
        self.root = root  # id of the root key that signed
        self.version = version
        self.issued_s = issued_s
        self.expires_s = expires_s
        self.id = id_
        self.keys = keys

    def __repr__(self) -> str:
        return "KeySet(version=%d, %d keys)" % (self.version, len(self.keys))

    def find(self, kid: bytes) -> "Key | None":
        """Return the key of this id, or None."""
        for key in self.keys:
            if key.kid == kid:
                return key
        return None


def decode(data: bytes) -> KeySet:
    """Read a key set back that was verified when it was stored: its form is checked again, its signature is not.

    Raises:
        Refused: KEY_SET_MALFORMED.
    """
    return p256.run(_key_set_steps(_envelope(data)))[0]


def verify_steps(data: bytes, context: "Context") -> "Generator[None, None, KeySet]":
    """Judge a signed key set, in slices of at most 20 ms of an ESP32; run it with `yield from`.

    Args:
        data: the COSE_Sign1 object.
        context: `roots`, `device`, `versions`, `now_s` and `quality` count.

    Returns:
        The set, to be put in force.

    Raises:
        Refused: KEY_SET_MALFORMED, no such object; KEY_SET_SIGNATURE, not by a root; ORDER_OTHER_DEVICE;
            KEY_SET_EXPIRED; ORDER_FROM_FUTURE; KEY_SET_VERSION, not above the version in force. In this order,
            the form of the claims after the signature.
    """
    sign1 = _envelope(data)
    yield
    good = False
    for root in context.roots:
        if cose.key_id(root) == sign1.kid:
            good = yield from cose.verify_steps(sign1, KIND, cose.ES256, root)
    if not good:
        raise Refused(r.KEY_SET_SIGNATURE, "key set is not signed by a root key")
    key_set, device = yield from _key_set_steps(sign1)
    if device is not None and device != context.device:
        raise Refused(r.ORDER_OTHER_DEVICE, "key set is for another device")
    if key_set.expires_s <= (context.now_s or 0):
        raise Refused(r.KEY_SET_EXPIRED, "key set ended at %d, it is %d" % (key_set.expires_s, context.now_s or 0))
    sure_s = context.sure()
    if sure_s is not None and key_set.issued_s > sure_s + claims.SKEW_S:
        raise Refused(r.ORDER_FROM_FUTURE, "key set issued at %d, it is %d" % (key_set.issued_s, sure_s))
    held = context.versions.get(KIND, 0)
    if key_set.version <= held:
        raise Refused(r.KEY_SET_VERSION, "key set version %d, %d is in force" % (key_set.version, held))
    return key_set


def _envelope(data: bytes) -> "Sign1":
    """Take the envelope apart."""
    if len(data) > SIZE_MAX:
        raise Refused(r.KEY_SET_MALFORMED, "key set of %d bytes, at most %d" % (len(data), SIZE_MAX))
    try:
        return cose.parse_sign1(data)
    except CoseError as e:
        raise Refused(r.KEY_SET_MALFORMED, e.message)


def _key_set_steps(sign1: "Sign1") -> "Generator[None, None, tuple[KeySet, bytes | None]]":
    """Read the claims of a set; a key that is not on its curve or not named by its own thumbprint spoils it."""
    found = claims.read_payload(sign1.payload, TABLE, CODES)
    yield
    keys: "list[Key]" = []
    seen = []
    for pairs in found["keys"]:
        fields = claims.read(pairs, KEY_TABLE, CODES)
        key = Key(**fields)
        ours = cose.is_known(key.alg)  # a key of a later suite stays in the set, and what it signs is refused
        if ours and key.kid != cose.key_id(key.public, key.alg):
            raise Refused(r.KEY_SET_MALFORMED, "key %s is not named by its thumbprint" % key.kid.hex())
        if ours and not cose.on_curve(key.public, key.alg):
            raise Refused(r.KEY_SET_MALFORMED, "key %s is not a point of the curve" % key.kid.hex())
        if key.not_before_s >= key.expires_s:
            raise Refused(r.KEY_SET_MALFORMED, "key %s ends before it begins" % key.kid.hex())
        if key.kid in seen:
            raise Refused(r.KEY_SET_MALFORMED, "key %s comes twice" % key.kid.hex())
        seen.append(key.kid)
        keys.append(key)
        yield
    if found["issued_s"] >= found["expires_s"]:
        raise Refused(r.KEY_SET_MALFORMED, "key set ends before it is issued")
    key_set = KeySet(found["version"], found["issued_s"], found["expires_s"], found["id"], sign1.kid, keys)
    return key_set, found.get("device")
