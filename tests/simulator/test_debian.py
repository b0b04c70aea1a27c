"""How `debian` fetches, keeps and repairs its private unpack: against a real apt-get and dpkg-deb written here."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from weldgate_simulator import debian, fetched
from weldgate_simulator.debian import PACKAGES
from weldgate_simulator.fetched import RETRY_AFTER_S

APT = """#!/bin/sh
echo "$@" >> "$FAKE_LOG"
for word in "$@"; do case "$word" in
  update) [ -z "$FAKE_UPDATE" ] || { echo "$FAKE_UPDATE" >&2; exit "${FAKE_CODE:-100}"; } ;;
  download) [ -z "$FAKE_UPDATE" ] || { echo "E: Unable to locate package" >&2; exit 100; }; sleep 0.3 ;;
  *:amd64) touch "$word.deb" ;;
esac; done
"""
DPKG = """#!/bin/sh
[ -z "$FAKE_BROKEN" ] || exit 2
mkdir -p "$3/usr/bin" "$3/usr/share/doc"
echo "from ${2##*/}" >> "$3/usr/bin/micropython"
echo text > "$3/usr/share/doc/text"
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a Debian 12 with tools that log what they are asked, first on PATH."""
    etc = tmp_path / "etc"
    (etc / "apt" / "sources.list.d").mkdir(parents=True)
    (etc / "os-release").write_text('ID=debian\nVERSION_CODENAME=bookworm\nNAME="Debian GNU/Linux"\n')
    (etc / "apt" / "sources.list").write_text("deb http://mirror.invalid/debian bookworm main\n")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in (("apt-get", APT), ("dpkg-deb", DPKG)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    return tmp_path


def unpack(machine: Path, *, works: bool = True, fetch: bool = True) -> tuple[Path | None, str]:
    """Ask for amd64 on the machine made above."""
    return debian.unpack("amd64", works=lambda _: works, cache=machine / "cache", etc=machine / "etc", fetch=fetch)


def calls(machine: Path) -> int:
    """Return how often apt-get was called."""
    return len((machine / "log").read_text().splitlines()) if (machine / "log").exists() else 0


def test_first_run_fetches_and_later_runs_are_offline(machine: Path) -> None:
    """One update and one download of all packages; the second run calls nothing."""
    first, sentence = unpack(machine)
    second, _ = unpack(machine, fetch=False)

    assert sentence == ""
    assert first == second == machine / "cache" / "micropython-trixie-amd64"
    assert calls(machine) == 2
    asked = (machine / "log").read_text()
    assert all(f"{name}:amd64" in asked for name in PACKAGES)


def test_only_what_is_needed_is_kept_and_nothing_is_left_over(machine: Path) -> None:
    """Documentation goes, and so do the working folders."""
    root, _ = unpack(machine)

    assert root is not None
    assert not (root / "usr" / "share").exists()
    assert not list((machine / "cache").glob(".fetch-*"))


@pytest.mark.parametrize("harm", ["changed", "missing", "added", "stamp"])
def test_damaged_unpack_is_fetched_again(machine: Path, harm: str) -> None:
    """A file that changed, went or came, or an unreadable stamp: thrown away and fetched whole."""
    root, _ = unpack(machine)
    assert root is not None
    program = root / "usr" / "bin" / "micropython"
    good = program.read_bytes()
    if harm == "changed":
        program.write_bytes(good[:-1] + b"!")
    elif harm == "missing":
        program.unlink()
    elif harm == "added":
        (root / "usr" / "bin" / "other").write_text("x")
    else:
        (root / "complete.json").write_text("{")

    again, sentence = unpack(machine)

    assert (again, sentence) == (root, "")
    assert program.read_bytes() == good
    assert calls(machine) == 4
    assert not list((machine / "cache").glob(".fetch-*"))


def test_two_at_once_fetch_once(machine: Path) -> None:
    """The second process waits for the first and takes what it made."""
    program = (
        "import sys; from pathlib import Path; from weldgate_simulator import debian; m = Path(sys.argv[1]);"
        "print(*debian.unpack('amd64', works=lambda _: True, cache=m / 'cache', etc=m / 'etc'))"
    )
    command = [sys.executable, "-c", program, str(machine)]

    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = {process.communicate(timeout=60)[0].strip() for process in processes}

    assert answers == {str(machine / "cache" / "micropython-trixie-amd64")}
    assert calls(machine) == 2


def test_failed_fetch_says_what_apt_said_and_is_not_repeated(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The update's own error is the reason; for an hour nobody asks again, then one does."""
    monkeypatch.setenv("FAKE_UPDATE", "E: Temporary failure resolving the mirror")
    failed, sentence = unpack(machine)
    monkeypatch.delenv("FAKE_UPDATE")
    remembered, again = unpack(machine)
    asked = calls(machine)
    note = machine / "cache" / "micropython-trixie-amd64.missing"
    past = time.time() - RETRY_AFTER_S - 1
    os.utime(note, (past, past))

    later, _ = unpack(machine)

    assert failed is remembered is None
    assert sentence == ("Debian's micropython for amd64 could not be had: Temporary failure resolving the mirror")
    assert "Temporary failure" in again
    assert str(note) in again
    assert asked == 2
    assert later is not None
    assert not note.exists()


