"""SPEC.md against the tests: every numbered MUST is named by a test, and no test names one that is not there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SPEC = (ROOT / "protocol/SPEC.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\bM-[A-Z]+-\d\d\b")
DEFINITION = re.compile(r"^[-*|] *\*\*(M-[A-Z]+-\d\d)\*\*", re.MULTILINE)


def named_by_tests() -> dict[str, set[str]]:
    """Return each number that stands in a test file, with the files."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if path == Path(__file__):
            continue
        for number in NUMBER.findall(path.read_text(encoding="utf-8")):
            found.setdefault(number, set()).add(path.name)
    return found


def test_every_must_is_named_by_a_test() -> None:
    """Each numbered sentence of SPEC.md stands in the text of some test."""
    missing = sorted(set(DEFINITION.findall(SPEC)) - set(named_by_tests()))

    assert missing == []


def test_tests_name_only_what_spec_says() -> None:
    """A number in a test has its sentence in SPEC.md."""
    defined = set(DEFINITION.findall(SPEC))
    unknown = {number: files for number, files in named_by_tests().items() if number not in defined}

    assert unknown == {}


def test_numbers_are_given_once() -> None:
    """A number is defined once."""
    defined = DEFINITION.findall(SPEC)

    assert len(defined) > 50
    assert sorted(defined) == sorted(set(defined))


def test_every_number_in_spec_is_defined_there() -> None:
    """SPEC.md refers to no number that it does not define."""
    defined = set(DEFINITION.findall(SPEC))

    assert set(NUMBER.findall(SPEC)) <= defined


def test_every_owner_has_filled_its_section() -> None:
    """No section of SPEC.md is left empty."""
    for name in re.findall(r"<!-- section: (\w+)", SPEC):
        found = re.search(rf"<!-- section: {name}[^>]*-->(.*?)<!-- end of {name} -->", SPEC, re.DOTALL)
        assert found is not None, name
        assert len(found[1].strip()) > 200, f"section {name} is empty"
