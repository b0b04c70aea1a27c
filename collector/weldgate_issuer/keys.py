"""The keys a site owns: the root secret of its chips, two root keys, and issuer keys with their scopes.

The root secret derives every chip's own keys. A root key signs key sets and nothing else; one of the two is kept
offline, so that a stolen online one can be replaced. An issuer key signs tokens and orders inside its scope, area,
period and longest life. Where they are kept is decided in `site`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cwt import COSEKey

from weldgate_issuer.errors import IssuerError
from weldgate_issuer.sm2_key import SM2PrivateKey
from weldgate_protocol import cose, keys, keyset, reasons
from weldgate_protocol.claims import TIME_MAX_S, TIME_MIN_S

if TYPE_CHECKING:
    from cwt.cose_key_interface import COSEKeyInterface

__all__ = ["ChipSecrets", "IssuerKey", "SigningKey", "new_root_secret"]


def new_root_secret() -> bytes:
    """Draw a root secret, 32 bytes."""
    return secrets.token_bytes(keys.KEY_BYTES)


@dataclass(frozen=True)
class ChipSecrets:
    """One chip's keys of one generation, 32 bytes each; `seal` never goes to a collector."""

    device: bytes
    generation: int
    up: bytes = field(repr=False)
    down: bytes = field(repr=False)
    seal: bytes = field(repr=False)

    @classmethod
    def derive(cls, root_secret: bytes, device: bytes, generation: int = 0) -> ChipSecrets:
        """Derive a chip's keys from the root secret.

        Args:
            root_secret: 32 bytes.
            device: chip id, 8 bytes big-endian, below 2^63.
            generation: 0 for a new chip, one more with each rekey.

        Raises:
            LocalError: KEY_MALFORMED, a length or the generation is out of bounds.
        """
        return cls(
            device,
            generation,
            keys.derive(root_secret, b"up", device, generation),
            keys.derive(root_secret, b"down", device, generation),
            keys.derive(root_secret, b"seal", device, generation),
        )


class SigningKey:
    """A private key, of P-256 or of SM2, with its public half and id; a root key is just that, of P-256.

    Attributes:
        alg: COSE's number of what it signs by: ES256 or `cose.SM2_SM3`.
        public64: x ‖ y.
        kid: its id.
    """

    def __init__(self, private: ec.EllipticCurvePrivateKey | SM2PrivateKey) -> None:
        """Keep a key.

        Raises:
            IssuerError: KEY_MALFORMED, the key is of another curve.
        """
        self.private = private
        if isinstance(private, SM2PrivateKey):
            self.alg = cose.SM2_SM3
            self.public64 = private.public64
        else:
            if not isinstance(private.curve, ec.SECP256R1):
                raise IssuerError(reasons.KEY_MALFORMED, f"key on curve {private.curve.name}, only secp256r1 or SM2")
            numbers = private.public_key().public_numbers()
            self.alg = cose.ES256
            self.public64 = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
        self.kid = cose.key_id(self.public64, self.alg)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.kid.hex()})"

    @cached_property
    def cose_key(self) -> COSEKeyInterface:
        """A P-256 key as `cwt` wants it."""
        return COSEKey.from_pem(self.to_pem(), alg="ES256", kid=self.kid)

    @classmethod
    def generate(cls, alg: int = cose.ES256) -> SigningKey:
        """Draw a new key.

        Args:
            alg: ES256 or `cose.SM2_SM3`.

        Raises:
            IssuerError: KEY_MALFORMED, another algorithm.
        """
        if alg == cose.SM2_SM3:
            return cls(SM2PrivateKey.generate())
        if alg != cose.ES256:
            raise IssuerError(reasons.KEY_MALFORMED, f"no keys for algorithm {alg}")
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_pem(cls, pem: bytes) -> SigningKey:
        """Read a key back.

        Raises:
            IssuerError: KEY_MALFORMED, not an unencrypted P-256 or SM2 key in PEM.
        """
        national = SM2PrivateKey.from_pem(pem)
        if national is not None:
            return cls(national)
        try:
            private = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as e:
            raise IssuerError(reasons.KEY_MALFORMED, "not an unencrypted private key in PEM") from e
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise IssuerError(reasons.KEY_MALFORMED, f"a {type(private).__name__}, only P-256 and SM2 keys")
        return cls(private)

    def to_pem(self) -> bytes:
        """Return the private key as PKCS #8 in PEM, unencrypted: for a file of mode 0600."""
        if isinstance(self.private, SM2PrivateKey):
            return self.private.to_pem()
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


class IssuerKey(SigningKey):
    """A key that signs tokens or orders, and how far chips trust it."""

    def __init__(
        self,
        private: ec.EllipticCurvePrivateKey | SM2PrivateKey,
        *,
        name: str,
        scopes: int,
        not_before_s: int,
        expires_s: int,
        area: str = "",
        max_life_s: int = 259200,
    ) -> None:
        """Keep a key and its limits.

        Args:
            private: a P-256 or SM2 key.
            name: what people call it.
            scopes: sum of `keyset.SCOPE_…`.
            not_before_s: begin of its period, Unix seconds.
            expires_s: end of its period; nothing it signs lives longer.
            area: prefix of the area codes it may be used in, "" for everywhere.
            max_life_s: longest life of a token it signs.

        Raises:
            IssuerError: KEY_MALFORMED, a limit a key set cannot carry.
        """
        super().__init__(private)
        if not 1 <= scopes <= keyset.SCOPES_ALL:
            raise IssuerError(reasons.KEY_MALFORMED, f"scopes {scopes}, allowed 1..{keyset.SCOPES_ALL}")
        if not TIME_MIN_S <= not_before_s < expires_s <= TIME_MAX_S:
            raise IssuerError(reasons.KEY_MALFORMED, f"key period {not_before_s}..{expires_s} is none")
        if len(area) > keyset.AREA_MAX:
            raise IssuerError(reasons.KEY_MALFORMED, f"area of {len(area)} characters, at most {keyset.AREA_MAX}")
        if not 1 <= max_life_s <= 259200:
            raise IssuerError(reasons.KEY_MALFORMED, f"longest life {max_life_s} s, allowed 1..259200")
        self.name = name
        self.scopes = scopes
        self.not_before_s = not_before_s
        self.expires_s = expires_s
        self.area = area
        self.max_life_s = max_life_s

    @classmethod
    def from_parts(cls, name: str, pem: bytes, trusted: keyset.Key) -> IssuerKey:
        """Put a key together from its PEM and the limits kept beside it.

        Raises:
            IssuerError: KEY_MALFORMED, also where the two are not of the same key.
        """
        key = cls(
            SigningKey.from_pem(pem).private,
            name=name,
            scopes=trusted.scopes,
            not_before_s=trusted.not_before_s,
            expires_s=trusted.expires_s,
            area=trusted.area,
            max_life_s=trusted.max_life_s,
        )
        if key.kid != trusted.kid:
            raise IssuerError(reasons.KEY_MALFORMED, f"key {name} is {key.kid.hex()}, expected {trusted.kid.hex()}")
        return key

    def trusted(self) -> keyset.Key:
        """Return the key as a chip sees it."""
        return keyset.Key(
            self.kid,
            self.public64,
            self.scopes,
            self.area,
            self.max_life_s,
            self.not_before_s,
            self.expires_s,
            self.alg,
        )
