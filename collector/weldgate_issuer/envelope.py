"""Signing: our own deterministic payload in a COSE_Sign1 without the tag (SPEC, Token), of `cwt` or by SM2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cwt import COSE

from weldgate_issuer.sm2_key import SM2PrivateKey
from weldgate_protocol import cbor, cose

if TYPE_CHECKING:
    from weldgate_issuer.keys import SigningKey

__all__ = ["sign"]


def sign(kind: bytes, key: SigningKey, claims: dict[int, object]) -> bytes:
    """Return the signed object.

    Args:
        kind: `b"token"` or an order's kind; it goes into the signature.
        key: who signs.
        claims: label -> value.

    Raises:
        EncodeError: a value that has no place in the payload.
    """
    payload = cbor.encode(claims)  # type: ignore[arg-type]  # the encoder itself refuses what is not its kind
    if isinstance(key.private, SM2PrivateKey):  # cwt knows no such algorithm
        protected = cbor.encode({1: key.alg, 4: key.kid})
        unsigned = cose.Sign1(protected, key.alg, key.kid, payload, b"")
        return cbor.encode([protected, {}, payload, key.private.sign(cose.to_be_signed(unsigned, kind))])
    tagged = COSE.new().encode_and_sign(
        payload,
        key.cose_key,
        protected={1: cose.ES256, 4: key.kid},
        external_aad=b"weldgate/" + kind + b"/1",
        out="cbor2/CBORTag",
    )
    if isinstance(tagged, bytes):
        raise TypeError("cwt returned bytes where its tag was asked for")
    return cbor.encode(list(tagged.value))
