"""Enterprises and machines from spreadsheets. An empty cell leaves what is there: a list that lacks a phone number
takes none away. What repeats changes nothing."""

from typing import Any, ClassVar

from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from weldgate_platform.accounts.roles import Capability
from weldgate_platform.accounts.scope import covers
from weldgate_platform.registry.codes import uscc_fault
from weldgate_platform.registry.models import Area, Enterprise, Machine, Sector, Site, SiteType
from weldgate_platform.sheets.cleaning import count, identity, text
from weldgate_platform.sheets.target import Field, Purpose, RowFault, Target, register

__all__ = ["Areas", "EnterpriseTarget", "MachineTarget", "present"]


class Areas:
    """Areas by whatever a file calls them: name, code, or with the county's name before it."""

    def __init__(self) -> None:
        self._known: dict[str, Area | None] = {}
        for area in Area.objects.filter(ends__isnull=True).select_related("parent"):
            above = area.parent.name if area.parent is not None else ""
            for name in {area.name, area.key, area.code or area.key, above + area.name}:
                # Two areas of one name: neither is meant.
                self._known[name] = None if name in self._known else area

    def find(self, name: str) -> Area:
        """Return the one area of a name.

        Raises:
            RowFault: there is none, or more than one.
        """
        found = self._known.get(name)
        if found is None:
            raise RowFault("area", _("no area here has this name or code, or several have"))
        return found


def present(values: dict[str, Any], *fields: str) -> dict[str, Any]:
    """Return field -> value for those of the fields that the row fills."""
    return {field: values[field] for field in fields if values.get(field) not in (None, "")}


@register
class EnterpriseTarget(Target):
    """One row: an enterprise and one of its sites, with the number of machines that was declared there."""

    name: ClassVar[str] = "enterprises"
    needs: ClassVar = (Capability.SHEETS_IMPORT, Capability.REGISTRY_EDIT)
    fields: ClassVar = {
        "name": Field(text, required=True),
        "uscc": Field(identity),
        "area": Field(text, required=True),
        "sector": Field(text),
        "site": Field(text),
        "kind": Field(text),
        "address": Field(text),
        "declared": Field(count),
        "contact": Field(text),
        "phone": Field(identity),
    }
    models: ClassVar = (Enterprise, Site)

    def __init__(self, purpose: Purpose) -> None:
        super().__init__(purpose)
        self._areas = Areas()
        self._sectors: dict[str, Sector] = {}
        for sector in Sector.objects.all():
            for name in (sector.key, sector.name_zh, sector.name_en):
                self._sectors[name] = sector
        self._kinds = {name: kind for kind in SiteType.objects.all() for name in (kind.key, kind.name_zh, kind.name_en)}
        self._by_code: dict[tuple[str, int], Enterprise] = {}
        self._by_name: dict[tuple[str, int], Enterprise] = {}
        for enterprise in Enterprise.objects.all():
            self._remember(enterprise)
        self._sites: dict[tuple[int, str], Site] = {
            (id(self._enterprise(site)), site.name): site
            for site in Site.objects.filter(enterprise__isnull=False).select_related("enterprise")
        }
        self._rows: dict[int, tuple[int, dict[str, Any]]] = {}

    def take(self, number: int, values: dict[str, Any]) -> None:
        """Plan one row; see `Target`."""
        area = self._areas.find(values["area"])
        sector = self._found(self._sectors, "sector", values.get("sector", ""))
        kind = self._found(self._kinds, "kind", values.get("kind", ""))
        code = values.get("uscc", "")
        known = self._by_code.get((code, area.pk)) if code else None
        known = known or self._by_name.get((values["name"], area.pk))
        if known is not None and code and known.uscc not in ("", code):
            known = None  # another enterprise of the same name
        sector_id = sector.pk if sector is not None else known.sector_id if known is not None else None
        owner = known.pk if known is not None else None
        if not all(covers(self.purpose.user, need, area.path, sector_id, owner) for need in self.needs):
            raise RowFault("area", _("outside your area or sector"))
        if len(code) not in (0, 15, 18):
            raise RowFault("uscc", _("a social credit code has 18 characters, an old registration number 15"))
        if kind is None and (known is None or not values.get("site")):
            kind = self._kinds.get("other")
        wanted = present(values, "name", "uscc", "contact", "phone")
        if sector is not None:
            wanted["sector_id"] = sector.pk
        if code and uscc_fault(code):
            self.plan.counts["uscc_doubtful"] += 1
        if known is None:
            known = Enterprise(area=area)
            self.plan.change(known, wanted)
            self.plan.make(known)
            self._remember(known)
            self._agree(number, known, wanted)
        else:
            self._agree(number, known, wanted)
            if not self.plan.change(known, wanted):
                self.plan.counts["enterprise_same"] += 1
            self._remember(known)
        self._take_site(known, area, sector, kind, values)

    def _take_site(
        self, known: Enterprise, area: Area, sector: Sector | None, kind: SiteType | None, values: dict[str, Any]
    ) -> None:
        """Plan the row's site."""
        title = values.get("site") or known.name
        site = self._sites.get((id(known), title))
        wanted = present(values, "address", "declared")
        if kind is not None and (site is None or values.get("kind")):
            wanted["kind_id"] = kind.pk
        if sector is not None:
            wanted["sector_id"] = sector.pk
        if site is None:
            site = Site(enterprise=known, area=area, name=title)
            self.plan.change(site, {"sector_id": known.sector_id, "kind_id": self._kinds["other"].pk, **wanted})
            self.plan.make(site)
            self._sites[id(known), title] = site
        elif not self.plan.change(site, wanted):
            self.plan.counts["site_same"] += 1

    def _agree(self, number: int, known: Model, wanted: dict[str, Any]) -> None:
        """Refuse a row that says something else of an enterprise than an earlier row of the same file."""
        earlier = self._rows.get(id(known))
        if earlier is not None:
            for name, value in wanted.items():
                if earlier[1].get(name, value) != value:
                    raise RowFault("", _("row %(row)d says something else of this enterprise") % {"row": earlier[0]})
        merged = {**(earlier[1] if earlier is not None else {}), **wanted}
        self._rows[id(known)] = (earlier[0] if earlier is not None else number, merged)

    def _remember(self, enterprise: Enterprise) -> None:
        if enterprise.uscc:
            self._by_code.setdefault((enterprise.uscc, enterprise.area_id), enterprise)
        self._by_name.setdefault((enterprise.name, enterprise.area_id), enterprise)

    def _enterprise(self, site: Site) -> Enterprise | None:
        """Return the one object that stands for a site's enterprise here."""
        one = site.enterprise
        if one is None:
            return None
        return self._by_code.get((one.uscc, one.area_id)) or self._by_name.get((one.name, one.area_id))

    @staticmethod
    def _found(known: dict[str, Any], field: str, name: str) -> Any:
        if not name:
            return None
        if name not in known:
            raise RowFault(field, _("not one of ours; an operator can add it or map the word"))
        return known[name]


