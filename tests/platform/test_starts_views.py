"""Scan, refuse, start: from the label's address to a token that the machine's own chip takes."""

import re
from datetime import date, timedelta
from pathlib import Path

import pytest
import zxingcpp
from django.test import Client
from django.utils import timezone
from PIL import Image

from weldgate_issuer import Issuer
from weldgate_issuer.tokens import chip_context
from weldgate_platform.accounts.roles import Role
from weldgate_platform.audit.models import Entry
from weldgate_platform.people.identity import certificate_hash, identity_hash
from weldgate_platform.people.models import Certificate, Conflict, Person
from weldgate_platform.people.recognition import load_default
from weldgate_platform.registry.models import Chip, Machine, SiteType
from weldgate_platform.starts.asking import ask
from weldgate_platform.starts.facts import distance_to
from weldgate_platform.starts.issuing import LIFE_S, forget_issuer, life_s, pseudonym
from weldgate_platform.starts.models import Binding, Dispatch, Start
from weldgate_protocol import keyset, reasons, token

NUMBER = "411099190001010008"
DEVICE = (0x10).to_bytes(8, "big")


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    """Return a site's issuer in a folder."""
    folder = tmp_path_factory.mktemp("issuer") / "issuer"
    made = Issuer.create(folder, int(timezone.now().timestamp()))
    made.where = folder
    return made


@pytest.fixture
def welder(county, fitted, issuer, settings) -> Person:
    """Return a welder of the enterprise here with a good certificate, who has an account."""
    forget_issuer()
    settings.PLATFORM_ISSUER = Path(issuer.where)
    load_default(date(2023, 11, 30))
    Certificate.objects.create(
        source="mem", number=f"T{NUMBER}", number_hash=certificate_hash("mem", f"T{NUMBER}"), holder_name="张小试",
        holder=NUMBER, holder_hash=identity_hash(NUMBER), valid_to=timezone.localdate() + timedelta(days=900),
        sub_item="熔化焊接与热切割作业", as_of=date(2026, 11, 1),
    )  # fmt: skip
    return Person.objects.create(
        name="张小试", identity=NUMBER, identity_hash=identity_hash(NUMBER), area=county.here.area,
        enterprise=county.here.enterprise, user=county.user(Role.WELDER),
    )  # fmt: skip


def _start(client: Client, machine: Machine, **rest: str) -> tuple[Start, str]:
    """Press the button; return what was kept and the page that answers."""
    response = client.post(f"/m/{machine.code}/start", rest)
    assert response.status_code == 302
    return Start.objects.latest("pk"), client.get(response["Location"]).content.decode()


def test_token_is_one_that_this_machines_chip_takes(welder, county, signed_in, issuer) -> None:
    """By the chip's own verifier: device, holder, life, domain; and no other chip takes it."""
    done, page = _start(signed_in(welder.user), county.here.machine)

    key = issuer.key_for(keyset.SCOPE_START)
    claims = token.verify(bytes(done.token), chip_context(key, DEVICE, int(done.at.timestamp())))
    assert claims.holder == pseudonym(welder, timezone.localdate()) == bytes.fromhex(done.holder)
    assert claims.id == bytes.fromhex(done.token_id)
    assert (done.reason, done.certificate.source) == (0, "mem")
    assert (done.expires - done.at).total_seconds() == LIFE_S
    with pytest.raises(token.Refused):
        token.verify(bytes(done.token), chip_context(key, bytes(8), int(done.at.timestamp())))
    assert "一次" in page
    assert Entry.objects.filter(action="start.sign").count() == 1


def test_page_tells_before_the_button_whether_one_may(welder, county, signed_in) -> None:
    """With the certificate it rests on; to others the same address shows no person and no button."""
    address = f"/m/{county.here.machine.code}"

    assert "开机" in signed_in(welder.user).get(address).content.decode()
    public = Client().get(address).content.decode()
    assert f"/sign-in?next={address}" in public
    assert "/start" not in public
    assert "/start" not in signed_in(county.user(Role.INSTALLER)).get(address).content.decode()


def _read(svg: str) -> str:
    """Draw segno's path (`M x y.5 h length m …`, a row a stroke) and read the code off the picture."""
    path = re.search(r'class="qrline"[^>]* d="([^"]+)"', svg)
    assert path is not None
    dark: set[tuple[int, int]] = set()
    x = y = 0.0
    for act, first, second in re.findall(r"([Mmh])(-?[\d.]+)(?: (-?[\d.]+))?", path[1]):
        if act == "h":
            dark |= {(int(x) + step, int(y)) for step in range(int(first))}
            x += float(first)
        else:
            x, y = (float(first), float(second)) if act == "M" else (x + float(first), y + float(second))
    side = max(max(place) for place in dark) + 5
    image = Image.new("L", (side, side), 255)
    for place in dark:
        image.putpixel(place, 0)
    return zxingcpp.read_barcodes(image.resize((side * 8, side * 8)))[0].text


