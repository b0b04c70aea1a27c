"""Finds the real MicroPython and runs programs in it.

Decides which interpreters there are, in this order: `$MICROPYTHON`, `micropython` ≥ 1.25 on PATH, a private unpack
of Debian's package (`debian`), the `micropython` extra's wheel, and for the suites a 32-bit one: Debian's, else the
WebAssembly port from npm (`webassembly`).
What they run is compiled by `build`; what they are fed is the caller's business. What is missing is told to the
caller in one sentence each and is never an exception: `find()` then returns None and the caller decides.
"""

import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from weldgate_simulator import debian, webassembly

__all__ = ["MINIMUM_VERSION", "Interpreter", "find", "find_all", "main", "probe"]

MINIMUM_VERSION = (1, 25, 0)
NPM = "npm"  # where the WebAssembly port comes from
CHIP_HEAP = "128wk"  # 128 k words: on 64 bits an object takes twice what it takes on the chip (FACTS)
PROBE_TIMEOUT_S = 20
# `sys.implementation._mpy >> 10` → mpy-cross -march; py/persistentcode.h, MP_NATIVE_ARCH_*
_ARCHES = (
    "none",
    "x86",
    "x64",
    "armv6",
    "armv6m",
    "armv7m",
    "armv7em",
    "armv7emsp",
    "armv7emdp",
    "xtensa",
    "xtensawin",
)
_PROBE = (
    "import sys,json;i=sys.implementation;"
    "print(json.dumps([i.name,list(i.version)[:3],sys.maxsize>>32!=0,getattr(i,'_mpy',0)>>10&15]))"
)
_DEBIAN_NAMES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "armhf"}  # platform.machine() → Debian's
_HEAP = re.compile(r"[1-9][0-9]*(w?[kKmM]?)")


