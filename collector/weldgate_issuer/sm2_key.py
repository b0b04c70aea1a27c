"""An SM2 private key: signs by `gmalg`, is kept as PKCS #8 in PEM as OpenSSL writes it.

`cryptography` has neither the curve nor the signature. gmalg computes in plain Python with secret numbers, so its time
tells something about them: an issuer that signs by SM2 runs where nobody can measure it.
"""

from __future__ import annotations

import base64
import binascii
import secrets

import gmalg

from weldgate_issuer.errors import IssuerError
from weldgate_protocol import reasons, sm2

__all__ = ["SM2PrivateKey"]

_CURVE_OID = bytes.fromhex("06082a811ccf5501822d")  # 1.2.156.10197.1.301, GM/T 0006
# PrivateKeyInfo (RFC 5208) of an ECPrivateKey (RFC 5915): all but the two numbers is the same for every key.
_BEFORE_SECRET = bytes.fromhex("308187020100301306072a8648ce3d0201") + _CURVE_OID + bytes.fromhex("046d306b0201010420")
_BEFORE_PUBLIC = bytes.fromhex("a14403420004")
_BEGIN, _END = "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"


class SM2PrivateKey:
    """A private key on sm2p256v1.

    Attributes:
        public64: the public half, x ‖ y.
    """

    def __init__(self, secret: bytes) -> None:
        """Keep a key.

        Args:
            secret: 32 bytes, big-endian, 1 to n - 2.

        Raises:
            IssuerError: KEY_MALFORMED, out of this range.
        """
        if len(secret) != 32 or not 1 <= int.from_bytes(secret, "big") <= sm2.CURVE.n - 2:
            raise IssuerError(reasons.KEY_MALFORMED, "an SM2 key is a number from 1 to n - 2, on 32 bytes")
        self._secret = secret
        self.public64 = bytes(gmalg.SM2().generate_pk(secret)[-64:])

    def __repr__(self) -> str:
        return "SM2PrivateKey(...)"

    @classmethod
    def generate(cls) -> SM2PrivateKey:
        """Draw a new key."""
        return cls((secrets.randbelow(sm2.CURVE.n - 2) + 1).to_bytes(32, "big"))

    @classmethod
    def from_pem(cls, pem: bytes) -> SM2PrivateKey | None:
        """Read a key back; None for what is no SM2 key.

        Raises:
            IssuerError: KEY_MALFORMED, an SM2 key of another form, or one whose halves do not belong together.
        """
        text = pem.decode(errors="replace")
        _, begun, rest = text.partition(_BEGIN)
        body, ended, _ = rest.partition(_END)
        if not (begun and ended):
            return None
        try:
            der = base64.b64decode("".join(body.split()), validate=True)
        except (binascii.Error, ValueError):
            return None
        if _CURVE_OID not in der[:40]:
            return None
        at = len(_BEFORE_SECRET)
        if der[:at] != _BEFORE_SECRET or der[at + 32 : at + 38] != _BEFORE_PUBLIC or len(der) != at + 102:
            raise IssuerError(reasons.KEY_MALFORMED, "an SM2 key that is not in OpenSSL's form")
        key = cls(der[at : at + 32])
        if key.public64 != der[at + 38 :]:
            raise IssuerError(reasons.KEY_MALFORMED, "an SM2 key whose public half is another's")
        return key

    def to_pem(self) -> bytes:
        """Return the key as PKCS #8 in PEM, unencrypted: for a file of mode 0600."""
        text = base64.b64encode(_BEFORE_SECRET + self._secret + _BEFORE_PUBLIC + self.public64).decode()
        lines = [text[at : at + 64] for at in range(0, len(text), 64)]
        return "\n".join([_BEGIN, *lines, _END, ""]).encode()

    def sign(self, message: bytes) -> bytes:
        """Sign a message under the usual id; return r ‖ s, 32 bytes each."""
        signer = gmalg.SM2(self._secret, sm2.SIGNER, b"\x04" + self.public64)
        r, s = signer.sign(message)  # each without the zeros it begins with: one signature of 128 has some
        return bytes(r.rjust(32, b"\0") + s.rjust(32, b"\0"))