def test_code_for_the_machines_scanner_is_the_token(welder, county, signed_in) -> None:
    """Read back off the picture; from no cache; not another's, and not once it has expired."""
    client = signed_in(welder.user)
    done, _ = _start(client, county.here.machine)

    response = client.get(f"/starts/{done.pk}/code.svg")
    assert _read(response.content.decode()) == token.to_text(bytes(done.token))
    assert response["Content-Type"] == "image/svg+xml"
    assert response["Cache-Control"] == "no-store"
    assert response.content.startswith(b"<svg")
    stranger = signed_in(county.user(Role.WELDER))
    assert stranger.get(f"/starts/{done.pk}/code.svg").status_code == 404
    assert stranger.get(f"/starts/{done.pk}").status_code == 404
    Start.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert client.get(f"/starts/{done.pk}/code.svg").status_code == 404
    assert "过期" in client.get(f"/starts/{done.pk}").content.decode()


def _expire(county, welder) -> None:
    Certificate.objects.update(valid_to=timezone.localdate() - timedelta(days=1))


def _review(county, welder) -> None:
    Certificate.objects.update(review_due=timezone.localdate() - timedelta(days=1))


def _forge(county, welder) -> None:
    Conflict.objects.create(
        kind="check_digit", source="mem", fingerprint="x", evidence="{}", certificate=Certificate.objects.get(),
        outcome="suspected_forged", note="x", decided=timezone.now(), decided_by=welder.user,
    )  # fmt: skip


def _mismatch(county, welder) -> None:
    Conflict.objects.create(
        kind="name", source="mem", fingerprint="x", evidence="{}", certificate=Certificate.objects.get()
    )


def _leave(county, welder) -> None:
    Person.objects.update(enterprise=county.there.enterprise)


REFUSALS = [
    (reasons.PLATFORM_MACHINE_OUT_OF_USE, lambda county, welder: Machine.objects.update(status="retired")),
    (reasons.PLATFORM_MACHINE_LOCKED, lambda county, welder: Machine.objects.update(status="locked")),
    (reasons.PLATFORM_NO_CHIP, lambda county, welder: county.here.machine.installs.all().delete()),
    (reasons.PLATFORM_PERSON_UNKNOWN, lambda county, welder: Person.objects.update(user=None)),
    (reasons.PLATFORM_PERSON_BARRED, lambda county, welder: Person.objects.update(barred="三次违章")),
    (reasons.PLATFORM_PERSON_MISMATCH, _mismatch),
    (reasons.PLATFORM_CERT_NOT_FOUND, lambda county, welder: Certificate.objects.all().delete()),
    (reasons.PLATFORM_CERT_NOT_FOUND, lambda county, welder: Certificate.objects.update(gone_since=date(2026, 1, 1))),
    (reasons.PLATFORM_CERT_EXPIRED, _expire),
    (reasons.PLATFORM_CERT_REVIEW_OVERDUE, _review),
    (reasons.PLATFORM_CERT_SUSPENDED, lambda county, welder: Certificate.objects.update(said="suspended")),
    (reasons.PLATFORM_CERT_REVOKED, lambda county, welder: Certificate.objects.update(said="revoked")),
    (reasons.PLATFORM_CERT_REVOKED, _forge),
    (reasons.PLATFORM_CERT_CLASS, lambda county, welder: SiteType.objects.update(domain="special")),
    (reasons.PLATFORM_CERT_ITEM, lambda county, welder: Machine.objects.update(process="brazing")),
    (reasons.PLATFORM_NOT_BOUND, _leave),
]


@pytest.mark.parametrize(("reason", "spoil"), REFUSALS, ids=lambda v: str(v) if isinstance(v, int) else "")
def test_refusal_tells_its_number_and_what_to_do_and_signs_nothing(welder, county, signed_in, reason, spoil) -> None:
    """On the page and in the log."""
    client = signed_in(welder.user)
    spoil(county, welder)

    done, page = _start(client, Machine.objects.get(pk=county.here.machine.pk)) if reason != 310 else (None, "")

    if reason == reasons.PLATFORM_PERSON_UNKNOWN:
        client.post(f"/m/{county.here.machine.code}/start")
        done, page = Start.objects.get(), client.get(f"/m/{county.here.machine.code}").content.decode()
    assert (done.reason, bytes(done.token), done.token_id) == (reason, b"", "")
    assert f">{reason}<" in page
    assert Entry.objects.filter(action="start.refuse").count() == 1
    assert not Entry.objects.filter(action="start.sign").exists()


