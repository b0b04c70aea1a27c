"""Key derivation: from the issuer's root to a chip's keys, and from both nonces to a connection's key.

The issuer alone holds the root. A chip and generation have three keys, `up`, `down` and `seal`; the collector in
charge is given `up` and `down`, never `seal` and never the root. A connection's key exists on both ends of one
connection only and is forgotten with it, so that a recording of one connection proves nothing in another.

Where a key is kept, and how it comes there, is decided elsewhere.
"""

from weldgate_protocol import reasons
from weldgate_protocol._compat import HmacKey as HmacKey  # the host's code takes it from here
from weldgate_protocol._compat import const, hmac_sha256, same_bytes
from weldgate_protocol.errors import LocalError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

KEY_BYTES = const(32)
NONCE_BYTES = const(16)
DEVICE_BYTES = const(8)

_PREFIX = b"weldgate/1/"
_SECRETS_BYTES = const(96)
_PURPOSES = (b"up", b"down", b"seal")


def derive(root: bytes, purpose: "Literal[b'up', b'down', b'seal']", device: bytes, generation: int) -> bytes:
    """Derive one key of one chip: HMAC-SHA256(root, "weldgate/1/" ‖ purpose ‖ 00 ‖ device ‖ generation).

    Args:
        root: the issuer's 32-byte root.
        purpose: `b"up"`, `b"down"` or `b"seal"`.
        device: chip id, 8 bytes big-endian.
        generation: 0..2^32-1, on four bytes big-endian.

    Returns:
        The key, 32 bytes.

    Raises:
        LocalError: a length, the purpose or the generation is out of bounds (KEY_MALFORMED).
    """
    _check("root", root, KEY_BYTES)
    _check("device", device, DEVICE_BYTES)
    if purpose not in _PURPOSES:
        raise LocalError(reasons.KEY_MALFORMED, "key purpose must be up, down or seal")
    if not 0 <= generation <= 0xFFFFFFFF:
        raise LocalError(reasons.KEY_MALFORMED, "key generation %d, allowed 0..4294967295" % generation)
    return hmac_sha256(root, _PREFIX + purpose + b"\x00" + device + generation.to_bytes(4, "big"))


def connection_key(k_down: bytes, chip_nonce: bytes, collector_nonce: bytes) -> bytes:
    """Derive a connection's key: HMAC-SHA256(K_down, "weldgate/1/conn" ‖ 00 ‖ chip nonce ‖ collector nonce).

    Args:
        k_down: the chip's downlink key, 32 bytes.
        chip_nonce: 16 bytes of the hello.
        collector_nonce: 16 bytes of the welcome.

    Returns:
        K_conn, 32 bytes.

    Raises:
        LocalError: a length is wrong (KEY_MALFORMED).
    """
    _check("K_down", k_down, KEY_BYTES)
    _check("chip nonce", chip_nonce, NONCE_BYTES)
    _check("collector nonce", collector_nonce, NONCE_BYTES)
    return hmac_sha256(k_down, _PREFIX + b"conn\x00" + chip_nonce + collector_nonce)


def wrap(k_seal: bytes, order: bytes, generation: int, secrets: bytes) -> bytes:
    """Wrap the keys of a new generation for a chip, so that a collector that carries them learns nothing.

    K_seal of the generation in force is known to chip and issuer alone. With W = HMAC-SHA256(K_seal, "weldgate/1/rekey"
    ‖ 00 ‖ order id ‖ generation): secrets xor HMAC(W, 00) ‖ HMAC(W, 01) ‖ HMAC(W, 02), and behind them the first 16
    bytes of HMAC(W, 03 ‖ what is now before it).

    Args:
        k_seal: of the generation in force, 32 bytes.
        order: id of the order that brings them, 8 bytes; drawn at random, so no keystream is used twice.
        generation: the new one.
        secrets: K_up ‖ K_down ‖ K_seal of the new generation, 96 bytes.

    Returns:
        112 bytes.
    """
    key = _wrapping(k_seal, order, generation)
    hidden = _masked(key, secrets)
    return hidden + _mac(key, hidden)


def unwrap(k_seal: bytes, order: bytes, generation: int, wrapped: bytes) -> bytes:
    """Return K_up ‖ K_down ‖ K_seal, 96 bytes; empty where they were not wrapped with this key for this order."""
    key = _wrapping(k_seal, order, generation)
    hidden = wrapped[:_SECRETS_BYTES]
    if not same_bytes(_mac(key, hidden), wrapped[_SECRETS_BYTES:]):
        return b""
    return _masked(key, hidden)


def _wrapping(k_seal: bytes, order: bytes, generation: int) -> HmacKey:
    return HmacKey(hmac_sha256(k_seal, _PREFIX + b"rekey\x00" + order + generation.to_bytes(4, "big")))


def _masked(key: HmacKey, data: bytes) -> bytes:
    stream = key.digest(b"\x00") + key.digest(b"\x01") + key.digest(b"\x02")
    return bytes([data[at] ^ stream[at] for at in range(_SECRETS_BYTES)])


def _mac(key: HmacKey, hidden: bytes) -> bytes:
    return key.digest(b"\x03" + hidden)[:16]


class ChipKeys:
    """What a collector holds of one chip: its keys of one generation, and perhaps of the one before.

    A chip may not have been rekeyed yet, and frames spooled before a rekey keep their old tag for ever; the parity bit
    of the header says which of the two generations a frame was tagged with.
    """

    def __init__(
        self, generation: int, up: bytes, down: bytes, previous_up: bytes = b"", previous_down: bytes = b""
    ) -> None:
        """Keep the keys of one chip.

        Args:
            generation: 0..2^32-1.
            up: K_up of this generation, 32 bytes.
            down: K_down of this generation, 32 bytes.
            previous_up: K_up of the generation before, 32 bytes, or empty when it is not held.
            previous_down: K_down of the generation before, likewise.

        Raises:
            LocalError: a length or the generation is out of bounds (KEY_MALFORMED).
        """
        if not 0 <= generation <= 0xFFFFFFFF:
            raise LocalError(reasons.KEY_MALFORMED, "key generation %d, allowed 0..4294967295" % generation)
        _check("K_up", up, KEY_BYTES)
        _check("K_down", down, KEY_BYTES)
        if previous_up:
            _check("previous K_up", previous_up, KEY_BYTES)
        if previous_down:
            _check("previous K_down", previous_down, KEY_BYTES)
        self.generation = generation
        self.down = down
        self._up = HmacKey(up)
        self._previous_up = HmacKey(previous_up) if previous_up else None
        self._previous_down = previous_down

    def __repr__(self) -> str:
        return "ChipKeys(generation=%d)" % self.generation

    def up(self, parity: int) -> "HmacKey | None":
        """Give the upward key that a frame of this parity bit (0 or 1) was tagged with, None when not held."""
        return self._up if parity == self.generation & 1 else self._previous_up

    def down_of(self, parity: int) -> bytes:
        """Give K_down of the generation of this parity bit (0 or 1), empty when not held."""
        return self.down if parity == self.generation & 1 else self._previous_down


def _check(name: str, value: bytes, length: int) -> None:
    if len(value) != length:
        raise LocalError(reasons.KEY_MALFORMED, "%s of %d bytes, allowed %d" % (name, len(value), length))
