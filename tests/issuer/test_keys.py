"""Keys: derivation, PEM, ids, limits, and that nothing secret shows."""

import hmac

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from weldgate_issuer import ChipSecrets, IssuerError, IssuerKey, SigningKey, new_root_secret
from weldgate_protocol import reasons
from weldgate_protocol.errors import LocalError

NOW = 1795500000
DEVICE = bytes(7) + b"\x07"


def test_chip_secrets_are_those_of_the_specification() -> None:
    """Each of a chip's keys is HMAC-SHA256 of the root over purpose, device and generation."""
    got = ChipSecrets.derive(bytes(range(32)), DEVICE, 3)

    for purpose, key in ((b"up", got.up), (b"down", got.down), (b"seal", got.seal)):
        message = b"weldgate/1/" + purpose + b"\x00" + DEVICE + b"\x00\x00\x00\x03"
        assert key == hmac.digest(bytes(range(32)), message, "sha256")


def test_chip_secrets_differ_by_chip_and_generation() -> None:
    """No two chips and no two generations share a key."""
    root = new_root_secret()
    made = {
        key
        for device in (DEVICE, bytes(8))
        for generation in (0, 1)
        for secrets in [ChipSecrets.derive(root, device, generation)]
        for key in (secrets.up, secrets.down, secrets.seal)
    }

    assert len(made) == 12


def test_chip_secrets_refuse_wrong_lengths() -> None:
    """A device that is no 8 bytes gets no keys."""
    with pytest.raises(LocalError):
        ChipSecrets.derive(bytes(32), b"7", 0)


def test_nothing_secret_shows() -> None:
    """Neither chip secrets nor keys show what they keep."""
    secrets = ChipSecrets.derive(bytes(range(32)), DEVICE)
    key = SigningKey.generate()

    assert secrets.up.hex() not in repr(secrets)
    assert repr(secrets.up) not in repr(secrets)
    assert repr(key) == f"SigningKey({key.kid.hex()})"


def test_pem_round_trip() -> None:
    """A key read back from its PEM is the same key."""
    key = SigningKey.generate()

    assert SigningKey.from_pem(key.to_pem()).public64 == key.public64


def _pem(private: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, password: bytes | None = None) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption(),
    )


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"not a key",
        _pem(ec.generate_private_key(ec.SECP384R1())),
        _pem(ed25519.Ed25519PrivateKey.generate()),
        _pem(ec.generate_private_key(ec.SECP256R1()), b"secret"),
    ],
    ids=["empty", "garbage", "other curve", "other kind", "encrypted"],
)
def test_other_pem_is_refused(pem: bytes) -> None:
    """What is no unencrypted P-256 key is refused with a sentence."""
    with pytest.raises(IssuerError) as caught:
        SigningKey.from_pem(pem)

    assert caught.value.code == reasons.KEY_MALFORMED


@pytest.mark.parametrize(
    "changes",
    [
        {"scopes": 0},
        {"scopes": 32},
        {"expires_s": NOW},
        {"not_before_s": 0},
        {"area": "4" * 33},
        {"max_life_s": 0},
        {"max_life_s": 259201},
    ],
)
def test_limits_that_no_key_set_carries_are_refused(changes: dict[str, int | str]) -> None:
    """M-KEYSET-03: a key's limits are checked when it is made, not first by the chip."""
    limits = {"name": "k", "scopes": 1, "not_before_s": NOW, "expires_s": NOW + 9, **changes}

    with pytest.raises(IssuerError) as caught:
        IssuerKey(ec.generate_private_key(ec.SECP256R1()), **limits)  # type: ignore[arg-type]

    assert caught.value.code == reasons.KEY_MALFORMED
