"""Reads from the database what `policy` decides on."""

from datetime import date
from math import asin, cos, radians, sin, sqrt

from django.db.models import Q

from weldgate_platform.people.models import Certificate, Conflict, Person
from weldgate_platform.people.recognition import verdict_for
from weldgate_platform.people.validity import standing_on
from weldgate_platform.registry.domains import Domain
from weldgate_platform.registry.models import Machine, Site
from weldgate_platform.starts.models import Binding
from weldgate_platform.starts.policy import CertificateFacts, MachineFacts, PersonFacts

__all__ = ["certificates_of", "distance_to", "domain_of", "machine_facts", "person_facts"]

_EARTH_M = 6_371_000
_OTHER = (Machine.Process.BRAZING, Machine.Process.RESISTANCE)
# What a `samr` item's method, or a `mem` sub-item, must name to cover a machine's process (DOMAIN, certificates).
_METHODS = {
    Machine.Process.MMA: ("SMAW",),
    Machine.Process.MIG: ("GMAW", "FCAW"),
    Machine.Process.TIG: ("GTAW",),
    Machine.Process.SAW: ("SAW",),
    Machine.Process.GAS: ("OFW",),
    Machine.Process.BRAZING: ("钎焊",),
    Machine.Process.RESISTANCE: ("压力焊",),
}


def domain_of(machine: Machine) -> Domain:
    """Return what kind of work a machine does where it stands."""
    return Domain.OTHER_PROCESS if machine.process in _OTHER else Domain(machine.site.kind.domain)


def machine_facts(machine: Machine) -> MachineFacts:
    """Return what is known of a machine."""
    return MachineFacts(
        machine.status == Machine.Status.RETIRED,
        machine.status == Machine.Status.LOCKED,
        machine.install_now() is not None,
    )


def person_facts(person: Person, machine: Machine, day: date) -> PersonFacts:
    """Return what is known of a person, towards a machine."""
    own = person.enterprise_id is not None and person.enterprise_id == machine.site.enterprise_id
    bound = (
        own
        or Binding.objects.filter(
            Q(ends__isnull=True) | Q(ends__gte=day), person=person, machine=machine, begins__lte=day
        ).exists()
    )
    waiting = Conflict.objects.waiting().filter(kind=Conflict.Kind.NAME, certificate__holder_hash=person.identity_hash)
    return PersonFacts(bool(person.barred), waiting.exists(), bound)


def certificates_of(person: Person, machine: Machine, day: date) -> list[CertificateFacts]:
    """Return a person's certificates, as they count for a machine's work."""
    domain, path = domain_of(machine), machine.site.area.path
    wanted = _METHODS.get(Machine.Process(machine.process), ())
    found = []
    for one in Certificate.objects.filter(holder_hash=person.identity_hash).prefetch_related("items", "conflicts"):
        methods = {item.method for item in one.items.all() if item.valid_to is None or day <= item.valid_to}
        covers = bool(methods & set(wanted)) or any(name in one.sub_item for name in wanted)
        forged = any(conflict.outcome == Conflict.Outcome.SUSPECTED_FORGED for conflict in one.conflicts.all())
        verdict = verdict_for(domain, one.source, path, day)
        found.append(CertificateFacts(one.pk, standing_on(one.dates, day), verdict, covers, forged))
    return found


def distance_to(site: Site, latitude: float, longitude: float) -> float | None:
    """Return metres between a phone and a site (great circle); None where the site's place is not entered."""
    if site.latitude is None or site.longitude is None:
        return None
    north, east = radians(latitude - site.latitude), radians(longitude - site.longitude)
    chord = sin(north / 2) ** 2 + cos(radians(site.latitude)) * cos(radians(latitude)) * sin(east / 2) ** 2
    return 2 * _EARTH_M * asin(sqrt(chord))
