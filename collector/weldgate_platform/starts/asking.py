"""One start from question to answer: facts read, decided, signed, kept. The only writer of `Start`."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from weldgate_platform.accounts.models import User
from weldgate_platform.audit.log import record
from weldgate_platform.people.models import Certificate, Person
from weldgate_platform.registry.models import Machine
from weldgate_platform.starts.courier import WAKE
from weldgate_platform.starts.facts import certificates_of, distance_to, domain_of, machine_facts, person_facts
from weldgate_platform.starts.issuing import SigningError, pseudonym, sign_start
from weldgate_platform.starts.models import Dispatch, Start
from weldgate_platform.starts.policy import Decision, decide
from weldgate_protocol import messages

__all__ = ["Position", "ask", "judge"]


@dataclass(frozen=True)
class Position:
    """Where a phone says it is, in degrees, and how well it knows, in metres."""

    latitude: float
    longitude: float
    accuracy_m: float


def judge(machine: Machine, person: Person | None, now: datetime, position: Position | None = None) -> Decision:
    """Decide without signing anything: what the page shows before the button is pressed."""
    day = timezone.localdate(now)
    distance = _distance(machine, position)
    if person is None:
        return decide(machine_facts(machine), None, [])
    return decide(
        machine_facts(machine),
        person_facts(person, machine, day),
        certificates_of(person, machine, day),
        distance,
        position.accuracy_m if position is not None else 0,
    )


def ask(machine: Machine, user: User, now: datetime, position: Position | None = None) -> Start:
    """Ask for a start.

    Args:
        machine: whose code was scanned.
        user: who asks; the person he is registered as.
        now: the time.
        position: of his phone.

    Returns:
        The start, refused or with its token; it is kept either way.
    """
    person = Person.objects.filter(user=user).select_related("enterprise").first()
    decision = judge(machine, person, now, position)
    start = Start(
        person=person,
        machine=machine,
        certificate_id=decision.certificate,
        at=now,
        reason=decision.reason,
        warnings=list(decision.warnings),
        distance_m=_distance(machine, position),
    )
    if not decision.reason and person is not None and decision.certificate is not None:
        token_id = secrets.token_bytes(8)
        certificate = Certificate.objects.get(pk=decision.certificate)
        try:
            start.token, life = sign_start(person, machine, domain_of(machine), certificate, token_id, now)
            start.token_id, start.holder = token_id.hex(), pseudonym(person, timezone.localdate(now)).hex()
            start.expires = now + timedelta(seconds=life)
        except SigningError as error:
            start.reason = error.code
    with transaction.atomic():
        start.save()
        if start.token:
            _send(start)
        record(
            user, "start.refuse" if start.reason else "start.sign", machine, reason=start.reason, token=start.token_id
        )
    return start


def _send(start: Start) -> None:
    """Put a token on its way, where the chip has a collector that this platform speaks to."""
    install = start.machine.install_now()
    if install is None or install.chip.collector not in settings.PLATFORM_COLLECTORS or start.expires is None:
        return
    Dispatch.objects.create(
        start=start,
        order_id=start.token_id,
        device=install.chip.device,
        type=messages.TOKEN,
        object=start.token,
        collector=install.chip.collector,
        changed=start.at,
        expires=start.expires,
    )
    transaction.on_commit(WAKE.set)


def _distance(machine: Machine, position: Position | None) -> float | None:
    return None if position is None else distance_to(machine.site, position.latitude, position.longitude)
