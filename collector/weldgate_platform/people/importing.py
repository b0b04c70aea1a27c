"""People and certificates from spreadsheets: what an issuer's data says, by difference, and what does not fit.

A certificate's data is the issuer's: an empty cell empties what was there. A row that cannot be true is imported all
the same and queued for a person, since a slip of the issuer is likelier than a forgery; only one number with two
people is not applied until somebody has decided.
"""

import json
from collections import defaultdict
from datetime import date
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _

from weldgate_platform.accounts.roles import Capability
from weldgate_platform.accounts.scope import covers
from weldgate_platform.people.identity import certificate_hash, identity_fault, identity_hash
from weldgate_platform.people.items import parse_item, split_items
from weldgate_platform.people.models import Certificate, CertificateItem, Conflict, Issuer, Person
from weldgate_platform.people.sources import speaks_for
from weldgate_platform.people.validity import Said, Standing, standing_on
from weldgate_platform.registry.importing import Areas, present
from weldgate_platform.registry.models import Enterprise
from weldgate_platform.sealed import keyed_hash
from weldgate_platform.sheets.cleaning import day, flag, identity, text
from weldgate_platform.sheets.target import Field, Purpose, RowFault, Target, register

__all__ = ["CertificateTarget", "PersonTarget"]

_TOLD = (Standing.EXPIRED, Standing.REVIEW_OVERDUE, Standing.SUSPENDED, Standing.REVOKED)


@register
class CertificateTarget(Target):
    """One row: a certificate in the data of one issuer."""

    name: ClassVar[str] = "certificates"
    needs: ClassVar = (Capability.SHEETS_IMPORT, Capability.PEOPLE_EDIT)
    fields: ClassVar = {
        "name": Field(text, required=True),
        "number": Field(identity, required=True),
        "identity": Field(identity),
        "sub_item": Field(text),
        "items": Field(text),
        "valid_from": Field(day),
        "valid_to": Field(day, required=True),
        "review_due": Field(day),
        "reviewed_at": Field(day),
        "said": Field(text),
    }
    models: ClassVar = (Certificate, CertificateItem, Conflict)

    def __init__(self, purpose: Purpose) -> None:
        super().__init__(purpose)
        if purpose.source not in Issuer.values:
            raise RowFault("", _("The mapping names no issuer."))
        if not all(speaks_for(purpose.user, need, purpose.source) for need in self.needs):
            raise RowFault("", _("Another department's data: its own officers load it."))
        known = Certificate.objects.filter(source=purpose.source).defer("number", "holder")  # opened where they differ
        self._known = {one.number_hash: one for one in known}
        self._items: dict[int, list[CertificateItem]] = defaultdict(list)
        if purpose.source == Issuer.SAMR:
            for item in CertificateItem.objects.filter(certificate__source=purpose.source):
                self._items[item.certificate_id].append(item)
        self._names = dict(Person.objects.values_list("identity_hash", "name"))
        self._queued = set(Conflict.objects.values_list("fingerprint", flat=True))
        self._seen: dict[str, int] = {}

    def take(self, number: int, values: dict[str, Any]) -> None:
        """Plan one row; see `Target`."""
        source, written = self.purpose.source, values["number"]
        holder = values.get("identity") or _holder_of(source, written)
        if not holder:
            raise RowFault("identity", _("missing"))
        said = values.get("said") or Said.IN_FORCE
        if said not in Said.values:
            raise RowFault("said", _("not one of ours; an operator can add it or map the word"))
        found = certificate_hash(source, written)
        whose = identity_hash(holder)
        if found in self._seen:
            self._repeat(found, whose, values)
            return
        self._seen[found] = number
        known = self._known.get(found)
        if known is not None and known.holder_hash != whose:
            self._queue(Conflict.Kind.TWO_PEOPLE, known, found, {"holders": [known.holder, holder], "number": written})
            self.plan.counts["not_applied"] += 1
            return
        dates = {name: values.get(name) for name in ("valid_from", "valid_to", "review_due", "reviewed_at")}
        wanted = {"holder_name": values["name"], "sub_item": values.get("sub_item", ""), "said": said, **dates}
        one = self._put(known, found, written, holder, whose, wanted)
        standing = standing_on(one.dates, self.purpose.as_of)
        if standing in _TOLD:
            self.plan.counts[standing.value] += 1
        if source == Issuer.SAMR and "items" in values:
            self._put_items(one, split_items(values["items"]))
        self._doubt(one, found, holder, dates)

    def finish(self) -> None:
        """Mark what the source no longer has, where the file is all of it; it is "not found" from then on."""
        if not self.purpose.full:
            return
        for found, one in self._known.items():
            if found not in self._seen and one.gone_since is None and one.pk is not None:
                self.plan.change(one, {"gone_since": self.purpose.as_of})
                self.plan.counts["gone"] += 1

    def _put(
        self, known: Certificate | None, found: str, number: str, holder: str, whose: str, wanted: dict[str, Any]
    ) -> Certificate:
        """Plan the certificate itself."""
        if known is None:
            known = Certificate(
                source=self.purpose.source,
                number=number,
                number_hash=found,
                holder=holder,
                holder_hash=whose,
                as_of=self.purpose.as_of,
                **wanted,
            )
            self.plan.make(known)
            self._known[found] = known
        elif self.plan.change(known, {**wanted, "gone_since": None}):
            self.plan.change(known, {"as_of": self.purpose.as_of})
        else:
            self.plan.counts["certificate_same"] += 1
        return known

    def _put_items(self, one: Certificate, raws: list[str]) -> None:
        """Plan a certificate's items; one that is no longer listed ends on the day of the data."""
        there = {item.raw: item for item in self._items.get(one.pk, [])} if one.pk is not None else {}
        for raw in raws:
            item = parse_item(raw)
            if raw not in there:
                self.plan.make(CertificateItem(certificate=one, raw=raw, code=item.code, method=item.method))
            elif there[raw].valid_to is not None:
                self.plan.change(there[raw], {"valid_to": None})
        for raw, kept in there.items():
            if raw not in raws and kept.valid_to is None:
                self.plan.change(kept, {"valid_to": self.purpose.as_of})

    def _repeat(self, found: str, whose: str, values: dict[str, Any]) -> None:
        """Take the same certificate's second row: nothing where it says the same."""
        known = self._known.get(found)
        same = known is not None and known.holder_hash == whose and known.valid_to == values["valid_to"]
        if not same:
            raise RowFault(
                "number", _("row %(row)d has the same number and says otherwise") % {"row": self._seen[found]}
            )
        self.plan.counts["repeated"] += 1

    def _doubt(self, one: Certificate, found: str, holder: str, dates: dict[str, date | None]) -> None:
        """Queue what cannot be true."""
        resident = len(holder) == 18
        if resident and identity_fault(holder) in ("check", "date"):
            self._queue(Conflict.Kind.CHECK_DIGIT, one, found, {"holder": holder})
        name = self._names.get(one.holder_hash)
        if name is not None and name != one.holder_name:
            self._queue(Conflict.Kind.NAME, one, found, {"registered": name, "source": one.holder_name})
        begins, ends, reviewed = dates["valid_from"], dates["valid_to"], dates["reviewed_at"]
        if (begins and ends and begins > ends) or (reviewed and reviewed > self.purpose.as_of):
            self._queue(Conflict.Kind.DATES, one, found, {name: str(value) for name, value in dates.items()})

    def _queue(self, kind: str, one: Certificate, found: str, evidence: dict[str, Any]) -> None:
        """Plan a conflict, once: what was decided is not asked again until the evidence is another."""
        told = json.dumps(evidence, sort_keys=True, ensure_ascii=False)
        fingerprint = keyed_hash(f"{kind}\0{self.purpose.source}\0{found}\0{told}", "conflict")
        if fingerprint in self._queued:
            return
        self._queued.add(fingerprint)
        self.plan.make(
            Conflict(kind=kind, source=self.purpose.source, certificate=one, evidence=told, fingerprint=fingerprint)
        )


