"""The root command: lazy groups, errors with numbers, exit codes, and the page printed from it."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_NOT_FOUND
from weldgate_tools import cli, cli_text
from weldgate_tools.cli import COMMANDS, main, weldgate

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("words", [["--help"], ["token", "--help"], ["token", "issue", "--help"], ["frame", "--help"]])
def test_help_imports_no_extra(words: list[str]) -> None:
    """Help needs neither cryptography nor paho nor the simulator."""
    program = (
        f"import sys\nfrom weldgate_tools.cli import main\ntry:\n main({words})\nexcept SystemExit:\n pass\n"
        "heavy = {'cryptography', 'paho', 'cwt', 'weldgate_simulator', 'weldgate_collector'} & set(sys.modules)\n"
        "sys.exit(sorted(heavy).__repr__() if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_every_command_has_help_with_examples() -> None:
    """Whoever asks for help sees how it is used."""
    for name, text in cli_text.commands():
        command = name.split()
        below = weldgate if len(command) == 1 else None
        if below is None and text.count("Commands:"):
            continue  # a group: its commands have the examples
        assert "Usage:" in text
        assert "Examples:" in text or name == "weldgate", name


@pytest.mark.parametrize("command", ["order --help", "token issue --chip 7 --holder a"], ids=["at once", "on the way"])
def test_missing_extra_is_one_sentence_and_exit_3(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """A package that is not installed is named with the command that installs it, whenever it is first wanted."""
    monkeypatch.setitem(sys.modules, "segno", None)
    for name in [name for name in sys.modules if name.startswith(("weldgate_issuer", "weldgate_tools.order"))]:
        monkeypatch.delitem(sys.modules, name)

    result = CliRunner().invoke(weldgate, command.split())

    assert result.exit_code == cli.EXIT_EXTRA
    assert f"`weldgate {command.split()[0]}` needs segno" in result.stderr
    assert "pip install 'weldgate[tools]'" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == sys.argv[1]:
            raise ModuleNotFoundError(name=name)
sys.meta_path.insert(0, Blocker())
from weldgate_tools.cli import COMMANDS, main
for name in COMMANDS:
    try:
        main([name, "--help"])
    except SystemExit as ended:
        print(f"@{name} {ended.code}")
"""


@pytest.mark.parametrize(
    ("package", "without"),
    [
        ("cryptography", {"init", "demo", "order", "fleet"}),
        ("paho", set()),
        ("zxingcpp", set()),
    ],
)
def test_commands_without_a_package(package: str, without: set[str]) -> None:
    """Who needs it says so in a sentence, exit 3; everybody else goes on."""
    done = subprocess.run([sys.executable, "-c", BLOCKED, package], capture_output=True, text=True, check=True)
    codes = dict(line[1:].split() for line in done.stdout.splitlines() if line.startswith("@"))

    assert codes == {name: "3" if name in without else "0" for name in COMMANDS}
    assert len(done.stderr.splitlines()) == len(without)


def test_missing_file_of_our_own_is_no_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug is shown as one."""
    monkeypatch.setitem(COMMANDS, "broken", ("weldgate_tools.not_there", "x", "", "tools"))

    with pytest.raises(ModuleNotFoundError):
        weldgate.get_command(click.Context(weldgate), "broken")


def test_what_is_no_command_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table names commands only."""
    monkeypatch.setitem(COMMANDS, "wrong", ("weldgate_tools.output", "language", "", "tools"))

    with pytest.raises(TypeError):
        weldgate.get_command(click.Context(weldgate), "wrong")


def test_unknown_command_is_wrong_usage() -> None:
    """Exit 2 and a word about it."""
    result = CliRunner().invoke(weldgate, ["nonsense"])

    assert result.exit_code == 2
    assert "nonsense" in result.stderr


def _exit(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    """Return the exit code that `main` gives an error."""

    @click.command()
    def failing() -> None:
        raise error

    monkeypatch.setattr(weldgate, "get_command", lambda _ctx, _name: failing)
    with pytest.raises(SystemExit) as caught:
        main(["doctor"])
    return int(str(caught.value.code))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LocalError(TOOL_NOT_FOUND, "nothing there"), 4),
        (FileNotFoundError(2, "No such file", "x"), 4),
        (KeyboardInterrupt(), 5),
        (click.UsageError("wrong"), 2),
        (SystemExit(1), 1),
        (ModuleNotFoundError("no zxingcpp", name="zxingcpp"), 3),
        (sqlite3.DatabaseError("database disk image is malformed"), 4),
        (UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"), 2),
    ],
)
def test_errors_have_their_exit_codes(monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int) -> None:
    """One place maps errors to codes."""
    assert _exit(monkeypatch, error) == code


def test_error_has_number_and_next_step(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What went wrong, its number, what to do."""
    _exit(monkeypatch, LocalError(TOOL_NOT_FOUND, "nothing there"))
    lines = capsys.readouterr().err.splitlines()

    assert lines[0] == "error 501: nothing there"
    assert lines[1].startswith("  ")


def test_bug_of_ours_is_no_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of our own that is missing is shown with its trace."""

    @click.command()
    def failing() -> None:
        raise ModuleNotFoundError("no such file", name="weldgate_tools.gone")

    monkeypatch.setattr(weldgate, "get_command", lambda _ctx, _name: failing)
    with pytest.raises(ModuleNotFoundError):
        main(["doctor"])


def test_reader_that_has_seen_enough_is_told_nothing(tmp_path: Path) -> None:
    """`weldgate reasons | head -1` ends quietly, with click's own code for it."""
    program = "from weldgate_tools.cli import main\nmain(['reasons', '--json'])\n"
    with (
        (tmp_path / "errors").open("wb") as errors,
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        assert process.stdout is not None
        process.stdout.close()
    assert process.returncode == 1
    assert (tmp_path / "errors").read_text() == ""


def test_page_is_up_to_date() -> None:
    """docs/cli.md is what the commands say."""
    # In a process of its own: click keeps the help option as it was when a command was first asked for help.
    page = str(ROOT / "docs" / "cli.md")
    done = subprocess.run([sys.executable, "-m", "weldgate_tools.cli_text", "--check", page], check=False)
    assert done.returncode == 0


def test_stale_page_is_noticed(tmp_path: Path) -> None:
    """A page that says something else fails the check, and is written anew."""
    page = tmp_path / "cli.md"
    page.write_text("old")

    assert cli_text.main(["--check", str(page)]) == 1
    assert cli_text.main([str(page)]) == 0
    assert page.read_text(encoding="utf-8") == cli_text.render()
