"""Reads the machine's own apt sources and swaps Debian's release for the one that packages MicroPython.

Decides which archives are Debian's: suites of the machine's own release with a `main` component. No host is written
down here or anywhere else: whichever mirror the machine uses is asked.
"""

import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["SUITE", "read_sources"]

SUITE = "trixie"  # Debian 13, the release that packages MicroPython 1.25
_SUITES_KEPT = ("", "-updates", "-security")


def read_sources(etc: Path) -> list[str]:
    """Return the machine's Debian main archives as deb822 stanzas with the suite swapped for `SUITE`.

    Only `URIs` and `Signed-By` are taken over: `Trusted` and the like would switch verification off.

    Args:
        etc: the folder that holds `apt/` and `os-release`.

    Returns:
        One stanza an archive, none when this is no Debian or no archive is of its own release.
    """
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', _text(etc / "os-release"), re.MULTILINE))
    if release.get("ID") != "debian":
        return []
    codename = release.get("VERSION_CODENAME", "")
    suites = {codename + tail: SUITE + tail for tail in _SUITES_KEPT if codename}
    parts = etc / "apt" / "sources.list.d"
    lists = [etc / "apt" / "sources.list", *sorted(parts.glob("*.list"))]
    found = [entry for path in lists for entry in _one_line_entries(_text(path))]
    found += [entry for path in sorted(parts.glob("*.sources")) for entry in _deb822_entries(_text(path))]
    stanzas = []
    for uris, named, components, signed_by in found:
        swapped = [suites[suite] for suite in named if suite in suites]
        if swapped and "main" in components:
            stanza = f"Types: deb\nURIs: {uris}\nSuites: {' '.join(swapped)}\nComponents: main"
            stanzas.append(stanza + (f"\nSigned-By: {signed_by}" if signed_by else ""))
    return stanzas


_Entry = tuple[str, list[str], list[str], str]  # URIs, suites, components, Signed-By


def _one_line_entries(text: str) -> Iterator[_Entry]:
    """Yield the binary archives of a `sources.list`."""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]*)", line)
        if match:
            signed = re.search(r"signed-by=(\S+)", match[1] or "")
            yield match[2], [match[3]], match[4].split(), signed[1].replace(",", " ") if signed else ""


def _deb822_entries(text: str) -> Iterator[_Entry]:
    """Yield the enabled binary archives of a `.sources` file; a multi-line key in Signed-By is kept as it is."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", lines):
        pairs = re.findall(r"^([\w-]+):[ \t]*(.*(?:\n[ \t]+.*)*)", stanza, re.MULTILINE)
        fields = {name.lower(): value.strip() for name, value in pairs}
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() != "no":
            uris = " ".join(fields.get("uris", "").split())
            yield (
                uris,
                fields.get("suites", "").split(),
                fields.get("components", "").split(),
                fields.get("signed-by", ""),
            )


def _text(path: Path) -> str:
    """Return a file's text, or "" where there is none to read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