def test_no_network_is_told_as_such(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without network apt's update only warns and ends well: the reason is still the network, not the package."""
    monkeypatch.setenv("FAKE_UPDATE", "W: Failed to fetch InRelease  Temporary failure resolving the mirror")
    monkeypatch.setenv("FAKE_CODE", "0")

    root, sentence = unpack(machine)

    assert root is None
    assert sentence.endswith("Failed to fetch InRelease  Temporary failure resolving the mirror")


def test_package_that_does_not_start_is_not_kept(machine: Path) -> None:
    """What was unpacked is tried before it takes its place."""
    root, sentence = unpack(machine, works=False)

    assert root is None
    assert "does not start on this machine" in sentence
    assert not (machine / "cache" / "micropython-trixie-amd64").exists()


def test_failed_unpack_keeps_nothing(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk or a torn package stops dpkg-deb: one sentence, nothing half-made."""
    monkeypatch.setenv("FAKE_BROKEN", "1")

    root, sentence = unpack(machine)

    assert root is None
    assert "dpkg-deb could not unpack" in sentence
    assert not list((machine / "cache").glob(".fetch-*"))


def test_without_apt_is_one_sentence(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without apt-get is told so."""
    monkeypatch.setenv("PATH", str(machine))

    root, sentence = unpack(machine)

    assert root is None
    assert sentence.endswith("apt-get is not on this machine")


def test_other_systems_are_told_so(machine: Path) -> None:
    """No Debian archive among the sources: nothing is fetched from anywhere else."""
    (machine / "etc" / "os-release").write_text("ID=ubuntu\nVERSION_CODENAME=noble\n")

    root, sentence = unpack(machine)

    assert root is None
    assert "name no Debian main archive" in sentence
    assert calls(machine) == 0


def test_cache_that_cannot_be_made_is_one_sentence(machine: Path) -> None:
    """A file where the cache should be, or a folder without rights, is one sentence that names it."""
    (machine / "cache").write_text("a file")

    root, sentence = unpack(machine)

    assert root is None
    assert str(machine / "cache") in sentence


def test_settings_keep_verification_on_and_everything_private(machine: Path) -> None:
    """apt gets its own sources, lists, state and cache; unsigned archives stay refused."""
    work = machine / "work"
    work.mkdir()

    options = debian._configure("i386", work, machine / "etc")

    text = (work / "apt.conf").read_text()
    assert options[-1] == str(work / "apt.conf")
    assert 'APT::Architectures {"i386";}' in text
    assert 'APT::Get::AllowUnauthenticated "false"' in text
    assert 'Acquire::AllowInsecureRepositories "false"' in text
    for setting in ("Dir::State::lists", "Dir::State::status", "Dir::Cache", "Dir::Etc::sourceparts"):
        assert f'{setting} "{work}' in text


def test_cache_follows_the_variable_and_not_the_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`make clean` cannot reach it: it lies under $XDG_CACHE_HOME, or under the home folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    named = fetched.default_cache()
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    assert named == tmp_path / "weldgate"
    assert fetched.default_cache() == tmp_path / "home" / ".cache" / "weldgate"
