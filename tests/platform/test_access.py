"""Every address × method × role: reached only through `page`, answered only to whom the table says."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from weldgate_platform.accounts.access import PUBLIC, SIGNED_IN, Access
from weldgate_platform.accounts.roles import CAPABILITIES, Capability, Role, roles_with
from weldgate_platform.sheets.target import target_named

TARGETS = ("enterprises", "machines", "people", "certificates")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def _patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for one in resolver.url_patterns:
        if isinstance(one, URLResolver):
            yield from _patterns(one, prefix + str(one.pattern))
        else:
            yield prefix + str(one.pattern), one


def ours() -> dict[str, Access]:
    """Return what each route of ours asks; an admin route stands for itself."""
    found = {}
    for route, pattern in _patterns(get_resolver()):
        if not route.startswith("admin/"):
            access = getattr(pattern.callback, "access", None)
            assert isinstance(access, Access), f"{route} is not routed by accounts.access.page"
            found[str(pattern.name)] = access
    return found


def admin_addresses() -> list[str]:
    """Return the addresses of the admin pages, with something in each gap."""
    routes = [route for route, _ in _patterns(get_resolver()) if route.startswith("admin/")]
    filled = []
    for route in routes:
        address = route
        for gap, value in (
            ("<path:object_id>", "1"), ("<id>", "1"), ("<int:content_type_id>", "1"), ("<path:url>", "x"),
            ("(?P<app_label>registry|accounts|audit|people|sheets|starts|ingest)", "registry"),
        ):  # fmt: skip
            address = address.replace(gap, value)
        if "(?P" not in address:
            filled.append("/" + address.replace("^", "").replace("$", ""))
    return filled


@pytest.fixture
def addresses(county, fitted) -> dict[str, str]:
    """Return an address that exists for each route of ours."""
    gaps = {
        "enterprise": [county.here.enterprise.pk], "machine": [county.here.machine.pk],
        "label": [county.here.machine.code], "area": [county.here.area.key], "end-device": [0],
        **{name: [0] for name in ("person", "reveal-identity", "decide-conflict")},
        **{name: [0] for name in ("started", "start-code", "start-state")}, "start": [county.here.machine.code],
        **{name: [0] for name in ("import", "bad-rows", "apply-import", "undo-import")},
    }  # fmt: skip
    return {name: reverse(name, args=gaps.get(name, [])) for name in ours()}


def _expected(access: Access, method: str, capabilities: frozenset[Capability] | None) -> set[int]:
    """Return the codes that a route may answer with; None for capabilities: not signed in."""
    if method == "OPTIONS":
        return {200, 204, 405} if "OPTIONS" not in access.methods else {200}
    if method not in access.methods:
        return {405}
    if access.needs == PUBLIC:
        return {200, 302, 400, 401, 403, 404}
    if capabilities is None:
        return {302}
    if access.needs != SIGNED_IN and Capability(access.needs) not in capabilities:
        return {403}
    return {200, 302, 400, 404}


@pytest.mark.parametrize("role", [None, *Role], ids=str)
def test_each_role_reaches_what_the_table_says(role, county, addresses, signed_in) -> None:
    """By every method at every address: 405, the sign-in page, 403, or the page, and nothing else."""
    client = Client() if role is None else signed_in(county.user(role))
    capabilities = None if role is None else CAPABILITIES[role]
    wrong = []

    for name, access in ours().items():
        for method in METHODS:
            if name == "sign-out" and method == "POST" and role is not None:
                continue  # below: it ends what the others need
            response = client.generic(method, addresses[name])
            if response.status_code not in _expected(access, method, capabilities):
                wrong.append((name, method, response.status_code))
            if role is None and response.status_code == 302 and access.needs != PUBLIC:
                assert response["Location"].startswith("/sign-in?next=")

    assert not wrong


@pytest.mark.parametrize("role", [None, *Role], ids=str)
def test_admin_pages_are_the_operators_alone(role, county, signed_in) -> None:
    """Nobody else gets further than its sign-in page."""
    client = Client() if role is None else signed_in(county.user(role))
    found = admin_addresses()
    assert len(found) > 40

    for address in found:
        response = client.get(address)
        passed = response.status_code == 200 and address not in ("/admin/login/", "/admin/jsi18n/")
        assert not passed, address


def test_every_capability_is_somebodys_and_opens_something_or_is_asked_for_in_a_view() -> None:
    """No right without a holder, and none but the two named that nothing asks for."""
    pages = {access.needs for access in ours().values()}
    loads = {need for name in TARGETS for need in target_named(name).needs}
    no_page_yet = {Capability.CHIP_FIT, Capability.AUDIT_VIEW}

    assert no_page_yet.isdisjoint(pages | loads)
    for capability in Capability:
        assert roles_with(capability), capability
        assert capability in pages | loads | no_page_yet, capability


def test_what_is_out_of_scope_does_not_exist(county, signed_in) -> None:
    """An officer of one township finds nothing of another's under an address that he knows."""
    client = signed_in(county.user(Role.TOWNSHIP))

    for name, here, there in (
        ("enterprise", county.here.enterprise.pk, county.there.enterprise.pk),
        ("machine", county.here.machine.pk, county.there.machine.pk),
        ("area", county.here.area.key, county.there.area.key),
    ):
        assert client.get(reverse(name, args=[here])).status_code == 200
        assert client.get(reverse(name, args=[there])).status_code == 404
    for name in ("enterprises", "machines", "enterprises-csv", "machines-csv"):
        response = client.get(reverse(name))
        text = b"".join(response) if response.streaming else response.content
        assert "火龙建安".encode() in text
        assert "顺店铸造".encode() not in text


def test_fragment_for_nobody_is_no_redirect(county) -> None:
    """htmx would put the sign-in page where the fragment belongs."""
    response = Client().get(reverse("machines"), headers={"HX-Request": "true"})

    assert response.status_code == 401
    assert not response.content


def test_pages_load_nothing_from_elsewhere_and_keep_their_headers(county, signed_in) -> None:
    """No outside host, no inline script, no frame."""
    response = signed_in(county.user(Role.COUNTY, area=county.county)).get("/")

    assert "default-src 'none'" in response["Content-Security-Policy"]
    assert "unsafe-inline" not in response["Content-Security-Policy"]
    assert response["X-Frame-Options"] == "DENY"
    assert b"//" not in response.content.replace(b"<!doctype", b"")


def test_sign_out_ends_the_session(county, signed_in) -> None:
    """The next page asks to sign in."""
    client = signed_in(county.user(Role.COUNTY, area=county.county))

    assert client.post("/sign-out").status_code == 302

    assert client.get("/").status_code == 302
