"""The tokens that welders bring in simulations: good ones, and every kind that a chip must refuse."""

import time

from weldgate_issuer import Issuer, token_text

__all__ = ["WRONG_KINDS", "expired", "forged", "good", "of_other_machine", "wrong"]

_LIFE_S = 3600
_LIMIT_S = 3600
_OFFLINE_S = 3600
WRONG_KINDS = ("forged", "expired", "other machine")


def good(issuer: Issuer, device: int, holder: int) -> str:
    """Return leave to start one session on this chip, as text.

    Args:
        issuer: whose key signs.
        device: chip.
        holder: who welds.
    """
    return token_text(_sign(issuer, device, holder, int(time.time())))


def forged(issuer: Issuer, device: int, holder: int) -> str:
    """Return a token whose claims were signed by nobody: one bit of the signature is another."""
    data = bytearray(_sign(issuer, device, holder, int(time.time())))
    data[-1] ^= 1
    return token_text(bytes(data))


def expired(issuer: Issuer, device: int, holder: int) -> str:
    """Return a token that was good until an hour ago."""
    return token_text(_sign(issuer, device, holder, int(time.time()) - 2 * _LIFE_S))


def of_other_machine(issuer: Issuer, device: int, holder: int) -> str:
    """Return a token that is good on the machine beside this one."""
    return token_text(_sign(issuer, device + 1, holder, int(time.time())))


def wrong(kind: str, issuer: Issuer, device: int, holder: int) -> str:
    """Return a token of one of `WRONG_KINDS`."""
    make = {"forged": forged, "expired": expired, "other machine": of_other_machine}
    return make[kind](issuer, device, holder)


def _sign(issuer: Issuer, device: int, holder: int, issued_s: int) -> bytes:
    return issuer.issue_token(
        device=device.to_bytes(8, "big"), holder=holder.to_bytes(8, "big"), issued_s=issued_s, life_s=_LIFE_S,
        limit_s=_LIMIT_S, offline_s=_OFFLINE_S,
    )  # fmt: skip
