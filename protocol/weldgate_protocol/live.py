"""The live code: a holder's own key answers a chip's challenge, so that a copied start code alone starts nothing.

A token may name its holder's key by the first 16 bytes of the key's thumbprint. The chip that has verified such a token
draws a challenge; the phone signs it together with the token's id and the chip's, and shows signature and public key
as a code for the chip's own scanner, or sends them by the downlink. Decides what is signed and how it is written;
when a challenge is drawn, and what a right answer leads to, is the chip's `tokens`.
"""

from weldgate_protocol import base45, cose
from weldgate_protocol import reasons as r
from weldgate_protocol._compat import const, sha256
from weldgate_protocol.errors import CoseError, Refused

PREFIX = "WGA:"
TEXT_MAX = const(196)  # PREFIX and three characters for two of 128 bytes
CHALLENGE_BYTES = const(16)
PROOF_BYTES = const(16)
_ANSWER_BYTES = const(128)  # signature r ‖ s, public key x ‖ y


def digest(challenge: bytes, token: bytes, device: bytes) -> bytes:
    """Return what the holder's key signs: SHA-256("weldgate/live/1" ‖ challenge ‖ token id ‖ device), 32 bytes."""
    return sha256(b"weldgate/live/1" + challenge + token + device)


def proof_of(public64: bytes) -> bytes:
    """Return what a token names a holder's key by: the first 16 bytes of its COSE thumbprint (RFC 9679)."""
    return cose.thumbprint(public64)[:PROOF_BYTES]


def to_text(answer: bytes, public64: bytes) -> str:
    """Return an answer as it stands in a QR code."""
    return PREFIX + base45.encode(answer + public64)


def from_text(text: str) -> "tuple[bytes, bytes]":
    """Return (signature, public key) of an answer's text, 64 bytes each.

    Raises:
        Refused: TOKEN_LIVE_CODE_WRONG, it is none.
    """
    try:
        data = base45.decode(text[len(PREFIX) :]) if len(text) <= TEXT_MAX else b""
    except CoseError:
        data = b""
    if len(data) != _ANSWER_BYTES:
        raise Refused(r.TOKEN_LIVE_CODE_WRONG, "a live code of %d bytes, only 128" % len(data))
    return data[:64], data[64:]
