"""A holder's key: what a token names it by, and answers that a chip takes."""

from weldgate_issuer import Issuer, SigningKey, answer_challenge, holder_proof, live_text
from weldgate_protocol import live, p256, token
from weldgate_protocol.claims import QUALITY_SYNCED, Context
from weldgate_protocol.keyset import KeySet

NOW = 1_795_500_000
DEVICE = (7).to_bytes(8, "big")
CHALLENGE = bytes(range(16))


def test_a_token_names_its_holders_key() -> None:
    """Claim 15 is issued, fits beside all others, and is handed on by the verifier."""
    issuer = Issuer.generate(NOW)
    key = SigningKey.generate()
    data = issuer.issue_token(
        device=DEVICE, holder=b"holder01", issued_s=NOW, domain=7, not_before_s=NOW, permit=b"permit01",
        permit_from_s=NOW, permit_to_s=NOW + 3600, proof=holder_proof(key.public64),
    )  # fmt: skip
    keys = KeySet(1, NOW, NOW + 86400, bytes(8), bytes(8), list(issuer.index.keys.values()))
    claims = token.verify(data, Context(DEVICE, "", keys, NOW, QUALITY_SYNCED, lambda _: False))

    assert len(data) <= token.SIZE_MAX
    assert claims.proof == live.proof_of(key.public64)


def test_an_answer_is_good_for_one_challenge_token_and_chip() -> None:
    """M-LIVE-02: what the holder's key signs is all three together."""
    key = SigningKey.generate()
    answer = answer_challenge(key, CHALLENGE, b"token-01", DEVICE)

    assert p256.verify(key.public64, live.digest(CHALLENGE, b"token-01", DEVICE), answer)
    for other in (
        (bytes(16), b"token-01", DEVICE),
        (CHALLENGE, b"token-02", DEVICE),
        (CHALLENGE, b"token-01", bytes(8)),
    ):
        assert not p256.verify(key.public64, live.digest(*other), answer)


def test_an_answer_as_text() -> None:
    """M-LIVE-03: the text reads back as signature and public key."""
    key = SigningKey.generate()
    answer, public = live.from_text(live_text(key, CHALLENGE, b"token-01", DEVICE))

    assert public == key.public64
    assert p256.verify(public, live.digest(CHALLENGE, b"token-01", DEVICE), answer)
