"""Looks at what stands around a collector: its certificate, and the unit by which systemd runs it."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from weldgate_tools.finding import BAD, GOOD, NOTE, Finding
from weldgate_tools.site import Site

__all__ = ["examine_certificate", "examine_unit"]

UNITS = Path("/etc/systemd/system")
BOOTED = Path("/run/systemd/system")  # sd_booted(3)
_CERTIFICATE_LOW_DAYS = 30
_DAY_S = 86_400
_SYSTEMCTL_S = 10.0


def examine_certificate(site: Site) -> Iterator[Finding]:
    """Look at when the certificate of the TLS link ends: every chip on it is turned away then."""
    from weldgate_collector import load_config

    config = load_config(site.checked().config)
    if config.tls is None:
        return
    from cryptography import x509

    path = config.path(config.tls.certificate_file)
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError as error:
        yield Finding("certificate", BAD, f"{path}: {error}", "put a certificate there, PEM")
        return
    days = int((certificate.not_valid_after_utc.timestamp() - time.time()) // _DAY_S)
    early = certificate.not_valid_before_utc.timestamp() > time.time()
    bad = days < _CERTIFICATE_LOW_DAYS or early
    yield Finding(
        "certificate",
        BAD if bad else GOOD,
        f"{path}: {'not valid yet, or the clock is wrong' if early else f'{days} days left'}",
        "write a new one over it, and its key; they are taken up without a restart" if bad else "",
    )


def examine_unit(site: Site) -> Iterator[Finding]:
    """Look for a systemd unit that runs this collector, and at what systemd says of it."""
    from weldgate_collector import load_config

    config = load_config(site.checked().config)
    name = str(site.config.absolute())
    found = [path for path in sorted(UNITS.glob("*.service")) if name in _plain(path)]
    if not found:
        make = f"weldgate collector units {site.folder} > {UNITS}/weldgate-collector.service"
        yield Finding("unit", NOTE, "no systemd unit runs this collector", make)
        return
    path = found[0]
    data = str(config.data_dir.absolute())
    writes = [line for line in _plain(path).splitlines() if line.startswith("ReadWritePaths=")]
    if writes and not any(data in line for line in writes):
        again = f"weldgate collector units {site.folder} > {path}, then systemctl daemon-reload"
        yield Finding("unit", BAD, f"{path} lets the collector write elsewhere than {data}", again)
        return
    if not BOOTED.is_dir():
        yield Finding("unit", NOTE, f"{path} is there, and systemd does not run this machine", "start it by hand")
        return
    state = _state(path.name)
    yield Finding(
        "unit",
        GOOD if state == "active" else BAD,
        f"{path.name} is {state}",
        "" if state == "active" else f"systemctl status {path.name}; systemctl enable --now {path.name}",
    )


def _plain(path: Path) -> str:
    """Return a unit as systemd understands it, without its quotes and doubled percent signs."""
    try:
        return path.read_text("utf-8").replace("%%", "%").replace('\\"', '"')
    except (OSError, UnicodeDecodeError):
        return ""  # somebody else's, which we may not read


def _state(name: str) -> str:
    command = ["systemctl", "is-active", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SYSTEMCTL_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"unknown: {error}"
    return done.stdout.strip() or f"unknown: {done.stderr.strip()}"
