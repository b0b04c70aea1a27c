"""Keeps what was fetched once: whole or not at all, shared by all runs of this machine, usable without network.

What is fetched is unpacked beside its place, tried, and renamed into it under a lock. A stamp holds the SHA-256 of
every file; what differs from its stamp is thrown away and fetched again. What could not be had is remembered for an
hour, so that a machine without network is not asked again and again. Nothing here raises but `NotHadError` to those
who fetch: the outcome is a folder, or one sentence why not.
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

__all__ = ["NotHadError", "call", "default_cache", "keep"]

RETRY_AFTER_S = 3600  # a failed fetch is not tried again before this
LOCK_WAIT_S = 300  # the longest another run may take over its fetch
_STAMP = "complete.json"


class NotHadError(Exception):
    """One sentence why it cannot be had; `keep` turns it into its answer."""


def default_cache() -> Path:
    """Return the folder that keeps what was fetched: outside the checkout, so that `make clean` does not cost it.

    Returns:
        `$XDG_CACHE_HOME/weldgate`, or `~/.cache/weldgate` where that variable is unset.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "weldgate"


def keep(
    label: str,
    place: Path,
    obtain: Callable[[Path, Path], None],
    *,
    works: Callable[[Path], bool],
    fetch: bool = True,
) -> tuple[Path | None, str]:
    """Return `place` with what belongs there, obtaining it when it is not there or not whole.

    Args:
        label: what it is, for the sentence.
        place: the folder.
        obtain: given a work folder, makes the folder that is its second argument; raises `NotHadError`.
        works: says whether what was freshly obtained starts.
        fetch: whether the network may be used.

    Returns:
        The folder and "", or None and one sentence why not.
    """
    if _is_whole(place):
        return place, ""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with _locked(place.with_name(place.name + ".lock")):
            return _keep_alone(place, obtain, works, fetch), ""
    except NotHadError as reason:
        return None, f"{label} could not be had: {reason}"
    except OSError as e:
        return None, f"{label} could not be kept in {place.parent}: {e.strerror or e}"


def _keep_alone(place: Path, obtain: Callable[[Path, Path], None], works: Callable[[Path], bool], fetch: bool) -> Path:
    """Fetch under the lock, unless the other run that held it has done so."""
    if _is_whole(place):
        return place
    note = place.with_name(place.name + ".missing")
    _raise_if_missed_lately(note)
    if not fetch:
        raise NotHadError("it is not unpacked yet and fetching was not asked for")
    work = Path(tempfile.mkdtemp(prefix=".fetch-", dir=place.parent))
    try:
        root = work / "root"
        obtain(work, root)
        _raise_unless(works(root), "it was unpacked, but does not start on this machine")
        _write_stamp(root)
        if place.exists():  # damaged: moved aside first, so that no half-removed folder is ever found here
            place.rename(work / "damaged")
        root.rename(place)
    except NotHadError as reason:
        note.write_text(str(reason), encoding="utf-8")
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    note.unlink(missing_ok=True)
    return place


def _raise_unless(holds: bool, reason: str) -> None:
    """Raise `reason` unless the condition holds."""
    if not holds:
        raise NotHadError(reason)


def _raise_if_missed_lately(note: Path) -> None:
    """Raise the remembered reason when the last failed fetch is younger than `RETRY_AFTER_S`."""
    try:
        age_s = time.time() - note.stat().st_mtime
        reason = note.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    if 0 <= age_s < RETRY_AFTER_S:
        raise NotHadError(f"{reason} (tried {int(age_s // 60)} min ago; remove {note} to try again now)")


def call(command: list[str], folder: Path, timeout_s: float) -> subprocess.CompletedProcess[str]:
    """Run one command in `folder` with its words in English.

    Raises:
        NotHadError: it took too long.
    """
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotHadError(f"{command[0]} took longer than {timeout_s:.0f} s") from None


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
                    raise NotHadError(f"another run has held {path} for {LOCK_WAIT_S} s") from None
                time.sleep(0.1)
        yield
