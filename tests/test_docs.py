"""The documents, executed: commands exist, links lead somewhere, rules name tests that are there."""

import ast
import hashlib
import importlib.util
import re
import shlex
from pathlib import Path

import click
import pytest

from weldgate_firmware.app import App
from weldgate_firmware.config import SETTINGS
from weldgate_firmware.profile import profiles
from weldgate_firmware.service import Service
from weldgate_protocol.reason_texts import TEXTS
from weldgate_tools.cli import weldgate

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("protocol/*.md"), *ROOT.glob("tests/**/*.md")]
)
GUIDES = ("installer", "welder", "technician", "operator")
_COMMAND = re.compile(r"weldgate [a-z][^`\n|]*")


def _lines(page: Path) -> list[str]:
    """Return the weldgate command lines of a page: in backticks, or as a block of code, indented or fenced."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        text += "".join(f"    {line}\n" for line in block.splitlines())
    quoted = re.findall(r"(?<!`)`(?:\.venv/bin/)?(weldgate [a-z][^`]*)`", text)
    indented = [
        match[0] for line in text.splitlines() if line.startswith("    ") for match in [_COMMAND.search(line)] if match
    ]
    return [line.split("#")[0].strip() for line in quoted + indented]


@pytest.mark.parametrize("page", [p for p in PAGES if p.name != "cli.md"], ids=lambda p: p.relative_to(ROOT).as_posix())
def test_commands_of_a_page_exist(page: Path) -> None:
    """Every command line that a page tells is one, with options that are known."""
    for line in _lines(page):
        command: click.Command = weldgate
        words = shlex.split(line)[1:]
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            found = command.get_command(click.Context(command), words[0])
            assert found is not None, f"{page.name}: {line}: no command {words[0]}"
            command, words = found, words[1:]
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        for word in words:
            if word.startswith("--"):
                assert word.split("=")[0] in known | {"--help"}, f"{page.name}: {line}: no option {word}"


def test_commands_are_found_in_pages() -> None:
    """The test above has something to look at: a page for each role tells commands."""
    for name in ("README.md", "README.zh-CN.md", "docs/guide/operator.md", "docs/guide/technician.md"):
        assert len(_lines(ROOT / name)) >= 5, name


def test_modules_that_pages_run_exist() -> None:
    """`python -m NAME` names a module that is there."""
    named = {name for page in PAGES for name in re.findall(r"python -m ([\w.]+)", page.read_text(encoding="utf-8"))}

    assert named
    for name in named:
        assert importlib.util.find_spec(name) is not None, name


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    """A link inside the project names a file that is there."""
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_pages_stand_in_both_languages() -> None:
    """The two READMEs and each guide have the same headings, tables and code blocks."""
    pairs = [("README.md", "README.zh-CN.md")] + [(f"docs/guide/{n}.md", f"docs/guide/{n}.zh-CN.md") for n in GUIDES]
    for english, chinese in pairs:
        shapes = []
        for name in (english, chinese):
            text = (ROOT / name).read_text(encoding="utf-8").splitlines()
            shapes.append([sum(line.startswith(mark) for line in text) for mark in ("#", "|", "    ", "1. ", "6. ")])
        assert shapes[0] == shapes[1], (english, shapes)


def test_numbers_that_the_guides_tell_are_reasons() -> None:
    """What the welder reads off the box and the technician off the console stands in the register."""
    for name in ("welder", "technician"):
        for tail in (".md", ".zh-CN.md"):
            text = (ROOT / "docs" / "guide" / f"{name}{tail}").read_text(encoding="utf-8")
            told = {int(n) for row in re.findall(r"^\|([^|]*)\|", text, re.MULTILINE) for n in re.findall(r"\d+", row)}
            told.discard(200)  # "below 200" is the system's own
            assert told, name
            assert told <= set(TEXTS), f"{name}{tail}: {sorted(told - set(TEXTS))}"


def test_console_commands_are_told_in_full() -> None:
    """The technician's page lists what the console takes, no more and no less."""
    there = set(Service.commands(Service(object.__new__(App))))
    for tail in (".md", ".zh-CN.md"):
        text = (ROOT / "docs" / "guide" / f"technician{tail}").read_text(encoding="utf-8")
        assert set(re.findall(r"^    ([a-z]+)  ", text, re.MULTILINE)) == there, tail


def test_hardware_page_has_the_pins_of_the_board() -> None:
    """Pins, profiles and settings of docs/hardware.md are the code's."""
    text = (ROOT / "docs" / "hardware.md").read_text(encoding="utf-8")
    source = (ROOT / "firmware" / "weldgate_firmware" / "board.py").read_text(encoding="utf-8")
    (pins,) = (
        ast.literal_eval(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "PINS"
    )

    told = {name: int(pin) for name, pin in re.findall(r"^\| ([a-z_]+) \| (\d+) \|", text, re.MULTILINE)}
    assert told == pins["esp32-relay"]
    for profile in profiles():
        assert f"`{profile.name}`" in text
    for page in PAGES:
        for line in _lines(page):
            if line.startswith("weldgate order config"):
                settings = {word.split("=")[0] for word in line.split() if "=" in word}
                assert settings <= {row[1] for row in SETTINGS}, f"{page.name}: {line}"


def test_data_is_what_its_page_says() -> None:
    """Files that are not ours have the hash that stands beside their source and licence."""
    text = (ROOT / "tests" / "data" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \|[^|]*\| `([0-9a-f]{64})` \|[^|]*`([^`]+)` \|", text, re.MULTILINE)

    assert {row[0] for row in rows} == {path.name for path in (ROOT / "tests" / "data").glob("*.csv")}
    for name, digest, licence in rows:
        assert hashlib.sha256((ROOT / "tests" / "data" / name).read_bytes()).hexdigest() == digest, name
        assert (ROOT / "tests" / "data" / licence).is_file(), licence


def test_readme_names_the_two_commands_and_the_limits() -> None:
    """A newcomer finds `make demo`, `make test`, where data is, and what weldgate is not."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for words in ("make demo", "make test", ".backup", "not a certified safety device", "docs/images/line.svg"):
        assert words in text


def test_make_targets_of_the_readme_exist() -> None:
    """What the README tells to make can be made."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for name in ("README.md", "CHANGELOG.md", "docs/performance.md"):
        for target in re.findall(r"`?make ([a-z]+)", (ROOT / name).read_text(encoding="utf-8")):
            assert target in targets | {"sure", "it"}, f"{name}: make {target}"


def test_safety_names_tests_that_are_there() -> None:
    """Each rule's tests exist under the name that the page gives."""
    text = (ROOT / "docs" / "safety.md").read_text(encoding="utf-8")
    sources = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/**/test_*.py"))
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", text))

    assert len(named) > 25
    for name in named:
        assert f"def {name}(" in sources, name
    for rule in ("S1", "S2", "S3", "S4", "S5", "D1", "D2", "D3"):
        assert f"| {rule} |" in text


def test_changelog_has_an_unreleased_part_on_top() -> None:
    """What comes next is told where people look first."""
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"


def test_decisions_are_numbered_once_and_complete() -> None:
    """Each has a number of its own, a context, a choice, alternatives and a consequence."""
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [page.name[:4] for page in pages]

    assert len(set(numbers)) == len(numbers)
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {int(page.name[:4])}. "), page.name
        for part in ("**Context.**", "**Choice.**", "**Alternatives.**", "**Consequence.**"):
            assert part in text, f"{page.name}: {part}"
