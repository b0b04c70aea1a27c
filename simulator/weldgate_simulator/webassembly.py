"""Fetches MicroPython's WebAssembly port from npm: a 32-bit build wherever Node runs.

Its integers are small up to 31 bits, as on the chip, which is what it is wanted for. npm verifies what it fetches
against the registry, and the SHA-256 here says that it is the very file these suites were first run in. Decides what
is fetched and how it is started; `fetched` keeps it. The port has no sockets and its heap has no limit.
"""

import hashlib
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

from weldgate_simulator import fetched
from weldgate_simulator.fetched import NotHadError, call

__all__ = ["command", "unpack"]

PACKAGE = "@micropython/micropython-webassembly-pyscript"
VERSION = "1.27.0"
SHA256 = "303919763c8ebfe5923b9da66226c20dce44ad72b604b225fb39338ea15367af"
NODE_MAJOR = 16  # what the port asks for
NPM_TIMEOUT_S = 120
_SCRIPT = Path(__file__).with_name("micropython_wasm.mjs")


def command(root: Path) -> list[str]:
    """Return the command line that starts what `unpack` returned, as the Unix port is started."""
    return [shutil.which("node") or "node", str(_SCRIPT), str(root)]


def unpack(*, works: Callable[[Path], bool], cache: Path | None = None, fetch: bool = True) -> tuple[Path | None, str]:
    """Return the folder of the port, fetching it when it is not there or not whole.

    Args:
        works: says whether what was freshly unpacked starts.
        cache: where to keep it; `fetched.default_cache()` when None.
        fetch: whether the network may be used.

    Returns:
        The folder and "", or None and one sentence why not.
    """
    node = shutil.which("node")
    if node is None:
        return None, f"MicroPython for WebAssembly could not be had: it runs in Node ≥ {NODE_MAJOR}, and there is none"
    return fetched.keep(
        "MicroPython for WebAssembly",
        (cache or fetched.default_cache()) / f"micropython-wasm-{VERSION}",
        lambda work, root: _fetch(node, work, root),
        works=works,
        fetch=fetch,
    )


def _fetch(node: str, work: Path, root: Path) -> None:
    """Fetch the package by name and unpack it.

    Raises:
        NotHadError: an old Node, no npm, nothing fetched, or another file than the one that is known.
    """
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    if int(version.lstrip("v").partition(".")[0] or 0) < NODE_MAJOR:
        raise NotHadError(f"Node {version or 'does not start'}, at least {NODE_MAJOR} is needed")
    npm = shutil.which("npm")
    if npm is None:
        raise NotHadError("npm is not on this machine")
    done = call([npm, "pack", "--silent", f"{PACKAGE}@{VERSION}"], work, NPM_TIMEOUT_S)
    archives = list(work.glob("*.tgz"))
    if done.returncode != 0 or len(archives) != 1:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise NotHadError(lines[0][:300] if lines else f"npm ended with {done.returncode} and gave no reason")
    if hashlib.sha256(archives[0].read_bytes()).hexdigest() != SHA256:
        raise NotHadError(f"{archives[0].name} is not the file that is known by this name")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(work / "unpacked", filter="data")
    (work / "unpacked" / "package").rename(root)
