"""``weldgate collector bundle``: what somebody who helps has to see, in one file, and no key, token or password in it.

Nothing is copied as it stands but logs, and those, like every other text, go through ``Scrubber``: it takes out the
secrets of this site by their content, and whatever has the shape of a key, a token or a PEM block. The configuration is
written from what was understood of it, so that no comment gets in; of chips there are numbers and generations.
"""

import base64
import io
import json
import os
import platform
import re
import sqlite3
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from weldgate_protocol.errors import LocalError, WeldgateError
from weldgate_protocol.reasons import TOOL_BAD_INPUT
from weldgate_tools import __version__
from weldgate_tools.asking import ask
from weldgate_tools.site import Site, config_file

__all__ = ["Scrubber", "bundle", "contents", "write_bundle"]

_REMOVED = "[removed]"
_LOG_BYTES = 1 << 20  # of each log, its end
_SHAPES = re.compile(
    r"WG1:[0-9A-Z $%*+./:-]{8,}"
    r"|-----BEGIN [^-]+-----.*?(?:-----END [^-]+-----|\Z)"
    r"|(?<![0-9A-Za-z])[0-9a-fA-F]{48,}(?![0-9A-Za-z])",  # a key is 64 digits; a key's half in a broken line is 48
    re.DOTALL,
)
_SECRET_NAME = re.compile(r"(?i)(?:^|_)(?:key|secret|password|passwd|token|credential)s?$")  # not `…_file`
_SECRET_KEYS = ("key_file", "password_file", "secret_file")
_SECRET_MIN = 4  # a shorter "password" would take half of all words with it

_ABOUT = """What `weldgate collector bundle` gathered, for whoever helps. No key, token or password is in it.

versions.json       programs and machine
configuration.json  what was understood of collector.toml, or configuration.txt: why it can't be used
status.json         what the running collector said of itself; metrics.txt its metrics
doctor.json         what `weldgate doctor` found
chips.json          known chips: number and generation of the keys
files.json          files beside and below: size, mode, time
logs/               the end of each log
"""


class Scrubber:
    """Takes secrets out of texts."""

    def __init__(self, secrets: list[bytes]) -> None:
        """Take the site's own secrets, as their files hold them."""
        words = set()
        for one in secrets:
            secret = one.strip()
            if len(secret) >= _SECRET_MIN:
                words |= {secret.decode("utf-8", "replace"), base64.b64encode(secret).decode()}
                words |= {secret.hex(), secret.hex().upper()}
        self._words = sorted(words, key=len, reverse=True)

    def clean(self, text: str) -> str:
        """Return the text without them."""
        for word in self._words:
            text = text.replace(word, _REMOVED)
        return _SHAPES.sub(_REMOVED, text)


def contents(place: Path) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of everything that goes in; what can't be had says why."""
    config_path = config_file(place)
    folder = config_path.parent
    yield "README.txt", _ABOUT
    yield "versions.json", _json(_versions())
    for name, make in (
        ("configuration", lambda: _configuration(config_path)),
        ("status", lambda: ask(place, {"do": "status"})),
        ("chips", lambda: _chips(config_path)),
        ("doctor", lambda: _doctor(folder)),
        ("files", lambda: _files(folder)),
    ):
        yield _tried(name, make)
    try:
        yield "metrics.txt", str(ask(place, {"do": "metrics"})["text"])
    except (WeldgateError, OSError) as error:
        yield "metrics.txt", str(error)
    for log in sorted(folder.glob("*.log")):
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LOG_BYTES))
            yield f"logs/{log.name}", file.read().decode("utf-8", "replace")


def write_bundle(place: Path, target: Path) -> int:
    """Write the bundle, mode 0600, where no file is yet; return how many files are in it.

    Raises:
        LocalError: TOOL_BAD_INPUT, there is a file already.
        OSError: it can't be written.
    """
    scrubber = Scrubber(_secrets(config_file(place)))
    made_s = int(time.time())
    count = 0
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise LocalError(TOOL_BAD_INPUT, f"{target} is there already; name another file") from None
    with os.fdopen(handle, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, text in contents(place):
            data = scrubber.clean(text).encode("utf-8", "replace")
            member = tarfile.TarInfo(f"weldgate-bundle/{name}")
            member.size, member.mtime, member.mode = len(data), made_s, 0o600
            archive.addfile(member, io.BytesIO(data))
            count += 1
    return count


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("place", type=click.Path(path_type=Path), default=Path("site"))
def bundle(file: Path, place: Path) -> None:
    """Gather in FILE (.tar.gz) what somebody who helps has to see. No key, token or password is in it.

    Versions, configuration, state, metrics, findings of `weldgate doctor`, chips' numbers, sizes of files, ends of
    logs.

    \b
    Examples:
      weldgate collector bundle help.tar.gz site
    """
    count = write_bundle(place, file)
    click.echo(f"{count} files in {file}; look before you send it", err=True)


def _tried(name: str, make: Callable[[], Any]) -> tuple[str, str]:
    try:
        return f"{name}.json", _json(make())
    except (WeldgateError, OSError, ModuleNotFoundError) as error:
        return f"{name}.txt", str(error)


def _versions() -> dict[str, Any]:
    return {
        "weldgate": __version__, "python": sys.version, "sqlite": sqlite3.sqlite_version,
        "platform": platform.platform(), "cores": os.cpu_count(), "made": time.strftime("%FT%TZ", time.gmtime()),
    }  # fmt: skip


def _configuration(path: Path) -> Any:
    import msgspec

    from weldgate_collector import load_config

    return _told(msgspec.to_builtins(load_config(path)))


def _told(part: Any) -> Any:
    """Return a part of a configuration without what stands under a secret's name: a foreign upstream may have one."""
    if isinstance(part, dict):
        return {
            key: _REMOVED if isinstance(value, str) and value and _SECRET_NAME.search(key) else _told(value)
            for key, value in part.items()
        }
    return [_told(value) for value in part] if isinstance(part, list | tuple) else part


def _chips(path: Path) -> Any:
    from weldgate_collector import list_chips, load_config

    return [
        {"device": device, "generation": generation} for device, generation in list_chips(load_config(path).chips_file)
    ]


def _doctor(folder: Path) -> Any:
    from weldgate_tools.doctor import examine_machine
    from weldgate_tools.site_findings import examine_site

    return [asdict(finding) for finding in (*examine_machine(), *examine_site(Site(folder)))]


def _files(folder: Path) -> Any:
    found = []
    for place, _, names in os.walk(folder):
        for name in sorted(names):
            path = Path(place, name)
            try:
                status = path.lstat()
            except OSError:
                continue  # gone meanwhile
            found.append(
                [str(path.relative_to(folder)), status.st_size, f"{status.st_mode & 0o7777:04o}", int(status.st_mtime)]
            )
    return found


def _secrets(config_path: Path) -> list[bytes]:
    """Return the contents of the secret files that the configuration names, as far as they can be read."""
    import msgspec

    from weldgate_collector import load_config

    try:
        config = load_config(config_path)
    except WeldgateError:
        return []
    named = {config.path(name) for name in _named_secrets(msgspec.to_builtins(config))}
    return [path.read_bytes() for path in sorted(named) if path.is_file()]


def _named_secrets(part: Any) -> Iterator[str]:
    """Yield the file names under every key of a configuration that ends like a secret's, whatever its table."""
    if isinstance(part, dict):
        for key, value in part.items():
            if isinstance(value, str):
                if value and key.endswith(_SECRET_KEYS):
                    yield value
            else:
                yield from _named_secrets(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from _named_secrets(value)


def _json(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"
