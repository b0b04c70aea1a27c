"""Pages of imports: choose and check a file, see what is wrong, apply it, take it back."""

import json

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from weldgate_platform.accounts.access import user_of
from weldgate_platform.accounts.models import User
from weldgate_platform.accounts.scope import capabilities_of
from weldgate_platform.sheets.applying import undo
from weldgate_platform.sheets.loads import apply_load, check_file, kept_bad_rows
from weldgate_platform.sheets.mapping import Mapping, MappingError
from weldgate_platform.sheets.models import Load, SavedMapping
from weldgate_platform.sheets.reading import FileError
from weldgate_platform.sheets.target import RowFault, target_named
from weldgate_platform.sheets.words import counted

__all__ = ["apply_import", "bad_rows", "import_page", "imports", "undo_import"]

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class UploadForm(forms.Form):
    """What a file is, and the file."""

    mapping = forms.ChoiceField(label=_("Kind of file"))
    as_of = forms.DateField(label=_("Day of the data"), widget=forms.DateInput({"type": "date"}))
    full = forms.BooleanField(label=_("The file is the issuer's whole data"), required=False)
    file = forms.FileField(label=_("File, .xlsx or .csv"), widget=forms.ClearableFileInput({"accept": ".xlsx,.csv"}))


def imports(request: HttpRequest) -> HttpResponse:
    """Choose a file and check it; below, what was loaded before."""
    user = user_of(request)
    offered = _offered(user)
    form = UploadForm(request.POST or None, request.FILES or None, initial={"as_of": timezone.localdate()})
    chosen = form.fields["mapping"]
    if isinstance(chosen, forms.ChoiceField):
        english = (get_language() or "").startswith("en")
        chosen.choices = [(key, one.title_en if english else one.title_zh) for key, one in offered.items()]
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            load, _report = check_file(
                given["file"].read(),
                given["file"].name,
                offered[given["mapping"]],
                user,
                given["as_of"],
                given["full"],
            )
            return redirect("import", pk=load.pk)
        except (FileError, MappingError) as error:
            form.add_error("file", error.message)
        except RowFault as fault:
            form.add_error("file", str(fault.said))
    page = {"form": form, "loads": _own(user).order_by("-pk")[:50]}
    return render(request, "sheets/imports.html", page, status=400 if form.errors else 200)


def import_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what the check found, and offer what can be done next."""
    load = get_object_or_404(_own(user_of(request)), pk=pk)
    page = {"load": load, "bad": json.loads(load.bad_list), "counts": counted(load.counts)}
    return render(request, "sheets/import.html", page)


def apply_import(request: HttpRequest, pk: int) -> HttpResponse:
    """Apply a checked load, all of it."""
    load = get_object_or_404(_own(user_of(request)), pk=pk)
    try:
        apply_load(load, user_of(request))
        messages.success(request, _("Applied."))
    except RowFault as fault:
        messages.error(request, str(fault.said))
    except MappingError as error:
        messages.error(request, error.message)
    return redirect("import", pk=pk)


def undo_import(request: HttpRequest, pk: int) -> HttpResponse:
    """Take an applied load back."""
    load = get_object_or_404(_own(user_of(request)), pk=pk)
    try:
        undo(load, user_of(request))
        messages.success(request, _("Taken back."))
    except RowFault as fault:
        messages.error(request, str(fault.said))
    return redirect("import", pk=pk)


def bad_rows(request: HttpRequest, pk: int) -> HttpResponse:
    """Hand out the bad rows, each with what is wrong, to be mended and imported again."""
    load = get_object_or_404(_own(user_of(request)), pk=pk, bad_rows__gt=0)
    response = HttpResponse(kept_bad_rows(load), content_type=_XLSX)
    response["Content-Disposition"] = f'attachment; filename="bad-rows-{load.pk}.xlsx"'
    return response


def _own(user: User) -> QuerySet[Load]:
    """Return the loads of one's own; an operator's are all. A file may hold more than another may see."""
    return Load.objects.all() if user.is_superuser else Load.objects.filter(by=user)


def _offered(user: User) -> dict[str, Mapping]:
    """Return the mappings whose target the user may load."""
    held = capabilities_of(user)
    found = {}
    for saved in SavedMapping.objects.all():
        mapping = saved.mapping
        target = target_named(mapping.target)
        if target is not None and held.issuperset(target.needs):
            found[saved.key] = mapping
    return found