class Interpreter:
    """One MicroPython that starts on this machine.

    Attributes:
        path: the executable, or the Python that hosts the wheel.
        argv: what to start; the program's own arguments follow it.
        version: (major, minor, micro).
        bits: 32 or 64.
        arch: mpy-cross' name of the native code it loads: `x64`, `x86`, …, or `none`.
        origin: `environment`, `PATH`, `Debian amd64`, `Debian i386`, `wheel` or `npm`.
        has_sockets: whether it reaches a network; the WebAssembly port does not.
    """

    def __init__(
        self, path: Path, argv: Sequence[str], version: tuple[int, int, int], bits: int, arch: str, origin: str
    ) -> None:
        self.path = path
        self.argv = tuple(argv)
        self.version = version
        self.bits = bits
        self.arch = arch
        self.origin = origin
        self.has_sockets = origin != NPM

    @property
    def name(self) -> str:
        """Return what reports call it, for instance `MicroPython 1.25.0 x64 (Debian amd64)`."""
        return f"MicroPython {'.'.join(map(str, self.version))} {self.arch} ({self.origin})"

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def command(self, args: Sequence[str], heap: str = CHIP_HEAP) -> list[str]:
        """Return the whole command line.

        Args:
            args: what follows the interpreter, for instance `["-c", "import app"]`.
            heap: the GC heap as `-X heapsize` takes it: bytes, or with `k`, `m`, and `w` for words.

        Raises:
            ValueError: a heap that MicroPython would misread.
        """
        if not _HEAP.fullmatch(heap):
            raise ValueError(f"heap {heap!r}, allowed are digits with k, m, wk or wm")
        return [*self.argv, "-X", f"heapsize={heap}", *args]

    def run(
        self,
        args: Sequence[str],
        *,
        heap: str = CHIP_HEAP,
        paths: Sequence[Path] = (),
        environment: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        timeout_s: float = 60,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run to the end and return exit code, output and errors.

        Args:
            args: see `command`.
            heap: see `command`.
            paths: folders to import from, before the interpreter's own frozen modules.
            environment: the only variables the program sees; none when None.
            stdin: what it reads.
            timeout_s: after this it is killed.

        Raises:
            subprocess.TimeoutExpired: it was killed.
        """
        return subprocess.run(
            self.command(args, heap),
            input=stdin,
            env=_environment(paths, environment),
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )

    def popen(
        self,
        args: Sequence[str],
        *,
        heap: str = CHIP_HEAP,
        paths: Sequence[Path] = (),
        environment: Mapping[str, str] | None = None,
        stderr: int | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start it with unbuffered pipes on standard input and output; the caller ends it.

        A program that serves a host over the pipe must end at the end of its input: then it dies with its host.

        Args:
            args: see `command`.
            heap: see `command`.
            paths: see `run`.
            environment: see `run`.
            stderr: as for `subprocess.Popen`; inherited when None.
        """
        return subprocess.Popen(
            self.command(args, heap),
            env=_environment(paths, environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=0,
        )


def _environment(paths: Sequence[Path], environment: Mapping[str, str] | None) -> dict[str, str]:
    """Return the program's variables: the caller's, and where to import from."""
    path = ":".join([*(str(p) for p in paths), ".frozen"])
    return {**(environment or {}), "MICROPYPATH": path}


def probe(argv: Sequence[str], origin: str, *, path: Path | None = None) -> tuple[Interpreter | None, str]:
    """Start a candidate and learn what it is.

    Args:
        argv: its command line.
        origin: see `Interpreter.origin`.
        path: the executable, when it is not the first word of `argv`.

    Returns:
        The interpreter and "", or None and one sentence what is wrong with it.
    """
    try:
        done = subprocess.run(
            [*argv, "-c", _PROBE],
            env={},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        return None, f"{argv[0]} does not start: {e}"
    try:
        name, (major, minor, micro), is_wide, native = json.loads(done.stdout)
    except ValueError:
        return None, f"{argv[0]} is not MicroPython: it ended with {done.returncode} and did not say what it is"
    if name != "micropython":
        return None, f"{argv[0]} is {name}, not MicroPython"
    version = (int(major), int(minor), int(micro))
    if version < MINIMUM_VERSION:
        return None, f"{argv[0]} is MicroPython {major}.{minor}.{micro}, at least 1.25 is needed"
    arch = _ARCHES[native] if native < len(_ARCHES) else "none"
    return Interpreter(path or Path(argv[0]), argv, version, 64 if is_wide else 32, arch, origin), ""


def find_all(
    say: Callable[[str], None] = lambda _: None,
    *,
    cache: Path | None = None,
    fetch: bool = True,
    environment: Mapping[str, str] | None = None,
) -> list[Interpreter]:
    """Return every interpreter to be had, best first, one for each version and width.

    Args:
        say: told one sentence for each that is missing or unfit.
        cache: see `debian.unpack`.
        fetch: whether the network may be used for what was not fetched before.
        environment: where `MICROPYTHON` and `PATH` are looked up; the process' own when None.
    """
    found: list[Interpreter] = []
    for interpreter, sentence in _candidates(found, cache, fetch, os.environ if environment is None else environment):
        if interpreter is None:
            say(sentence)
        elif all((interpreter.version[:2], interpreter.bits) != (other.version[:2], other.bits) for other in found):
            found.append(interpreter)
    return found


def find(
    say: Callable[[str], None] = lambda _: None,
    *,
    cache: Path | None = None,
    fetch: bool = True,
    environment: Mapping[str, str] | None = None,
) -> Interpreter | None:
    """Return the first interpreter of `find_all`, looking no further, or None after telling why.

    Args:
        say: told one sentence for each that is missing or unfit, up to the one that was found.
        cache: see `find_all`.
        fetch: see `find_all`.
        environment: see `find_all`.
    """
    for interpreter, sentence in _candidates([], cache, fetch, os.environ if environment is None else environment):
        if interpreter is not None:
            return interpreter
        say(sentence)
    return None


_Candidate = tuple[Interpreter | None, str]


def _candidates(
    found: list[Interpreter], cache: Path | None, fetch: bool, variables: Mapping[str, str]
) -> Iterator[_Candidate]:
    """Yield what each place has, in order; a place is looked at only when the one before it was not enough."""
    if variables.get("MICROPYTHON"):
        yield probe([variables["MICROPYTHON"]], "environment")
    on_path = shutil.which("micropython", path=variables.get("PATH", ""))
    if on_path is not None:
        yield probe([on_path], "PATH")
    if not any(i.version[:2] == MINIMUM_VERSION[:2] and i.bits == 64 for i in found):
        yield _from_debian(_DEBIAN_NAMES.get(platform.machine(), platform.machine()), cache, fetch)
    yield _from_wheel()
    if not any(i.bits == 32 for i in found):
        narrow, sentence = _from_narrow_debian(cache, fetch)
        yield narrow, sentence
        if narrow is None:
            yield _from_npm(cache, fetch)


def _from_debian(architecture: str, cache: Path | None, fetch: bool) -> _Candidate:
    """Start Debian's package by its own loader, since its C library is newer than this machine's."""
    if sys.platform != "linux":
        return None, f"Debian's micropython for {architecture} could not be had: this machine runs {sys.platform}"
    origin = f"Debian {architecture}"
    root, sentence = debian.unpack(
        architecture, works=lambda place: _probe_unpacked(place, origin)[0] is not None, cache=cache, fetch=fetch
    )
    return (None, sentence) if root is None else _probe_unpacked(root, origin)


def _from_narrow_debian(cache: Path | None, fetch: bool) -> _Candidate:
    """Look for a 32-bit build, whose integers are small up to 31 bits as they are on the chip."""
    if platform.machine() != "x86_64":
        return None, f"no 32-bit MicroPython: Debian's i386 package does not run on {platform.machine()}"
    return _from_debian("i386", cache, fetch)


def _probe_unpacked(root: Path, origin: str) -> _Candidate:
    """Probe `usr/bin/micropython` below `root` with the loader and the libraries that came with it."""
    loaders = sorted(root.glob("usr/lib/*/ld-linux*.so.*"))
    if not loaders:
        return None, f"{root} holds no loader for {origin}'s micropython"
    path = root / "usr" / "bin" / "micropython"
    return probe([str(loaders[0]), "--library-path", str(loaders[0].parent), str(path)], origin, path=path)


def _from_npm(cache: Path | None, fetch: bool) -> _Candidate:
    """Look for the WebAssembly port, the other 32-bit build: no sockets, but integers as small."""

    def start(root: Path) -> _Candidate:
        return probe(webassembly.command(root), NPM, path=root / "micropython.wasm")

    root, sentence = webassembly.unpack(works=lambda place: start(place)[0] is not None, cache=cache, fetch=fetch)
    return (None, sentence) if root is None else start(root)


def _from_wheel() -> _Candidate:
    """Look for the wheel of the `micropython` extra; it runs inside a Python of its own."""
    if importlib.util.find_spec("micropython_unix") is None:
        return None, "the micropython extra is not installed (its wheel exists for CPython 3.11 on x86-64 Linux only)"
    return probe([sys.executable, "-I", "-m", "micropython_unix"], "wheel")


def main() -> int:
    """Look everywhere, print what there is and what is missing, and return 1 when there is none."""
    found = find_all(print)
    for interpreter in found:
        print(f"{interpreter.name}, {interpreter.bits} bits: {interpreter.path}")
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
