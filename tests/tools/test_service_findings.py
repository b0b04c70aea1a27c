"""What `weldgate doctor` says of a collector's certificate and of its unit, and of the machine's time."""

import datetime
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from weldgate_simulator.certificates import Authority
from weldgate_tools import doctor, service_findings
from weldgate_tools.finding import BAD, GOOD, NOTE, Finding
from weldgate_tools.service_findings import examine_certificate, examine_unit
from weldgate_tools.site import Site

Run = Callable[..., Result]


@pytest.fixture
def site(run: Run, tmp_path: Path) -> Site:
    """A new site."""
    run("init", tmp_path / "a site 100%", "--chips", 1)
    return Site(tmp_path / "a site 100%")


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for systemd's, on a machine that it runs."""
    folder = tmp_path / "units"
    folder.mkdir()
    monkeypatch.setattr(service_findings, "UNITS", folder)
    monkeypatch.setattr(service_findings, "BOOTED", folder)
    return folder


def _unit(run: Run, site: Site, units: Path) -> Path:
    path = units / "weldgate-collector.service"
    path.write_text(run("collector", "units", site.folder, "--program", "/bin/weldgate").stdout, "utf-8")
    return path


def test_site_without_tls_has_no_certificate(site: Site) -> None:
    """Nothing is said of what is not there."""
    assert list(examine_certificate(site)) == []


@pytest.mark.parametrize(
    ("days", "state", "text"), [(0, GOOD, "days left"), (400, BAD, "days left"), (-400, BAD, "not valid yet")]
)
def test_certificate_is_told_before_it_ends(
    site: Site, monkeypatch: pytest.MonkeyPatch, days: int, state: str, text: str
) -> None:
    """Chips would be turned away all at once on the day after."""
    certificate, key = Authority(site.folder).issue("collector")
    with site.config.open("a", encoding="utf-8") as file:
        file.write(f'\n[tls]\ncertificate_file = "{certificate.name}"\nkey_file = "{key.name}"\n')
    monkeypatch.setattr(service_findings, "_CERTIFICATE_LOW_DAYS", 0)
    now_s = datetime.datetime.now(datetime.UTC).timestamp() + days * 86_400
    monkeypatch.setattr("time.time", lambda: now_s)
    (one,) = examine_certificate(site)

    assert one.state == state
    assert text in one.found
    assert bool(one.do) == (state == BAD)


def test_file_that_is_no_certificate(site: Site) -> None:
    """Bad, and named."""
    (site.folder / "c.pem").write_text("no certificate", "utf-8")
    with site.config.open("a", encoding="utf-8") as file:
        file.write('\n[tls]\ncertificate_file = "c.pem"\nkey_file = "c.pem"\n')
    (one,) = examine_certificate(site)

    assert (one.state, "c.pem" in one.found) == (BAD, True)


def test_no_unit_is_a_note(site: Site, units: Path) -> None:
    """With the command that makes one; a unit of another collector is none of ours."""
    (units / "other.service").write_text("ExecStart=/bin/weldgate collector run /srv/other.toml\n", "utf-8")
    (one,) = examine_unit(site)

    assert (one.state, "weldgate collector units" in one.do) == (NOTE, True)


@pytest.mark.parametrize(("said", "state"), [("active", GOOD), ("failed", BAD), ("activating", BAD)])
def test_unit_is_found_and_asked_for(
    run: Run, site: Site, units: Path, monkeypatch: pytest.MonkeyPatch, said: str, state: str
) -> None:
    """Whatever signs its paths have."""
    _unit(run, site, units)
    monkeypatch.setattr(service_findings, "_state", lambda _name: said)
    (one,) = examine_unit(site)

    assert one.state == state
    assert said in one.found


def test_unit_of_a_moved_store_is_bad(run: Run, site: Site, units: Path) -> None:
    """The file system would be read-only for it."""
    _unit(run, site, units)
    text = site.config.read_text("utf-8")
    site.config.write_text(re.sub(r"(?m)^data_dir = .*$", 'data_dir = "/srv/elsewhere"', text), "utf-8")
    (one,) = examine_unit(site)

    assert one.state == BAD
    assert "/srv/elsewhere" in one.found


def test_unit_on_a_machine_that_systemd_does_not_run(
    run: Run, site: Site, units: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container, most often."""
    _unit(run, site, units)
    monkeypatch.setattr(service_findings, "BOOTED", units / "nowhere")
    (one,) = examine_unit(site)

    assert one.state == NOTE


def test_systemctl_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As unknown, with why."""
    monkeypatch.setenv("PATH", "/nowhere")

    assert service_findings._state("x.service").startswith("unknown")


@pytest.mark.parametrize(
    ("kept", "now_s", "state"),
    [
        (True, 1_800_000_000, GOOD),
        (None, 1_800_000_000, GOOD),
        (False, 1_800_000_000, NOTE),
        (True, 2**32, BAD),
        (True, 0, BAD),
    ],
)
def test_clock(monkeypatch: pytest.MonkeyPatch, kept: bool | None, now_s: int, state: str) -> None:
    """Its time, and whether somebody keeps it right."""
    monkeypatch.setattr("time.time", lambda: float(now_s))
    monkeypatch.setattr(doctor, "_time_is_kept", lambda: kept)
    one: Finding = doctor._clock()

    assert one.state == state
    assert bool(one.do) == (state != GOOD)


def test_kernel_says_whether_time_is_kept() -> None:
    """Yes, no, or that it can't be asked; whatever it is here, it is one of them."""
    assert doctor._time_is_kept() in (True, False, None)