@register
class MachineTarget(Target):
    """One row: a machine of an enterprise that is there already."""

    name: ClassVar[str] = "machines"
    needs: ClassVar = (Capability.SHEETS_IMPORT, Capability.REGISTRY_EDIT)
    fields: ClassVar = {
        "enterprise": Field(text, required=True),
        "site": Field(text),
        "label": Field(text, required=True),
        "process": Field(text, required=True),
        "model": Field(text),
        "serial": Field(text),
        "rated_a": Field(count),
        "supply": Field(text, required=True),
    }
    models: ClassVar = (Machine,)

    def __init__(self, purpose: Purpose) -> None:
        super().__init__(purpose)
        self._sites: dict[str, list[Site]] = {}
        for site in Site.objects.visible_to(purpose.user).select_related("enterprise", "area").order_by("pk"):
            if site.enterprise is not None:
                for name in {site.enterprise.name, site.enterprise.uscc or site.enterprise.name}:
                    self._sites.setdefault(name, []).append(site)
        machines = Machine.objects.visible_to(purpose.user).exclude(status=Machine.Status.RETIRED)
        self._rows: dict[tuple[int, str], tuple[int, dict[str, Any]]] = {}
        self._machines: dict[tuple[int, str], Machine] = {(one.site_id, one.label): one for one in machines}

    def take(self, number: int, values: dict[str, Any]) -> None:
        """Plan one row; see `Target`."""
        sites = self._sites.get(values["enterprise"], [])
        if values.get("site"):
            sites = [site for site in sites if site.name == values["site"]]
        if len(sites) != 1:
            raise RowFault("site" if sites else "enterprise", _("no such site, or several: name enterprise and site"))
        (site,) = sites
        place = (site.area.path, site.sector_id, site.enterprise_id)
        if not all(covers(self.purpose.user, need, *place) for need in self.needs):
            raise RowFault("enterprise", _("outside your area or sector"))
        for field, words in (("process", Machine.Process.values), ("supply", Machine.Supply.values)):
            if values[field] not in words:
                raise RowFault(field, _("not one of ours; an operator can add it or map the word"))
        gated = values["supply"] in ("220", "380") and values["process"] != Machine.Process.GAS
        wanted = present(values, "process", "model", "serial", "rated_a", "supply")
        earlier = self._rows.setdefault((site.pk, values["label"]), (number, wanted))
        if earlier[1] != wanted:
            raise RowFault("label", _("row %(row)d has the same machine and says otherwise") % {"row": earlier[0]})
        known = self._machines.get((site.pk, values["label"]))
        if known is None:
            known = Machine(site=site, label=values["label"], gate="mains" if gated else "none")
            self.plan.change(known, wanted)
            self.plan.make(known)
            self._machines[site.pk, values["label"]] = known
        else:
            if not gated:
                wanted["gate"] = Machine.Gate.NONE
            if not self.plan.change(known, wanted):
                self.plan.counts["machine_same"] += 1
