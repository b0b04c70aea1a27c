"""Exports of all that one may see: CSV that a spreadsheet opens, and in which no cell is a formula."""

import csv
from collections.abc import Iterable, Iterator

from django.http import HttpRequest, StreamingHttpResponse
from django.utils.translation import gettext as _

from weldgate_platform.accounts.access import user_of
from weldgate_platform.audit.log import record
from weldgate_platform.registry.models import Enterprise, Machine
from weldgate_platform.sheets.cleaning import plain_cell

__all__ = ["enterprises_csv", "machines_csv", "stream_csv"]

_BOM = "\ufeff"  # without it Excel reads UTF-8 as GBK


class _Echo:
    """A file for `csv.writer` whose lines are handed on."""

    def write(self, line: str) -> str:
        """Return the line."""
        return line


def stream_csv(name: str, header: list[str], rows: Iterable[Iterable[object]]) -> StreamingHttpResponse:
    """Return a download.

    Args:
        name: of the file, without ending.
        header: the first line.
        rows: the others.
    """
    writer = csv.writer(_Echo())

    def lines() -> Iterator[str]:
        yield _BOM + str(writer.writerow(header))
        for row in rows:
            yield str(writer.writerow([plain_cell(value) for value in row]))

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def enterprises_csv(request: HttpRequest) -> StreamingHttpResponse:
    """Export the enterprises that one sees."""
    user = user_of(request)
    found = Enterprise.objects.visible_to(user).select_related("area", "sector").order_by("pk")
    record(user, "export.enterprises", None, rows=found.count())
    header = [_("name"), _("social credit code"), _("area"), _("sector"), _("active")]
    rows = ((one.name, one.uscc, one.area, one.sector, int(one.active)) for one in found.iterator(2000))
    return stream_csv("enterprises", header, rows)


def machines_csv(request: HttpRequest) -> StreamingHttpResponse:
    """Export the machines that one sees."""
    user = user_of(request)
    found = Machine.objects.visible_to(user).select_related("site", "site__area", "site__enterprise").order_by("pk")
    record(user, "export.machines", None, rows=found.count())
    header = [
        _("code"), _("enterprise"), _("site"), _("area"), _("own number"), _("process"), _("model"),
        _("rated current, A"), _("supply"), _("gate"), _("status"),
    ]  # fmt: skip
    rows = (
        (
            one.code, one.site.enterprise, one.site, one.site.area, one.label, one.get_process_display(), one.model,
            one.rated_a, one.get_supply_display(), one.get_gate_display(), one.get_status_display(),
        )
        for one in found.iterator(2000)
    )  # fmt: skip
    return stream_csv("machines", header, rows)