def test_brazing_needs_its_sub_item(welder, county, signed_in) -> None:
    """A card for it starts such a machine."""
    Machine.objects.update(process="brazing")
    Certificate.objects.update(sub_item="钎焊作业")

    assert _start(signed_in(welder.user), county.here.machine)[0].reason == 0


def test_lent_machine_starts_until_the_loan_ends(welder, county) -> None:
    """And not before it begins."""
    Person.objects.update(enterprise=None)
    today = timezone.localdate()
    loan = Binding.objects.create(
        person=welder, machine=county.here.machine, kind="loan", begins=today, ends=today + timedelta(days=1)
    )

    assert ask(county.here.machine, welder.user, timezone.localtime()).reason == 0
    loan.begins, loan.ends = today - timedelta(days=9), today - timedelta(days=1)
    loan.save()

    assert ask(county.here.machine, welder.user, timezone.localtime()).reason == reasons.PLATFORM_NOT_BOUND


def test_token_ends_with_the_certificate(welder) -> None:
    """The issuer answers for its dates by the expiry it signs: midnight after its last day, in Shanghai."""
    certificate = Certificate.objects.get()
    now = timezone.localtime().replace(hour=20, minute=0, second=0, microsecond=0)

    certificate.valid_to = now.date()
    assert life_s(certificate, now) == 4 * 3600
    certificate.valid_to, certificate.review_due = now.date() + timedelta(days=9), now.date()
    assert life_s(certificate, now) == 4 * 3600
    certificate.review_due = None
    assert life_s(certificate, now) == LIFE_S


def test_pseudonym_changes_with_quarter_and_enterprise(welder, county) -> None:
    """So that frames cannot be strung together into somebody's whereabouts."""
    one = pseudonym(welder, date(2026, 11, 24))

    assert one == pseudonym(welder, date(2026, 10, 1))
    assert one != pseudonym(welder, date(2027, 1, 1))
    welder.enterprise = county.there.enterprise
    assert one != pseudonym(welder, date(2026, 11, 24))


def test_platform_without_keys_says_that_it_cannot_sign(welder, county, signed_in, settings, tmp_path) -> None:
    """Neither a folder that is not named nor one that is empty breaks the page."""
    for folder in (None, tmp_path):
        settings.PLATFORM_ISSUER = folder
        done, page = _start(signed_in(welder.user), county.here.machine)
        assert done.reason == reasons.PLATFORM_CANNOT_SIGN
        assert ">360<" in page


def test_scan_from_afar_is_warned_of(welder, county, signed_in) -> None:
    """With the phone's accuracy; nonsense is no position."""
    site = county.here.site
    site.latitude, site.longitude = 34.15, 113.47
    site.save()
    client = signed_in(welder.user)

    far, page = _start(client, county.here.machine, latitude="34.16", longitude="113.47", accuracy="20")
    near, _ = _start(client, county.here.machine, latitude="34.1501", longitude="113.47", accuracy="20")
    none, _ = _start(client, county.here.machine, latitude="nan", longitude="1", accuracy="x")

    assert (far.reason, far.warnings, round(far.distance_m)) == (0, [reasons.PLATFORM_REMOTE_SCAN], 1112)
    assert ">352<" in page
    assert near.warnings == none.warnings == []
    assert none.distance_m is None
    assert distance_to(county.there.site, 34, 113) is None


def test_token_is_sent_where_the_chip_has_a_collector_of_ours(welder, county, signed_in, settings) -> None:
    """And to nobody else's; without one the code is for the machine's scanner."""
    client = signed_in(welder.user)
    _start(client, county.here.machine)
    assert not Dispatch.objects.exists()
    Chip.objects.update(collector="site")
    _start(client, county.here.machine)
    assert not Dispatch.objects.exists()
    settings.PLATFORM_COLLECTORS = frozenset({"site"})

    done, page = _start(client, county.here.machine)

    sent = Dispatch.objects.get()
    assert (sent.start, sent.order_id, sent.collector, sent.device) == (done, done.token_id, "site", 0x10)
    assert bytes(sent.object) == bytes(done.token)
    assert "正在送往采集器" in page
