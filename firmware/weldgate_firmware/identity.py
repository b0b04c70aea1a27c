"""Who this chip is and whom it answers to: laid down once at the bench, never changed by the wire.

The identity is one deterministic CBOR map in a slot of its own. It holds the chip's secret keys, so it has no ``repr``
of its values and nothing here puts one into a message. Without a readable identity the chip starts no session: the
gate's rules hold all the same, and the console says what is missing.
"""

from weldgate_protocol import cbor, reasons
from weldgate_protocol.errors import CborError, ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# (key, attribute, type, smallest, largest): value range of an int, length range of anything else. Numbers are never
# reused; the installer's tool writes this map, the firmware only reads it.
FIELDS = (
    (1, "device", bytes, 8, 8),
    (2, "k_up", bytes, 32, 32),
    (3, "k_down", bytes, 32, 32),
    (4, "k_seal", bytes, 32, 32),
    (5, "generation", int, 0, 0xFFFFFFFF),
    (6, "roots", list, 1, 2),  # public keys x || y, 64 bytes each (key set's signers)
    (7, "area", str, 0, 32),  # administrative code prefix, GB/T 2260 digits
    (8, "host", str, 0, 64),  # the collector in charge; empty = no link
    (9, "port", int, 0, 65535),
    (10, "ssid", str, 0, 32),
    (11, "password", str, 0, 63),
    (12, "wiring", str, 1, 32),  # pin table of board.py
    (13, "profile", str, 1, 32),  # numbers of profile.py
)


class Identity:
    """The chip's identity, one attribute for each row of ``FIELDS``."""

    device: bytes
    k_up: bytes
    k_down: bytes
    k_seal: bytes
    generation: int
    roots: "list[bytes]"
    area: str
    host: str
    port: int
    ssid: str
    password: str
    wiring: str
    profile: str

    def __init__(self, fields: "dict[str, Any]") -> None:
        for _key, name, kind, low, high in FIELDS:
            value = fields.get(name)
            if not isinstance(value, kind) or isinstance(value, bool):
                raise ConfigError(reasons.CONFIG_TYPE, "identity %s is missing or no %s" % (name, kind.__name__))
            size: int = value if isinstance(value, int) else len(value)
            if not low <= size <= high:
                raise ConfigError(reasons.CONFIG_RANGE, "identity %s: %d, allowed %d to %d" % (name, size, low, high))
            setattr(self, name, value)
        for root in self.roots:
            if not isinstance(root, bytes) or len(root) != 64:
                raise ConfigError(reasons.CONFIG_TYPE, "identity roots: each is 64 bytes, x and y")
        if self.device[0] & 0x80:
            raise ConfigError(reasons.CONFIG_RANGE, "identity device: the top bit is set, at most 2^63 - 1")


def encode(identity: Identity) -> bytes:
    """Return the CBOR map of ``identity``."""
    return cbor.encode({key: getattr(identity, name) for key, name, _kind, _low, _high in FIELDS})


def decode(data: bytes) -> Identity:
    """Read an identity.

    Raises:
        ConfigError: not a map (CONFIG_MALFORMED), a key that this firmware does not know (CONFIG_UNKNOWN_KEY), a
            value missing, of the wrong type or out of range.
    """
    try:
        found = cbor.decode(data)
    except CborError as error:
        raise ConfigError(reasons.CONFIG_MALFORMED, "identity: %s" % error)
    if not isinstance(found, dict):
        raise ConfigError(reasons.CONFIG_MALFORMED, "identity: no map")
    names = {key: name for key, name, _kind, _low, _high in FIELDS}
    fields = {}
    for key in found:
        if key not in names:
            raise ConfigError(reasons.CONFIG_UNKNOWN_KEY, "identity key %s is unknown" % key)
        fields[names[key]] = found[key]
    return Identity(fields)
