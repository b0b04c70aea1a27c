"""A holder's own key: what a token names it by, and the live code that it answers a chip's challenge with.

The key is made and kept by the holder's phone; the platform is told its public half when the welder registers. Here is
what a phone does, for simulators and tools.
"""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from weldgate_issuer.errors import IssuerError
from weldgate_issuer.keys import SigningKey
from weldgate_protocol import live, reasons

__all__ = ["answer_challenge", "holder_proof", "live_text"]


def holder_proof(public64: bytes) -> bytes:
    """Return claim 15 of a token: the first 16 bytes of the thumbprint of a holder's public key, x ‖ y."""
    return live.proof_of(public64)


def answer_challenge(key: SigningKey, challenge: bytes, token: bytes, device: bytes) -> bytes:
    """Sign a chip's challenge.

    Args:
        key: the holder's.
        challenge: 16 bytes, as the chip drew them.
        token: the id of the token that the chip has armed, 8 bytes.
        device: the chip, 8 bytes.

    Returns:
        r ‖ s, 64 bytes.

    Raises:
        IssuerError: KEY_MALFORMED, the key is not of P-256: phones keep no other.
    """
    if not isinstance(key.private, ec.EllipticCurvePrivateKey):
        raise IssuerError(reasons.KEY_MALFORMED, "a holder's key is of P-256")
    digest = live.digest(challenge, token, device)
    der = key.private.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    r, s = utils.decode_dss_signature(der)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def live_text(key: SigningKey, challenge: bytes, token: bytes, device: bytes) -> str:
    """Return the answer as the text of a QR code, `WGA:` and Base45."""
    return live.to_text(answer_challenge(key, challenge, token, device), key.public64)
