"""Issuing signed orders and key sets. What a chip would refuse is refused here, by the chip's own verifier."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from weldgate_issuer.envelope import sign
from weldgate_issuer.errors import IssuerError
from weldgate_issuer.keys import IssuerKey, SigningKey
from weldgate_issuer.tokens import chip_context
from weldgate_protocol import claims, keyset, order
from weldgate_protocol.errors import Refused

__all__ = ["issue_key_set", "issue_order"]

_LABELS = {
    "lock": 16,
    "alarms": 17,
    "version": 18,
    "settings": 19,
    "tokens": 21,
    "kids": 22,
    "mode": 23,
    "wrapped": 9,
    "leave_s": 10,
}


def issue_order(
    kind: bytes,
    key: IssuerKey,
    *,
    device: bytes | None,
    issued_s: int,
    life_s: int = 604800,
    order_id: bytes | None = None,
    lock: bytes | None = None,
    alarms: Sequence[bytes] | None = None,
    version: int | None = None,
    settings: dict[int, object] | None = None,
    tokens: Sequence[bytes] | None = None,
    kids: Sequence[bytes] | None = None,
    mode: int | None = None,
    wrapped: bytes | None = None,
    leave_s: int | None = None,
) -> bytes:
    """Sign an order.

    Args:
        kind: `order.RELEASE`, `CLEAR_ALARM`, `CONFIG`, `REVOCATIONS`, `LOCK`, `REKEY` or `PLANNED_REMOVAL`.
        key: an issuer key whose scope covers the kind.
        device: the chip, 8 bytes; None only for revocations, which are for all.
        issued_s: now, Unix seconds.
        life_s: how long the order may take to reach its chip, at most 31 days.
        order_id: the unique id, 8 bytes; drawn when absent.
        lock: release and lock: the lock's id.
        alarms: clear-alarm: ids of the latched alarms.
        version: config and revocations: max(previous + 1, now); rekey: the new key generation.
        settings: config: setting number -> value.
        tokens: revocations: ids of tokens that have not expired yet.
        kids: revocations: ids of issuer keys.
        mode: lock: `order.MODE_SOFT` or `MODE_NOW`.
        wrapped: rekey: the new keys, see `keys.wrap`.
        leave_s: planned removal: how long leave holds, 60 s to 72 h.

    Returns:
        COSE_Sign1 bytes, at most 1000.

    Raises:
        IssuerError: with the reason a chip would give.
        EncodeError: a value that has no place in the payload.
    """
    given: dict[str, object] = {
        "lock": lock,
        "alarms": None if alarms is None else list(alarms),
        "version": version,
        "settings": settings,
        "tokens": None if tokens is None else list(tokens),
        "kids": None if kids is None else list(kids),
        "mode": mode,
        "wrapped": wrapped,
        "leave_s": leave_s,
    }
    body = {_LABELS[name]: value for name, value in given.items() if value is not None}
    data = _sign(kind, key, body, device, issued_s, life_s, order_id)
    context = chip_context(key, bytes(8) if device is None else device, issued_s)
    context.locks = () if lock is None else (lock,)
    context.alarms = tuple(alarms or ())
    if kind == order.REKEY and version is not None:
        context.versions = {order.REKEY: version - 1}
    try:
        order.verify(kind, data, context)
    except Refused as e:
        raise IssuerError(e.code, f"not issued, a chip would refuse it: {e.message}") from e
    return data


def issue_key_set(
    root: SigningKey,
    keys: Sequence[keyset.Key],
    *,
    version: int,
    issued_s: int,
    life_s: int = 34560000,
    device: bytes | None = None,
    order_id: bytes | None = None,
) -> bytes:
    """Sign the set of keys that chips are to trust.

    Args:
        root: one of the site's two root keys.
        keys: what chips are to trust (`IssuerKey.trusted`); about 8 fit.
        version: max(previous + 1, now).
        issued_s: now, Unix seconds.
        life_s: past it only emergency tokens start a session.
        device: one chip, 8 bytes; None for all.
        order_id: the unique id, 8 bytes; drawn when absent.

    Returns:
        COSE_Sign1 bytes, at most 1000.

    Raises:
        IssuerError: with the reason a chip would give.
        EncodeError: a value that has no place in the payload.
    """
    body: dict[int, object] = {18: version, 20: [_entry(key) for key in keys]}
    data = _sign(keyset.KIND, root, body, device, issued_s, life_s, order_id)
    context = claims.Context(
        bytes(8) if device is None else device,
        "",
        None,
        issued_s,
        claims.QUALITY_SYNCED,
        lambda _: False,
        roots=(root.public64,),
    )
    try:
        order.verify(keyset.KIND, data, context)
    except Refused as e:
        raise IssuerError(e.code, f"not issued, a chip would refuse it: {e.message}") from e
    return data


def _sign(
    kind: bytes,
    key: SigningKey,
    body: dict[int, object],
    device: bytes | None,
    issued_s: int,
    life_s: int,
    order_id: bytes | None,
) -> bytes:
    """Add the claims that all orders have, and sign."""
    common: dict[int, object] = {
        4: issued_s + life_s,
        6: issued_s,
        7: secrets.token_bytes(claims.ID_BYTES) if order_id is None else order_id,
    }
    if device is not None:
        common[3] = device
    return sign(kind, key, common | body)


def _entry(key: keyset.Key) -> dict[int, object]:
    """Return a key's map in a key set (SPEC, Key set)."""
    return {
        1: key.kid,
        2: key.public,
        3: key.scopes,
        4: key.area,
        5: key.max_life_s,
        6: key.not_before_s,
        7: key.expires_s,
        8: key.alg,
    }
