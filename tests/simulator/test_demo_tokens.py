"""The welders' tokens: the good one is good, and each wrong one is wrong for its own reason."""

import time

import pytest

from weldgate_issuer import Issuer
from weldgate_protocol import claims, keyset, reasons, token
from weldgate_protocol.errors import Refused
from weldgate_simulator import demo_tokens

DEVICE = 410811001


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer.generate(int(time.time()))


def verify(issuer: Issuer, text: str) -> token.Claims:
    key_set = keyset.decode(issuer.issue_key_set(issued_s=int(time.time())))
    now_s = int(time.time())
    context = claims.Context(
        DEVICE.to_bytes(8, "big"), "411081", key_set, now_s, claims.QUALITY_SYNCED, lambda _: False
    )
    return token.verify(text, context)


def test_good_token_is_accepted(issuer: Issuer) -> None:
    """It names the welder it was made for."""
    assert verify(issuer, demo_tokens.good(issuer, DEVICE, 7)).holder == (7).to_bytes(8, "big")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("forged", reasons.TOKEN_SIGNATURE),
        ("expired", reasons.TOKEN_EXPIRED),
        ("other machine", reasons.TOKEN_OTHER_DEVICE),
    ],
)
def test_wrong_token_is_refused_for_its_own_reason(issuer: Issuer, kind: str, reason: int) -> None:
    """The chip's own verifier gives the number that the demo waits for."""
    with pytest.raises(Refused) as refused:
        verify(issuer, demo_tokens.wrong(kind, issuer, DEVICE, 7))

    assert refused.value.code == reason
    assert kind in demo_tokens.WRONG_KINDS
