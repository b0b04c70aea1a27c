"""Pages of people and certificates: lists masked, one number in full with a purpose, a number looked up, conflicts."""

from datetime import date

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Max, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _

from weldgate_platform.accounts.access import user_of
from weldgate_platform.audit.log import record
from weldgate_platform.people.deciding import decidable_by, decide
from weldgate_platform.people.identity import certificate_hash, identity_hash, mask_name
from weldgate_platform.people.models import Certificate, Conflict, Issuer, Person
from weldgate_platform.people.reveal import reveal
from weldgate_platform.sheets.cleaning import CellFault, identity
from weldgate_platform.sheets.models import Load

__all__ = ["check_number", "conflicts", "decide_conflict", "people", "person", "reveal_identity"]

PAGE_ROWS = 50


def people(request: HttpRequest) -> HttpResponse:
    """List the people that one sees; a name or a whole identity number narrows the list.

    The search is a POST: an identity number in an address would stand in every log on the way.
    """
    found = Person.objects.visible_to(user_of(request)).select_related("area", "enterprise").order_by("pk")
    wanted = request.POST.get("q", "").strip()
    if wanted:
        found = found.filter(Q(name__contains=wanted) | Q(identity_hash=identity_hash(wanted)))
    page = Paginator(found, PAGE_ROWS).get_page(request.GET.get("page"))
    return render(request, "people/people.html", {"page": page, "q": wanted})


def person(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a person and the certificates that any issuer has of him."""
    one = get_object_or_404(Person.objects.visible_to(user_of(request)).select_related("area", "enterprise"), pk=pk)
    return render(request, "people/person.html", _person_page(one))


def reveal_identity(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one identity number in full, once, to whom gives a purpose."""
    user = user_of(request)
    one = get_object_or_404(Person.objects.visible_to(user).select_related("area", "enterprise"), pk=pk)
    number = reveal(one, user, request.POST.get("purpose", ""))
    if number is None:
        messages.error(request, _("Say what for, in four characters at least; and your role must allow it here."))
        return redirect("person", pk=pk)
    response = render(request, "people/person.html", {**_person_page(one), "identity": number})
    response["Cache-Control"] = "no-store"
    return response


def check_number(request: HttpRequest) -> HttpResponse:
    """Look a certificate up by its number or its holder's, in all three sources.

    "Not found" tells whose data was looked at, and of what day. Whoever asks is on record, since nobody's scope
    bounds it: an itinerant welder may come from anywhere.
    """
    typed, found, looked = request.POST.get("number", ""), list[Certificate](), False
    if typed:
        looked = True
        try:
            number = identity(typed)
        except CellFault:
            number = ""
        if number:
            query = Q(holder_hash=identity_hash(number))
            for source in Issuer.values:
                query |= Q(source=source, number_hash=certificate_hash(source, number))
            found = list(Certificate.objects.filter(query).order_by("source"))
        record(user_of(request), "certificate.check", None, found=len(found))
    rows = [(one, mask_name(one.holder_name)) for one in found]
    page = {"rows": rows, "looked": looked, "sources": _sources()}
    return render(request, "people/check_number.html", page)


def conflicts(request: HttpRequest) -> HttpResponse:
    """List what waits for a decision."""
    found = decidable_by(user_of(request)).select_related("certificate").order_by("found")
    page = Paginator(found, PAGE_ROWS).get_page(request.GET.get("page"))
    return render(request, "people/conflicts.html", {"page": page, "outcomes": Conflict.Outcome.choices})


def decide_conflict(request: HttpRequest, pk: int) -> HttpResponse:
    """Decide one conflict."""
    one = get_object_or_404(decidable_by(user_of(request)), pk=pk)
    if decide(one, user_of(request), request.POST.get("outcome", ""), request.POST.get("note", "")):
        messages.success(request, _("Decided."))
    else:
        messages.error(request, _("Choose a decision and write why."))
    return redirect("conflicts")


def _person_page(one: Person) -> dict[str, object]:
    found = Certificate.objects.filter(holder_hash=one.identity_hash).prefetch_related("items").order_by("source")
    return {"person": one, "certificates": found, "sources": _sources()}


def _sources() -> list[tuple[str, date | None]]:
    """Return each issuer and the day of the newest data that was applied."""
    applied = Load.objects.filter(target="certificates", state=Load.State.APPLIED)
    newest = dict(applied.values_list("source").annotate(Max("as_of")))
    return [(str(source.label), newest.get(source.value)) for source in Issuer]
