"""Unpacks Debian trixie's MicroPython privately, so that no machine needs it installed.

Theory of operation: read the machine's own apt sources, keep Debian's main suites and swap only their name for
`trixie`, run apt with lists, cache and state in a private folder (signatures verify as on any other day, with the
machine's own keyrings), unpack the few packages that an interpreter needs.

Decides what is fetched; `fetched` keeps it, `interpreter` decides what is run. Nothing here raises: the outcome is a
folder, or one sentence why not.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from weldgate_simulator import fetched
from weldgate_simulator.debian_sources import SUITE, read_sources
from weldgate_simulator.fetched import NotHadError, call

__all__ = ["PACKAGES", "unpack"]

PACKAGES = ("micropython", "libc6", "libffi8", "libmbedcrypto16", "libmbedtls21", "libmbedx509-7")
APT_TIMEOUT_S = 240


def unpack(
    architecture: str,
    *,
    works: Callable[[Path], bool],
    cache: Path | None = None,
    etc: Path = Path("/etc"),
    fetch: bool = True,
) -> tuple[Path | None, str]:
    """Return a folder with Debian's MicroPython for `architecture`, fetching it when it is not there or not whole.

    Args:
        architecture: Debian's name of it, `amd64` or `i386`.
        works: says whether the interpreter in a freshly unpacked folder starts.
        cache: where to keep it; `fetched.default_cache()` when None.
        etc: the folder that holds `apt/` and `os-release`.
        fetch: whether the network may be used.

    Returns:
        The folder and "", or None and one sentence why not.
    """
    return fetched.keep(
        f"Debian's micropython for {architecture}",
        (cache or fetched.default_cache()) / f"micropython-{SUITE}-{architecture}",
        lambda work, root: _fetch(architecture, work, root, etc),
        works=works,
        fetch=fetch,
    )


def _fetch(architecture: str, work: Path, root: Path, etc: Path) -> None:
    """Download the packages with apt and unpack what the interpreter needs into `root`.

    Raises:
        NotHadError: no apt, no Debian, no source, a failed download or a failed unpack.
    """
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise NotHadError(f"{tool} is not on this machine")
    options = _configure(architecture, work, etc)
    update = call(["apt-get", *options, "update"], work, APT_TIMEOUT_S)
    debs = work / "debs"
    debs.mkdir()
    download = call(
        ["apt-get", *options, "download", *(f"{name}:{architecture}" for name in PACKAGES)], debs, APT_TIMEOUT_S
    )
    if download.returncode != 0:
        # Without its index the package cannot be located: then what went wrong stands in the update's words.
        raise NotHadError(
            _complaint(update.stderr) or _complaint(download.stderr) or "apt-get failed and gave no reason"
        )
    root.mkdir()
    for deb in sorted(debs.glob("*.deb")):
        if call(["dpkg-deb", "-x", str(deb), str(root)], work, APT_TIMEOUT_S).returncode != 0:
            raise NotHadError(f"dpkg-deb could not unpack {deb.name}")
    shutil.rmtree(root / "usr" / "share", ignore_errors=True)
    for unused in root.glob("usr/lib/*/gconv"):
        shutil.rmtree(unused)


def _configure(architecture: str, work: Path, etc: Path) -> list[str]:
    """Write apt's private settings and sources into `work` and return the options that select them."""
    sources = read_sources(etc)
    if not sources:
        raise NotHadError("this machine's apt sources name no Debian main archive")
    for folder in ("lists/partial", "cache/archives/partial", "empty", "sources"):
        (work / folder).mkdir(parents=True)
    (work / "status").touch()
    (work / "sources" / "trixie.sources").write_text("\n\n".join(sources) + "\n", encoding="utf-8")
    settings = work / "apt.conf"
    settings.write_text(
        "#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n"  # the machine's hooks
        f'#clear APT::Architectures;\nAPT::Architecture "{architecture}";\nAPT::Architectures {{"{architecture}";}};\n'
        # The private folder need not be readable to apt's own user; what is fetched is verified all the same.
        'APT::Sandbox::User "";\n'
        'APT::Get::AllowUnauthenticated "false";\nAcquire::AllowInsecureRepositories "false";\n'
        'Acquire::Languages "none";\nAcquire::Retries "1";\nAcquire::http::Timeout "20";\n'
        f'Dir::State "{work}";\nDir::State::lists "{work}/lists";\nDir::State::status "{work}/status";\n'
        f'Dir::Cache "{work}/cache";\nDir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "{work}/sources";\n'
        f'Dir::Etc::preferences "/dev/null";\nDir::Etc::preferencesparts "{work}/empty";\n',
        encoding="utf-8",
    )
    return ["-q", "-c", str(settings)]


def _complaint(stderr: str) -> str:
    """Return apt's first error in one line, or its first failed download (a warning, when there is no network)."""
    lines = stderr.splitlines()
    errors = [line[2:].strip() for line in lines if line.startswith("E:")]
    errors += [line[2:].strip() for line in lines if line.startswith("W: Failed to fetch")]
    return errors[0][:300] if errors else ""
