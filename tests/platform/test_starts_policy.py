"""May I start: the order of the checks, each by itself, and the first failure answers."""

from dataclasses import replace

import pytest

from weldgate_platform.people.models import Verdict
from weldgate_platform.people.validity import Standing
from weldgate_platform.starts.policy import (
    DISTANCE_WARN_M,
    CertificateFacts,
    Decision,
    MachineFacts,
    PersonFacts,
    decide,
)
from weldgate_protocol import reasons
from weldgate_protocol.reason_texts import TEXTS

MACHINE, PERSON = MachineFacts(), PersonFacts()
GOOD = CertificateFacts(7, Standing.VALID, Verdict.ACCEPT)


def test_yes_rests_on_a_certificate() -> None:
    """No warning where nothing is known of the place."""
    assert decide(MACHINE, PERSON, [GOOD]) == Decision(0, 7)


# In DOMAIN's order: each row breaks one more thing, from the last check to the first, and its own reason answers.
ORDER = [
    (reasons.PLATFORM_NOT_BOUND, {"person": {"bound": False}}),
    (reasons.PLATFORM_CERT_ITEM, {"certificate": {"verdict": Verdict.ITEM}}),
    (reasons.PLATFORM_CERT_EXPIRED, {"certificate": {"standing": Standing.EXPIRED}}),
    (reasons.PLATFORM_CERT_CLASS, {"certificate": {"verdict": Verdict.DENY}}),
    (reasons.PLATFORM_CERT_NOT_FOUND, {"certificate": None}),
    (reasons.PLATFORM_PERSON_MISMATCH, {"person": {"mismatch": True}}),
    (reasons.PLATFORM_PERSON_BARRED, {"person": {"barred": True}}),
    (reasons.PLATFORM_PERSON_UNKNOWN, {"person": None}),
    (reasons.PLATFORM_NO_CHIP, {"machine": {"fitted": False}}),
    (reasons.PLATFORM_MACHINE_LOCKED, {"machine": {"locked": True}}),
    (reasons.PLATFORM_MACHINE_OUT_OF_USE, {"machine": {"retired": True}}),
    (reasons.PLATFORM_MACHINE_UNKNOWN, {"machine": None}),
]


def test_first_failure_answers_whatever_else_is_wrong() -> None:
    """With everything behind it broken as well."""
    facts = {"machine": MACHINE, "person": PERSON, "certificate": GOOD}
    for reason, broken in ORDER:
        for name, change in broken.items():
            kept = facts[name]
            facts[name] = None if change is None or kept is None else replace(kept, **change)
        certificates = [] if facts["certificate"] is None else [facts["certificate"]]

        assert decide(facts["machine"], facts["person"], certificates).reason == reason, TEXTS[reason][0]


@pytest.mark.parametrize(
    ("standing", "reason"),
    [
        (Standing.VALID, 0),
        (Standing.EXPIRING, 0),
        (Standing.EXPIRED, reasons.PLATFORM_CERT_EXPIRED),
        (Standing.NOT_YET, reasons.PLATFORM_CERT_NOT_YET),
        (Standing.REVIEW_OVERDUE, reasons.PLATFORM_CERT_REVIEW_OVERDUE),
        (Standing.SUSPENDED, reasons.PLATFORM_CERT_SUSPENDED),
        (Standing.REVOKED, reasons.PLATFORM_CERT_REVOKED),
        (Standing.GONE, reasons.PLATFORM_CERT_NOT_FOUND),
    ],
)
@pytest.mark.parametrize("verdict", [Verdict.ACCEPT, Verdict.NOTE])
def test_each_standing_has_its_answer(standing: Standing, verdict: Verdict, reason: int) -> None:
    """Accepted with a note is accepted."""
    assert decide(MACHINE, PERSON, [CertificateFacts(1, standing, verdict)]).reason == reason


def test_item_must_cover_the_job_where_the_table_says_so() -> None:
    """Special equipment: an item code of the machine's process."""
    item = replace(GOOD, verdict=Verdict.ITEM)

    assert decide(MACHINE, PERSON, [item]).reason == reasons.PLATFORM_CERT_ITEM
    assert decide(MACHINE, PERSON, [replace(item, covers=True)]).reason == 0


def test_one_good_certificate_among_bad_ones_is_enough() -> None:
    """In any order; a valid one is preferred to one that expires."""
    bad = [
        CertificateFacts(1, Standing.REVOKED, Verdict.ACCEPT),
        CertificateFacts(2, Standing.VALID, Verdict.DENY),
        CertificateFacts(3, Standing.EXPIRING, Verdict.ACCEPT),
    ]

    for certificates in ([*bad, GOOD], [GOOD, *bad]):
        assert decide(MACHINE, PERSON, certificates) == Decision(0, 7)


def test_refusal_is_of_the_certificate_that_came_furthest() -> None:
    """Who has an expired card of the right class is told to renew it, not that another is of the wrong class."""
    wrong = CertificateFacts(1, Standing.VALID, Verdict.DENY)
    expired = CertificateFacts(2, Standing.EXPIRED, Verdict.ACCEPT)

    assert decide(MACHINE, PERSON, [wrong, expired]) == Decision(reasons.PLATFORM_CERT_EXPIRED, 2)


def test_suspected_forgery_opens_nothing() -> None:
    """A person has said so, with evidence."""
    assert decide(MACHINE, PERSON, [replace(GOOD, forged=True)]).reason == reasons.PLATFORM_CERT_REVOKED


@pytest.mark.parametrize(
    ("distance_m", "accuracy_m", "warned"),
    [
        (None, 0, False),
        (DISTANCE_WARN_M, 0, False),
        (DISTANCE_WARN_M + 1, 0, True),
        (1000, 900, False),
        (1000, 100, True),
    ],
)
def test_distance_warns_and_stops_nothing(distance_m, accuracy_m, warned: bool) -> None:
    """The phone's accuracy is taken off."""
    decision = decide(MACHINE, PERSON, [GOOD], distance_m, accuracy_m)

    assert decision.reason == 0
    assert decision.warnings == ((reasons.PLATFORM_REMOTE_SCAN,) if warned else ())


def test_every_reason_has_its_sentence() -> None:
    """In both languages, with what to do next."""
    assert all(reason in TEXTS for reason, _ in ORDER)
