"""Issuing tokens. What a chip would refuse is refused here, by the chip's own verifier and with its number."""

from __future__ import annotations

import secrets

from weldgate_issuer.envelope import sign
from weldgate_issuer.errors import IssuerError
from weldgate_issuer.keys import IssuerKey
from weldgate_protocol import claims, keyset, token
from weldgate_protocol.errors import Refused

__all__ = ["issue_token"]


def issue_token(
    key: IssuerKey,
    *,
    device: bytes,
    holder: bytes,
    issued_s: int,
    life_s: int = 43200,
    purpose: int = token.PURPOSE_START,
    limit_s: int = 28800,
    offline_s: int = 3600,
    domain: int = 0,
    not_before_s: int | None = None,
    permit: bytes | None = None,
    permit_from_s: int | None = None,
    permit_to_s: int | None = None,
    token_id: bytes | None = None,
    note: str | None = None,
    proof: bytes | None = None,
) -> bytes:
    """Sign leave to start one session on one chip.

    Args:
        key: an issuer key whose scope covers the purpose.
        device: the chip, 8 bytes big-endian.
        holder: the welder's pseudonym, 8 bytes.
        issued_s: now, Unix seconds.
        life_s: until the token expires; at most 24 h, 72 h with a permit, 4 h for an emergency.
        purpose: `token.PURPOSE_…`.
        limit_s: longest session, powered seconds.
        offline_s: how long the session goes on without hearing from the collector.
        domain: work domain, 0..65535.
        not_before_s: when it begins, if later than now.
        permit: id of the permit, 8 bytes.
        permit_from_s: begin of the permit's window.
        permit_to_s: end of the permit's window.
        token_id: the unique id, 8 bytes; drawn when absent.
        note: a remark that chips ignore; it takes room in the QR code.
        proof: names the holder's own key (`holder_proof`): a live code is needed then.

    Returns:
        COSE_Sign1 bytes, at most 200.

    Raises:
        IssuerError: with the reason a chip would give.
        EncodeError: a value that has no place in the payload.
    """
    given: dict[int, object] = {
        2: holder,
        3: device,
        4: issued_s + life_s,
        5: not_before_s,
        6: issued_s,
        7: secrets.token_bytes(claims.ID_BYTES) if token_id is None else token_id,
        8: None if purpose == token.PURPOSE_START else purpose,
        9: domain or None,
        10: permit,
        11: permit_from_s,
        12: permit_to_s,
        13: limit_s,
        14: offline_s,
        15: proof,
        24: note,
    }
    data = sign(token.KIND, key, {label: value for label, value in given.items() if value is not None})
    begin_s = max(issued_s, not_before_s or 0, permit_from_s or 0)
    try:
        token.verify(data, chip_context(key, device, begin_s))
    except Refused as e:
        raise IssuerError(e.code, f"not issued, a chip would refuse it: {e.message}") from e
    return data


def chip_context(key: IssuerKey, device: bytes, now_s: int) -> claims.Context:
    """Return the most willing chip there is: in the key's area, clock right, nothing used, nothing revoked."""
    key_set = keyset.KeySet(1, now_s, claims.TIME_MAX_S, bytes(8), bytes(8), [key.trusted()])
    return claims.Context(device, key.area, key_set, now_s, claims.QUALITY_SYNCED, lambda _: False)
