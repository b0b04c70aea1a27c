"""Signing: the issuer of the folder that the settings name, and what a token says of its holder.

The holder is a pseudonym per person, enterprise and quarter, so that frames in a collector's store cannot be strung
together into somebody's whereabouts by anybody but this platform (DESIGN, the token).
"""

import hmac
import threading
from datetime import date, datetime, time, timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from weldgate_issuer import Issuer, IssuerError
from weldgate_platform.people.models import Certificate, Person
from weldgate_platform.registry.domains import WIRE_NUMBERS, Domain
from weldgate_platform.registry.models import Machine
from weldgate_protocol import reasons
from weldgate_protocol.errors import LocalError

__all__ = ["SigningError", "forget_issuer", "life_s", "pseudonym", "sign_start"]

LIFE_S = 12 * 3600  # a working day; short life is the revocation (DESIGN, the token)
LIMIT_S = 8 * 3600
OFFLINE_S = 3600
_lock = threading.Lock()
_issuers: dict[Path, Issuer] = {}


class SigningError(LocalError):
    """No token can be signed; `code` is PLATFORM_CANNOT_SIGN or the issuer's own."""


def pseudonym(person: Person, day: date) -> bytes:
    """Return the 8 bytes that stand for a person in his enterprise and this quarter."""
    text = f"holder\0{person.pk}\0{person.enterprise_id or 0}\0{day.year}-{(day.month - 1) // 3}"
    return hmac.digest(settings.PLATFORM_SEARCH_KEY, text.encode(), "sha256")[:8]


def life_s(certificate: Certificate, now: datetime) -> int:
    """Return for how long a token may live: 12 h, and never beyond the last day of the certificate it rests on.

    The issuer answers for certificate class and dates by the expiry it signs.
    """
    ends = [one for one in (certificate.valid_to, certificate.review_due) if one is not None and one >= now.date()]
    if not ends:
        return LIFE_S
    midnight = datetime.combine(min(ends) + timedelta(days=1), time(), timezone.get_current_timezone())
    return min(LIFE_S, int((midnight - now).total_seconds()))


def sign_start(
    person: Person, machine: Machine, domain: Domain, certificate: Certificate, token_id: bytes, now: datetime
) -> tuple[bytes, int]:
    """Sign leave to start one session.

    Args:
        person: the holder.
        machine: with a chip on it.
        domain: the kind of work.
        certificate: that the decision rests on.
        token_id: 8 bytes.
        now: in the platform's time zone.

    Returns:
        The token, and for how many seconds it lives.

    Raises:
        SigningError: no issuer is configured or at hand, the machine has no chip, or the issuer refuses.
    """
    install = machine.install_now()
    if install is None:
        raise SigningError(reasons.PLATFORM_NO_CHIP, f"machine {machine.code} has no chip")
    life = life_s(certificate, now)
    try:
        token = _issuer().issue_token(
            device=install.chip.device.to_bytes(8, "big"),
            holder=pseudonym(person, timezone.localdate(now)),
            issued_s=int(now.timestamp()),
            life_s=life,
            limit_s=min(LIMIT_S, life),
            offline_s=OFFLINE_S,
            domain=WIRE_NUMBERS[domain],
            token_id=token_id,
        )
    except IssuerError as error:
        raise SigningError(reasons.PLATFORM_CANNOT_SIGN, error.message) from error
    return token, life


def forget_issuer() -> None:
    """Read the keys anew at the next token: they were changed on disk."""
    with _lock:
        _issuers.clear()


def _issuer() -> Issuer:
    folder = settings.PLATFORM_ISSUER
    if folder is None:
        raise IssuerError(reasons.PLATFORM_CANNOT_SIGN, "platform.toml names no issuer")
    with _lock:
        if folder not in _issuers:
            _issuers[folder] = Issuer.open(folder)
        return _issuers[folder]
