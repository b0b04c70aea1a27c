"""The documents, executed: commands exist, links lead somewhere, rules name tests that are there."""

import re
import shlex
from pathlib import Path

import click
import pytest

from weldgate_tools.cli import weldgate

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("protocol/*.md"), *ROOT.glob("tests/**/*.md")]
)
GUIDES = ("installer", "welder", "technician", "operator")
_COMMAND = re.compile(r"weldgate [a-z][^`\n|]*")


def _lines(page: Path) -> list[str]:
    """Return the weldgate command lines of a page: in backticks, or indented as code."""
    text = page.read_text(encoding="utf-8")
    quoted = re.findall(r"`(weldgate [a-z][^`]*)`", text)
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
