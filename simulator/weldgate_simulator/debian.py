"""Unpacks Debian trixie's MicroPython privately, so that no machine needs it installed.

Theory of operation: read the machine's own apt sources, keep Debian's main suites and swap only their name for
`trixie`, run apt with lists, cache and state in a private folder (signatures verify as on any other day, with the
machine's own keyrings), unpack the few packages that an interpreter needs, try it, rename the whole into place.
A stamp holds the SHA-256 of every file; an unpack that differs from its stamp is thrown away and fetched again.
What could not be had is remembered for an hour, so that a machine without network is not asked again and again.

Decides what is fetched and whether it is whole; `interpreter` decides what is run. Nothing here raises: the
outcome is a folder, or one sentence why not.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from weldgate_simulator.debian_sources import SUITE, read_sources

__all__ = ["PACKAGES", "default_cache", "unpack"]

PACKAGES = ("micropython", "libc6", "libffi8", "libmbedcrypto16", "libmbedtls21", "libmbedx509-7")
RETRY_AFTER_S = 3600  # a failed fetch is not tried again before this
LOCK_WAIT_S = 300  # the longest another run may take over its fetch
APT_TIMEOUT_S = 240
_STAMP = "complete.json"


class _NotHadError(Exception):
    """One sentence why the package cannot be had; never leaves this module."""


def default_cache() -> Path:
    """Return the folder that keeps what was fetched: outside the checkout, so that `make clean` does not cost it.

    Returns:
        `$XDG_CACHE_HOME/weldgate`, or `~/.cache/weldgate` where that variable is unset.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "weldgate"


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
        cache: where to keep it; `default_cache()` when None.
        etc: the folder that holds `apt/` and `os-release`.
        fetch: whether the network may be used.

    Returns:
        The folder and "", or None and one sentence why not.
    """
    place = (cache or default_cache()) / f"micropython-{SUITE}-{architecture}"
    if _is_whole(place):
        return place, ""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with _locked(place.with_name(place.name + ".lock")):
            return _unpack_alone(architecture, place, etc, works, fetch), ""
    except _NotHadError as reason:
        return None, f"Debian's micropython for {architecture} could not be had: {reason}"
    except OSError as e:
        return None, f"Debian's micropython for {architecture} could not be kept in {place.parent}: {e.strerror or e}"


def _unpack_alone(architecture: str, place: Path, etc: Path, works: Callable[[Path], bool], fetch: bool) -> Path:
    """Fetch under the lock, unless the other run that held it has done so."""
    if _is_whole(place):
        return place
    note = place.with_name(place.name + ".missing")
    _raise_if_missed_lately(note)
    if not fetch:
        raise _NotHadError("it is not unpacked yet and fetching was not asked for")
    work = Path(tempfile.mkdtemp(prefix=".fetch-", dir=place.parent))
    try:
        root = work / "root"
        _fetch(architecture, work, root, etc)
        _raise_unless(works(root), "it was unpacked, but does not start on this machine")
        _write_stamp(root)
        if place.exists():  # damaged: moved aside first, so that no half-removed folder is ever found here
            place.rename(work / "damaged")
        root.rename(place)
    except _NotHadError as reason:
        note.write_text(str(reason), encoding="utf-8")
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    note.unlink(missing_ok=True)
    return place


def _raise_unless(holds: bool, reason: str) -> None:
    """Raise `reason` unless the condition holds."""
    if not holds:
        raise _NotHadError(reason)


def _raise_if_missed_lately(note: Path) -> None:
    """Raise the remembered reason when the last failed fetch is younger than `RETRY_AFTER_S`."""
    try:
        age_s = time.time() - note.stat().st_mtime
        reason = note.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    if 0 <= age_s < RETRY_AFTER_S:
        raise _NotHadError(f"{reason} (tried {int(age_s // 60)} min ago; remove {note} to try again now)")


def _fetch(architecture: str, work: Path, root: Path, etc: Path) -> None:
    """Download the packages with apt and unpack what the interpreter needs into `root`.

    Raises:
        _NotHadError: no apt, no Debian, no source, a failed download or a failed unpack.
    """
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise _NotHadError(f"{tool} is not on this machine")
    options = _configure(architecture, work, etc)
    update = _call(["apt-get", *options, "update"], work)
    debs = work / "debs"
    debs.mkdir()
    download = _call(["apt-get", *options, "download", *(f"{name}:{architecture}" for name in PACKAGES)], debs)
    if download.returncode != 0:
        # Without its index the package cannot be located: then what went wrong stands in the update's words.
        raise _NotHadError(
            _complaint(update.stderr) or _complaint(download.stderr) or "apt-get failed and gave no reason"
        )
    root.mkdir()
    for deb in sorted(debs.glob("*.deb")):
        if _call(["dpkg-deb", "-x", str(deb), str(root)], work).returncode != 0:
            raise _NotHadError(f"dpkg-deb could not unpack {deb.name}")
    shutil.rmtree(root / "usr" / "share", ignore_errors=True)
    for unused in root.glob("usr/lib/*/gconv"):
        shutil.rmtree(unused)


def _configure(architecture: str, work: Path, etc: Path) -> list[str]:
    """Write apt's private settings and sources into `work` and return the options that select them."""
    sources = read_sources(etc)
    if not sources:
        raise _NotHadError("this machine's apt sources name no Debian main archive")
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


def _call(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run one command in `folder` with its words in English."""
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=APT_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _NotHadError(f"{command[0]} took longer than {APT_TIMEOUT_S} s") from None


def _complaint(stderr: str) -> str:
    """Return apt's first error in one line, or its first failed download (a warning, when there is no network)."""
    lines = stderr.splitlines()
    errors = [line[2:].strip() for line in lines if line.startswith("E:")]
    errors += [line[2:].strip() for line in lines if line.startswith("W: Failed to fetch")]
    return errors[0][:300] if errors else ""


def _digests(root: Path) -> dict[str, str]:
    """Return relative path → SHA-256 for every regular file below `root` but the stamp."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink())
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.name != _STAMP
    }


def _write_stamp(root: Path) -> None:
    """Record what a whole unpack looks like."""
    (root / _STAMP).write_text(json.dumps(_digests(root)), encoding="utf-8")


def _is_whole(root: Path) -> bool:
    """Say whether every file below `root` is as its stamp says."""
    try:
        stamp = json.loads((root / _STAMP).read_text(encoding="utf-8"))
        return bool(stamp) and stamp == _digests(root)
    except (OSError, ValueError):
        return False


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock file; the kernel lets go of it when the holder dies."""
    with path.open("w") as file:
        deadline = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise _NotHadError(f"another run has held {path} for {LOCK_WAIT_S} s") from None
                time.sleep(0.1)
        yield
