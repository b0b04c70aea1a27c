"""Whether somebody may start a machine now: pure, in the order of DOMAIN's checks, the first failure answers.

    machine known, in use, fitted      300-303
    person known, not barred, matches  310-312
    certificate found, class, dates    320-328
    process or item fits               326
    binding of person and machine      330
    distance                           352, a warning

Permits, guardians and times of work come between the last two (340, 341, 350, 351) once there are permits. Each
refusal has its number of the register and its sentence there; what a person must do next stands beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from weldgate_platform.people.models import Verdict
from weldgate_platform.people.validity import REASONS, Standing
from weldgate_protocol import reasons

__all__ = ["CertificateFacts", "Decision", "MachineFacts", "PersonFacts", "decide"]

DISTANCE_WARN_M = 200  # GNSS errs and fails indoors: a warning, no refusal (DOMAIN, fail-safe rule 7)


@dataclass(frozen=True)
class MachineFacts:
    """What is known of the machine.

    Attributes:
        retired, locked: its status.
        fitted: whether it has a chip now.
    """

    retired: bool = False
    locked: bool = False
    fitted: bool = True


@dataclass(frozen=True)
class PersonFacts:
    """What is known of the person.

    Attributes:
        barred: whether an officer has barred him.
        mismatch: whether name and number do not belong together, as far as nobody has decided otherwise.
        bound: whether he and the machine belong together: its enterprise's, his own, or lent to him.
    """

    barred: bool = False
    mismatch: bool = False
    bound: bool = True


@dataclass(frozen=True)
class CertificateFacts:
    """One certificate of the person.

    Attributes:
        key: of its row, given back with the decision.
        standing: what it is worth today.
        verdict: what it counts for, for this work at this place.
        covers: whether an item of it covers the machine's process.
        forged: whether a person has found it a suspected forgery.
    """

    key: int
    standing: Standing
    verdict: Verdict
    covers: bool = False
    forged: bool = False


@dataclass(frozen=True)
class Decision:
    """The answer.

    Attributes:
        reason: a number of the register, 0 for yes.
        certificate: key of the certificate that it rests on, or that came nearest.
        warnings: numbers that are told, and stop nothing.
    """

    reason: int
    certificate: int | None = None
    warnings: tuple[int, ...] = ()


def decide(
    machine: MachineFacts | None,
    person: PersonFacts | None,
    certificates: Sequence[CertificateFacts],
    distance_m: float | None = None,
    accuracy_m: float = 0,
) -> Decision:
    """Decide.

    Args:
        machine: None for a code that no machine has.
        person: None for somebody who is not registered.
        certificates: all of his, from every issuer.
        distance_m: between phone and machine, None where it is not known.
        accuracy_m: of the phone's position, which is taken off the distance.
    """
    refused = _machine(machine) or _person(person)
    if refused or machine is None or person is None:
        return Decision(refused)
    choice = _certificate(certificates)
    if choice.reason:
        return choice
    if not person.bound:
        return Decision(reasons.PLATFORM_NOT_BOUND, choice.certificate)
    far = distance_m is not None and distance_m - accuracy_m > DISTANCE_WARN_M
    return Decision(0, choice.certificate, (reasons.PLATFORM_REMOTE_SCAN,) if far else ())


def _machine(machine: MachineFacts | None) -> int:
    if machine is None:
        return reasons.PLATFORM_MACHINE_UNKNOWN
    if machine.retired:
        return reasons.PLATFORM_MACHINE_OUT_OF_USE
    if machine.locked:
        return reasons.PLATFORM_MACHINE_LOCKED
    return 0 if machine.fitted else reasons.PLATFORM_NO_CHIP


def _person(person: PersonFacts | None) -> int:
    if person is None:
        return reasons.PLATFORM_PERSON_UNKNOWN
    if person.barred:
        return reasons.PLATFORM_PERSON_BARRED
    return reasons.PLATFORM_PERSON_MISMATCH if person.mismatch else 0


def _certificate(certificates: Sequence[CertificateFacts]) -> Decision:
    """Return yes with the best certificate, or the refusal of the one that came furthest through the checks."""
    steps = []
    for one in certificates:
        if one.forged:
            step, reason = 0, reasons.PLATFORM_CERT_REVOKED
        elif one.verdict == Verdict.DENY:
            step, reason = 1, reasons.PLATFORM_CERT_CLASS
        elif REASONS[one.standing]:
            step, reason = 2, REASONS[one.standing]
        elif one.verdict == Verdict.ITEM and not one.covers:
            step, reason = 3, reasons.PLATFORM_CERT_ITEM
        else:
            step, reason = 4, 0
        steps.append((step, one.standing == Standing.VALID, -one.key, reason))
    if not steps:
        return Decision(reasons.PLATFORM_CERT_NOT_FOUND)
    _step, _valid, key, reason = max(steps)
    return Decision(reason, -key)