@register
class PersonTarget(Target):
    """One row: somebody who welds, with the enterprise or area where he does."""

    name: ClassVar[str] = "people"
    needs: ClassVar = (Capability.SHEETS_IMPORT, Capability.PEOPLE_EDIT)
    fields: ClassVar = {
        "name": Field(text, required=True),
        "identity": Field(identity, required=True),
        "phone": Field(identity),
        "area": Field(text, required=True),
        "enterprise": Field(text),
        "itinerant": Field(flag),
    }
    models: ClassVar = (Person,)

    def __init__(self, purpose: Purpose) -> None:
        super().__init__(purpose)
        self._areas = Areas()
        self._known = {one.identity_hash: one for one in Person.objects.defer("identity")}
        self._rows: dict[str, tuple[int, dict[str, Any]]] = {}
        self._employers: dict[tuple[str, int], Enterprise] = {}
        for one in Enterprise.objects.all():
            for name in {one.name, one.uscc or one.name}:
                self._employers[name, one.area_id] = one

    def take(self, number: int, values: dict[str, Any]) -> None:
        """Plan one row; see `Target`."""
        area = self._areas.find(values["area"])
        employer = None
        if values.get("enterprise"):
            employer = self._employers.get((values["enterprise"], area.pk))
            if employer is None:
                raise RowFault("enterprise", _("no enterprise of this name in that area"))
        place = (area.path, employer.sector_id if employer else None, employer.pk if employer else None)
        if not all(covers(self.purpose.user, need, *place) for need in self.needs):
            raise RowFault("area", _("outside your area or sector"))
        if identity_fault(values["identity"]):
            raise RowFault("identity", _("no identity number: its form or its check digit is wrong"))
        found = identity_hash(values["identity"])
        known = self._known.get(found)
        if known is not None and known.name != values["name"]:
            raise RowFault("name", _("this identity number is registered under another name"))
        place_ids = {"area_id": area.pk, "enterprise_id": employer.pk if employer else None}
        wanted = {**place_ids, **present(values, "phone", "itinerant")}
        if self._rows.setdefault(found, (number, wanted))[1] != wanted:
            said = _("row %(row)d has the same person and says otherwise") % {"row": self._rows[found][0]}
            raise RowFault("identity", said)
        if known is None:
            known = Person(name=values["name"], identity=values["identity"], identity_hash=found)
            self.plan.change(known, wanted)
            self.plan.make(known)
            self._known[found] = known
        elif not self.plan.change(known, wanted):
            self.plan.counts["person_same"] += 1


def _holder_of(source: str, number: str) -> str:
    """Return the identity number that a certificate's number is, "" where it is none (DOMAIN, certificates)."""
    if source == Issuer.MEM:
        return number.removeprefix("T") if number.startswith("T") else ""
    return number if source == Issuer.SAMR and len(number) == 18 else ""
