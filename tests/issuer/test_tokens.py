"""Issued tokens pass the chip's verifier and two foreign ones; what a chip would refuse is not issued."""

from typing import Any

import cbor2
import pytest
from cwt import COSE, COSEKey

from weldgate_issuer import Issuer, IssuerError, issue_token
from weldgate_protocol import claims, keyset, reasons, token

NOW = 1795500000
DEVICE = (4_503_599_627_370_497).to_bytes(8, "big")
HOLDER = b"welder-1"
PERMIT = b"permit-1"
ISSUER = Issuer.generate(NOW, "4110")
KEY = ISSUER.key_for(keyset.SCOPE_START)


def issue(**changes: Any) -> bytes:
    """Issue a plain token with changes."""
    return ISSUER.issue_token(**{"device": DEVICE, "holder": HOLDER, "issued_s": NOW, **changes})


def context() -> claims.Context:
    """Return a chip's circumstances."""
    key_set = keyset.decode(ISSUER.issue_key_set(issued_s=NOW))
    return claims.Context(DEVICE, "411081102", key_set, NOW, claims.QUALITY_SYNCED, lambda _: False)


def test_chip_accepts_what_is_issued() -> None:
    """All that the issuer was told comes out of the chip's verifier."""
    data = issue(
        life_s=172800,
        limit_s=7200,
        offline_s=600,
        domain=3,
        permit=PERMIT,
        permit_from_s=NOW,
        permit_to_s=NOW + 3600,
        token_id=b"token-01",
    )

    granted = token.verify(data, context())

    assert (granted.id, granted.holder, granted.device, granted.permit) == (b"token-01", HOLDER, DEVICE, PERMIT)
    assert (granted.issued_s, granted.expires_s) == (NOW, NOW + 172800)
    assert (granted.limit_s, granted.offline_s, granted.domain) == (7200, 600, 3)
    assert (granted.permit_from_s, granted.permit_to_s) == (NOW, NOW + 3600)


def test_foreign_libraries_accept_what_is_issued() -> None:
    """M-TOK-03: cwt verifies the envelope, cbor2 reads the same claims, and no tag stands before it."""
    data = issue(token_id=b"token-02")
    public = COSEKey.new({1: 2, 2: KEY.kid, 3: -7, -1: 1, -2: KEY.public64[:32], -3: KEY.public64[32:]})

    payload = COSE.new().decode(b"\xd2" + data, public, external_aad=b"weldgate/token/1")

    assert data[0] == 0x84
    assert cbor2.loads(payload) == {
        2: HOLDER,
        3: DEVICE,
        4: NOW + 43200,
        6: NOW,
        7: b"token-02",
        13: 28800,
        14: 3600,
    }
    assert cbor2.loads(cbor2.loads(data)[0]) == {1: -7, 4: KEY.kid}


def test_ids_are_drawn() -> None:
    """Two tokens of the same words have different ids."""
    assert token.verify(issue(), context()).id != token.verify(issue(), context()).id


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"note": "n" * 80}, reasons.TOKEN_TOO_LONG),
        ({"life_s": 86401}, reasons.TOKEN_LIFE_TOO_LONG),
        ({"life_s": 259201, "permit": PERMIT}, reasons.TOKEN_LIFE_TOO_LONG),
        ({"life_s": 14401, "purpose": token.PURPOSE_EMERGENCY}, reasons.TOKEN_LIFE_TOO_LONG),
        ({"life_s": 0}, reasons.TOKEN_CLAIM_RANGE),
        ({"limit_s": 0}, reasons.TOKEN_CLAIM_RANGE),
        ({"limit_s": 86401}, reasons.TOKEN_CLAIM_RANGE),
        ({"offline_s": -1}, reasons.TOKEN_CLAIM_RANGE),
        ({"domain": 70000}, reasons.TOKEN_CLAIM_RANGE),
        ({"device": b"short"}, reasons.TOKEN_CLAIM_RANGE),
        ({"holder": b"much too long"}, reasons.TOKEN_CLAIM_RANGE),
        ({"token_id": b""}, reasons.TOKEN_CLAIM_RANGE),
        ({"permit_from_s": NOW}, reasons.TOKEN_CLAIM_RANGE),
        ({"purpose": 3}, reasons.TOKEN_CLAIM_RANGE),
        ({"not_before_s": NOW + 43200}, reasons.TOKEN_CLAIM_RANGE),
        ({"permit": PERMIT, "permit_to_s": NOW}, reasons.TOKEN_PERMIT_WINDOW),
        ({"issued_s": NOW + 731 * 86400}, reasons.TOKEN_KEY_PERIOD),
        ({"issued_s": NOW - 2 * 86400}, reasons.TOKEN_KEY_PERIOD),
    ],
)
def test_what_a_chip_would_refuse_is_not_issued(changes: dict[str, Any], code: int) -> None:
    """M-TOK-01, M-TOK-11: the issuer refuses with the reason that a chip would give."""
    with pytest.raises(IssuerError) as caught:
        issue(**changes)

    assert caught.value.code == code


def test_token_of_200_bytes_is_issued_and_201_is_not() -> None:
    """M-TOK-01: the limit is 200 bytes, exactly."""
    room = 200 - len(issue(note="n" * 30)) + 30

    assert len(issue(note="n" * room)) == 200
    with pytest.raises(IssuerError):
        issue(note="n" * (room + 1))


def test_key_signs_only_within_its_scope() -> None:
    """A key is not used for a purpose it has no scope for."""
    with pytest.raises(IssuerError) as caught:
        issue_token(KEY, device=DEVICE, holder=HOLDER, issued_s=NOW, purpose=token.PURPOSE_MAINTENANCE)

    assert caught.value.code == reasons.TOKEN_SCOPE
