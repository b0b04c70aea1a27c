"""COSE_Sign1 (RFC 9052 §4.2) as this house allows it: one strict shape for tokens and signed orders.

Decides what an envelope is and which bytes its signature covers. Which key may sign, and what the payload means, is
decided in `token`, `order` and `keyset`. The shape is an untagged array of protected header (exactly {1: algorithm,
4: key id of 8 bytes}), an empty unprotected map, payload and a signature of 64 bytes. The kind of object goes into
the signature as external_aad, so that no order passes as a token.
"""

from weldgate_protocol import cbor, p256, sm2
from weldgate_protocol._compat import const, sha256
from weldgate_protocol.errors import CborError, CoseError
from weldgate_protocol.reasons import COSE_HEADERS, COSE_MALFORMED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

ES256 = const(-7)  # RFC 9053 Table 1
SM2_SM3 = const(-65537)  # ours: none is registered; below -65536 is private use (RFC 9053 §11.1)
_CURVE_P256 = const(1)  # RFC 9053 Table 18
_CURVE_SM2 = const(-65537)  # ours, likewise
KEY_ID_BYTES = const(8)
SIGNATURE_BYTES = const(64)
_HEADER_ALG = const(1)  # RFC 9052 Table 3
_HEADER_KID = const(4)
_PROTECTED_MAX = const(21)  # with an algorithm of nine bytes


class Sign1:
    """A parsed envelope; nothing in it is verified yet."""

    def __init__(self, protected: bytes, alg: int, kid: bytes, payload: bytes, signature: bytes) -> None:
        self.protected = protected
        self.alg = alg
        self.kid = kid
        self.payload = payload
        self.signature = signature

    def __repr__(self) -> str:
        return "Sign1(kid=%s, payload of %d bytes)" % (self.kid.hex(), len(self.payload))


def _byte_string(data: bytes, at: int) -> "tuple[bytes, int]":
    """Read a byte string (RFC 8949 §3.1) at an offset; return it and the offset after it."""
    size = data[at] - 0x40 if at < len(data) else -1
    if size == 24:  # one byte of length follows
        width = 1
    elif size == 25:
        width = 2
    elif 0 <= size < 24:
        width = 0
    else:
        raise CoseError(COSE_MALFORMED, "no byte string of at most 65535 bytes at offset %d" % at)
    begin = at + 1 + width
    if width:
        size = int.from_bytes(data[at + 1 : begin], "big")
        if size < (24 if width == 1 else 256):
            raise CoseError(COSE_MALFORMED, "length at offset %d is not in its shortest form" % at)
    if begin + size > len(data):
        raise CoseError(COSE_MALFORMED, "byte string at offset %d is cut off" % at)
    return bytes(data[begin : begin + size]), begin + size


def parse_sign1(data: bytes) -> Sign1:
    """Take an envelope apart. The caller has bounded its length.

    Reads the one shape there is and nothing else, so that a stranger's bytes cost little: the general decoder would
    build whatever a thousand bytes can hold, in one slice.

    Raises:
        CoseError: COSE_MALFORMED, no deterministic CBOR array of the four parts; COSE_HEADERS, any other header.
    """
    if bytes(data[:1]) != b"\x84":
        raise CoseError(COSE_MALFORMED, "envelope is not an array of 4")
    protected, at = _byte_string(data, 1)
    if bytes(data[at : at + 1]) != b"\xa0":
        raise CoseError(COSE_HEADERS, "unprotected header is not an empty map")
    payload, at = _byte_string(data, at + 1)
    signature, at = _byte_string(data, at)
    if at != len(data):
        raise CoseError(COSE_MALFORMED, "%d bytes after the envelope" % (len(data) - at))
    if len(signature) != SIGNATURE_BYTES:
        raise CoseError(COSE_MALFORMED, "signature of %d bytes, only 64" % len(signature))
    alg, kid = _parse_headers(protected)
    return Sign1(protected, alg, kid, payload, signature)


def _parse_headers(protected: bytes) -> "tuple[int, bytes]":
    """Read the protected header, exactly {1: algorithm, 4: key id}."""
    if len(protected) > _PROTECTED_MAX:
        raise CoseError(COSE_HEADERS, "protected header of %d bytes, at most %d" % (len(protected), _PROTECTED_MAX))
    try:
        headers = cbor.decode(protected)
    except CborError as e:
        raise CoseError(COSE_HEADERS, "protected header: " + e.message)
    if not isinstance(headers, dict) or len(headers) != 2:
        raise CoseError(COSE_HEADERS, "protected header is not a map of exactly 1 and 4")
    alg = headers.get(_HEADER_ALG)
    kid = headers.get(_HEADER_KID)
    if type(alg) is not int or not isinstance(kid, bytes) or len(kid) != KEY_ID_BYTES:
        raise CoseError(COSE_HEADERS, "protected header is not {1: integer, 4: 8 bytes}")
    return alg, kid


def to_be_signed(sign1: Sign1, kind: bytes) -> bytes:
    """Return the Sig_structure (RFC 9052 §4.4) that a signature over this kind of object covers.

    Args:
        sign1: the envelope.
        kind: what the object is used as, `b"token"` or an order's kind; external_aad is `weldgate/<kind>/1`.
    """
    return cbor.encode(["Signature1", sign1.protected, b"weldgate/" + kind + b"/1", sign1.payload])


def thumbprint(public64: bytes, alg: int = ES256) -> bytes:
    """Return a key's COSE thumbprint (RFC 9679) with SHA-256, 32 bytes.

    Args:
        public64: public key, x ‖ y, 64 bytes, big-endian.
        alg: the key's algorithm; its curve goes into the thumbprint.
    """
    curve = _CURVE_SM2 if alg == SM2_SM3 else _CURVE_P256
    return sha256(cbor.encode({1: 2, -1: curve, -2: public64[:32], -3: public64[32:]}))


def key_id(public64: bytes, alg: int = ES256) -> bytes:
    """Return a key's id, the first 8 bytes of its thumbprint; arguments as there."""
    return thumbprint(public64, alg)[:KEY_ID_BYTES]


def is_known(alg: int) -> bool:
    """Tell whether this firmware can check signatures by an algorithm."""
    return alg in (ES256, SM2_SM3)


def on_curve(public64: bytes, alg: int) -> bool:
    """Tell whether a key of a known algorithm is a point of its curve."""
    return sm2.on_curve(public64) if alg == SM2_SM3 else p256.on_curve(public64)


def prepare_steps(public64: bytes, alg: int) -> "Generator[None, None, None]":
    """Build the tables that checks by a key use, ahead of the first one, in slices; none for an unknown algorithm."""
    if alg == ES256:
        yield from p256.prepare_steps(public64)
    elif alg == SM2_SM3:
        yield from sm2.prepare_steps(public64)


def verify_steps(sign1: Sign1, kind: bytes, alg: int, public64: bytes) -> "Generator[None, None, bool]":
    """Tell whether an envelope of this kind is signed by a key, in slices; run it with `yield from`.

    Args:
        sign1: the envelope.
        kind: as for `to_be_signed`.
        alg: the key's own algorithm; an envelope that names another is a no.
        public64: the key.
    """
    if sign1.alg != alg:
        return False
    signed = to_be_signed(sign1, kind)
    if alg == ES256:
        digest = sha256(signed)
        yield
        good = yield from p256.verify_steps(public64, digest, sign1.signature)
    elif alg == SM2_SM3:
        good = yield from sm2.verify_steps(public64, signed, sign1.signature)
    else:
        good = False
    return good
