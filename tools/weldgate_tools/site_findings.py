"""Looks at a site's folder and at what runs there, for `weldgate doctor`."""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from weldgate_protocol.errors import WeldgateError
from weldgate_protocol.reason_texts import TEXTS
from weldgate_tools.finding import BAD, GOOD, NOTE, Finding
from weldgate_tools.key_set_findings import KEYS_LOW_DAYS, examine_key_sets
from weldgate_tools.output import language
from weldgate_tools.running_findings import examine_running
from weldgate_tools.service_findings import examine_certificate, examine_unit
from weldgate_tools.site import Site
from weldgate_tools.units import seconds_text

__all__ = ["examine_site"]

DISK_LOW_BYTES = 1 << 30
RECEIPT_LATE_S = 600  # a platform that is there answers within seconds
_DAY_S = 86_400


def examine_site(site: Site) -> Iterator[Finding]:
    """Look at a site's folder and at what runs there."""
    looks: tuple[tuple[str, Callable[[Site], Iterator[Finding]]], ...] = (
        ("keys", _keys),
        ("configuration", _configuration),
        ("chips", _chips),
        ("file modes", _modes),
        ("disk", _disk),
        ("certificate", examine_certificate),
        ("unit", examine_unit),
        ("store", _store),
        ("chips' key sets", examine_key_sets),
        ("collector", examine_running),
    )
    for what, look in looks:
        yield from _guarded(what, look, site)


def _guarded(what: str, look: Callable[[Site], Iterator[Finding]], site: Site) -> Iterator[Finding]:
    """Turn what goes wrong while looking into a finding of its own."""
    try:
        yield from look(site)
    except ModuleNotFoundError as error:
        name = (error.name or "a package").partition(".")[0]
        yield Finding(what, NOTE, f"can't be looked at: {name} is not installed", "pip install 'weldgate[tools]'")
    except WeldgateError as error:
        text = TEXTS.get(error.code)
        step = text[3 if language() == "zh" else 4] if text is not None else "mend it and ask again"
        yield Finding(what, BAD, f"{error.message} ({error.code})", step)
    except OSError as error:
        yield Finding(what, BAD, str(error), "mend it and ask again")


def _keys(site: Site) -> Iterator[Finding]:
    from weldgate_issuer import Issuer
    from weldgate_protocol import keyset

    if not site.issuer.is_dir():
        yield Finding("keys", NOTE, "no issuer here: this machine can't sign")
        return
    issuer = Issuer.open(site.issuer)
    now_s = time.time()
    days = int((min(key.expires_s for key in issuer.index.keys.values()) - now_s) // _DAY_S)
    low = days < KEYS_LOW_DAYS
    yield Finding("issuer keys", BAD if low else GOOD, f"{days} days left", "draw new keys" if low else "")
    if site.key_set.is_file():
        left = int((keyset.decode(site.key_set.read_bytes()).expires_s - now_s) // _DAY_S)
        low = left < KEYS_LOW_DAYS
        step = f"weldgate order key-set --site {site.folder} --all --send" if low else ""
        yield Finding("key set", BAD if low else GOOD, f"{left} days left", step)
    if "offline" in issuer.roots:
        yield Finding(
            "offline root", NOTE, "lies beside the others", "move issuer/root-offline.pem to a safe; the rest works"
        )


def _configuration(site: Site) -> Iterator[Finding]:
    from weldgate_collector import check

    check(site.checked().config)
    yield Finding("configuration", GOOD, str(site.config))


def _chips(site: Site) -> Iterator[Finding]:
    from weldgate_collector import list_chips, load_config

    path = load_config(site.checked().config).chips_file
    count = len(list_chips(path)) if path.exists() else 0
    step = "" if count else f"weldgate collector chips add NUMBER --site {site.folder}"
    yield Finding("chips", GOOD if count else NOTE, f"{count} known", step)


def _modes(site: Site) -> Iterator[Finding]:
    wide = [
        path
        for path in [
            site.key,
            site.chips_file,
            site.issuer / "root.secret",
            *site.issuer.glob("*.pem"),
            *site.images.glob("*.flash"),
        ]
        if path.exists() and path.stat().st_mode & 0o077
    ]
    yield Finding(
        "file modes",
        BAD if wide else GOOD,
        ", ".join(f"{path} is open to others" for path in wide) or "secrets are the owner's alone",
        "chmod 600 " + " ".join(map(str, wide)) if wide else "",
    )


def _disk(site: Site) -> Iterator[Finding]:
    """Look at the disk that the store is on, which need not be the site's."""
    from weldgate_collector import load_config

    data = load_config(site.config).data_dir if site.config.is_file() else site.folder
    place = next(folder for folder in (data, *data.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(place).free
    low = free < DISK_LOW_BYTES
    yield Finding(
        "disk",
        BAD if low else GOOD,
        f"{free / (1 << 30):.1f} GiB free at {place}",
        "make room: a full disk holds acks back" if low else "",
    )


def _store(site: Site) -> Iterator[Finding]:
    """Look at the store's size, and at how long each upstream's receipts have been missing."""
    from weldgate_collector import Reader, is_store, load_config

    config = load_config(site.checked().config)
    if not is_store(config.data_dir):
        yield Finding("store", NOTE, "none yet", f"weldgate serve {site.folder} makes it")
        return
    with Reader(config.data_dir) as reader:
        rows = reader.last_index()
        size = _size(segment.path for segment in reader.segments())
        receipted = {name: last for name, _through, last in reader.cursors()}
        aside = reader.aside()
        waiting = {
            upstream.name: next(reader.rows(receipted.get(upstream.name, 0) + 1, rows), None)
            for upstream in config.upstream
        }
    yield Finding("store", GOOD, f"{rows} rows, {size}")
    for name, row in waiting.items():
        age_s = max(0, round(time.time() - row[1] / 1000)) if row is not None else 0
        late = age_s > RECEIPT_LATE_S
        yield Finding(
            f"receipts {name}",
            NOTE if late else GOOD,
            f"the oldest row without one is {seconds_text(age_s)} old" if row is not None else "for every row",
            "nothing is lost, but somebody must take it: a platform, or `weldgate serve --consumer`" if late else "",
        )

    yield _aside(site, aside)


def _aside(site: Site, aside: list[Any]) -> Finding:
    """Tell of records that an upstream would not take."""
    counts = Counter(one.upstream for one in aside)
    return Finding(
        "set aside",
        BAD if aside else GOOD,
        ", ".join(f"{count} of {name}, last: {_last(aside, name)}" for name, count in counts.items())
        or "no upstream refused a record",
        f"weldgate store aside {site.folder} shows them; mend the map or tell the platform" if aside else "",
    )


def _last(aside: list[Any], name: str) -> str:
    newest = max((one for one in aside if one.upstream == name), key=lambda one: int(one.at_ms))
    return str(newest.reason)


def _size(paths: Iterable[Path]) -> str:
    """Return the size of a store's segments and their logs."""
    files = [file for path in paths for file in (path, path.with_name(path.name + "-wal"))]
    return f"{sum(file.stat().st_size for file in files if file.exists()) / (1 << 20):.1f} MiB"
