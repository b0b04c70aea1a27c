"""Pages of the registry: what needs me, areas, enterprises, sites, machines. All read through `visible_to`."""

from typing import TypeVar

from django.core.paginator import Page, Paginator
from django.db.models import Count, Model, Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from weldgate_platform.accounts.access import user_of
from weldgate_platform.registry.codes import normalise_machine_code
from weldgate_platform.registry.models import Area, Enterprise, Install, Machine, Site, SiteType

__all__ = ["area", "enterprise", "enterprises", "home", "machine", "machines", "typed_code"]

PAGE_ROWS = 50
_T = TypeVar("_T", bound=Model)


def home(request: HttpRequest) -> HttpResponse:
    """Show what one sees in figures, each of which leads to its rows."""
    user = user_of(request)
    seen = Machine.objects.visible_to(user)
    sites = Site.objects.visible_to(user)
    context = {
        "enterprises": Enterprise.objects.visible_to(user).filter(active=True).count(),
        "sites": sites.count(),
        "declared": sites.aggregate(sum=Sum("declared"))["sum"] or 0,
        "machines": seen.in_use().count(),
        "fitted": seen.fitted().count(),
        "areas": Area.objects.visible_to(user).filter(level__in=("county", "township"))[:60],
    }
    return render(request, "registry/home.html", context)


def area(request: HttpRequest, key: str) -> HttpResponse:
    """Show an area: what was declared there, what was counted, and what stands below it."""
    user = user_of(request)
    one = get_object_or_404(Area.objects.visible_to(user), key=key)
    sites = Site.objects.visible_to(user).filter(area__path__startswith=one.path)
    seen = Machine.objects.visible_to(user).filter(site__area__path__startswith=one.path)
    kinds = SiteType.objects.annotate(
        sites=Count("site", filter=Q(site__in=sites), distinct=True),
        declared=Sum("site__declared", filter=Q(site__in=sites)),
    ).filter(sites__gt=0)
    context = {
        "area": one,
        "children": Area.objects.visible_to(user).filter(parent=one),
        "kinds": kinds,
        "declared": sites.aggregate(sum=Sum("declared"))["sum"] or 0,
        "machines": seen.in_use().count(),
        "fitted": seen.fitted().count(),
    }
    return render(request, "registry/area.html", context)


def enterprises(request: HttpRequest) -> HttpResponse:
    """List enterprises; name, code or area narrow the list, and stand in the address."""
    found = Enterprise.objects.visible_to(user_of(request)).select_related("area", "sector").order_by("name", "pk")
    wanted = request.GET.get("q", "").strip()
    if wanted:
        found = found.filter(Q(name__icontains=wanted) | Q(uscc=wanted.upper()))
    if request.GET.get("area"):
        found = found.filter(area__path__startswith=_path(request))
    return render(request, "registry/enterprises.html", {"page": _page(request, found), "q": wanted})


def enterprise(request: HttpRequest, pk: int) -> HttpResponse:
    """Show an enterprise, its sites with what was declared and what was counted, and its machines."""
    user = user_of(request)
    one = get_object_or_404(Enterprise.objects.visible_to(user).select_related("area", "sector"), pk=pk)
    sites = Site.objects.visible_to(user).filter(enterprise=one).counted().select_related("kind", "area")
    found = Machine.objects.visible_to(user).filter(site__enterprise=one).select_related("site").order_by("label", "pk")
    return render(
        request, "registry/enterprise.html", {"enterprise": one, "sites": sites, "page": _page(request, found)}
    )


def machines(request: HttpRequest) -> HttpResponse:
    """List machines; text, area, state and whether a chip is fitted narrow the list."""
    found = Machine.objects.visible_to(user_of(request)).select_related("site", "site__area", "site__enterprise")
    wanted = request.GET.get("q", "").strip()
    if wanted:
        code = normalise_machine_code(wanted)
        found = found.filter(
            Q(label__icontains=wanted) | Q(serial=wanted) | Q(code=code) | Q(site__name__icontains=wanted)
        )
    if request.GET.get("area"):
        found = found.filter(site__area__path__startswith=_path(request))
    if request.GET.get("chip") == "1":
        found = found.fitted()
    elif request.GET.get("chip") == "0":
        found = found.in_use().exclude(installs__in=Install.objects.filter(removed__isnull=True))
    page = _page(request, found.order_by("site__area__path", "site_id", "label", "pk"))
    return render(request, "registry/machines.html", {"page": page, "q": wanted, "chip": request.GET.get("chip", "")})


def machine(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a machine and every chip that it has had."""
    user = user_of(request)
    one = get_object_or_404(
        Machine.objects.visible_to(user).select_related("site", "site__area", "site__enterprise"), pk=pk
    )
    history = Install.objects.visible_to(user).filter(machine=one).select_related("chip", "fitted_by", "removed_by")
    return render(request, "registry/machine.html", {"machine": one, "installs": history.order_by("-fitted")})


def typed_code(request: HttpRequest) -> HttpResponse:
    """Ask for the short code of a label that cannot be scanned any more."""
    typed = normalise_machine_code(request.GET.get("code", ""))
    if typed and Machine.objects.filter(code=typed).exists():
        return redirect("label", code=typed)
    return render(request, "registry/typed_code.html", {"typed": typed}, status=404 if typed else 200)


def _page(request: HttpRequest, found: QuerySet[_T]) -> Page[_T]:
    return Paginator(found, PAGE_ROWS).get_page(request.GET.get("page"))


def _path(request: HttpRequest) -> str:
    """Return the path of the area that the address names; one that is not there matches nothing."""
    one = Area.objects.filter(key=request.GET["area"]).first()
    return one.path if one is not None else "none/"
