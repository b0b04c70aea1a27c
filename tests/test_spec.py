"""SPEC.md against tests and vectors: a numbered MUST is named by a test, and by a vector where it speaks of bytes."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SPEC = (ROOT / "protocol/SPEC.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\bM-[A-Z]+-\d\d\b")
DEFINITION = re.compile(r"^[-*|] *\*\*(M-[A-Z]+-\d\d)\*\*", re.MULTILINE)

VECTORS = sorted((ROOT / "tests/vectors").glob("*.json"))
# A sentence speaks of bytes unless it is here: these ask for conduct that no bytes show, and tests alone hold them.
CONDUCT = {
    "M-FRAME-13": "what is not sent",
    "M-CBOR-10": "what is not encoded",
    "M-BUS-01": "who speaks when",
    "M-BUS-04": "what is passed over",
    "M-BUS-05": "who speaks when, and waits",
    "M-SEQ-01": "a record stays as it was first encoded",
    "M-MSG-08": "what is not sent",
    "M-CONV-14": "memory",
    "M-CONV-16": "waits",
    "M-CONV-18": "a wait",
    "M-KEY-05": "what a power cut leaves",
    "M-LIVE-01": "what a chip asks, and when it starts",
    "M-LIVE-04": "what counts as an act",
    "M-LIVE-05": "which tokens a machine takes",
    "M-REMOVE-01": "what a chip does for an order",
    "M-REMOVE-02": "what is recorded and what is an alarm",
    "M-REMOVE-03": "the time that leave holds",
    "M-SEAL-04": "what a chip finds again after a power cut",
    "M-SEAL-05": "what is said of stored records",
    "M-TOK-20": "time between two looks at the button",
    "M-TOK-22": "a clock's floor while time passes",
    "M-ORD-16": "what a session does once a list is in force",
    "M-PACK-06": "a collector's cursor",
    "M-PACK-09": "repeats between two processes",
    "M-PACK-11": "what a collector does when it hears nothing",
    "M-REASON-01": "the register over the years",
    "M-REASON-02": "texts for people",
}


def named_by_vectors() -> set[str]:
    """Return the numbers that entries of the vectors name; `tests/vectors/musts.py` writes them there."""
    found: set[str] = set()
    for path in VECTORS:
        content = json.loads(path.read_text(encoding="utf-8"))
        for cases in [content] if isinstance(content, list) else content.values():
            for case in cases if isinstance(cases, list) else ():
                found.update(case.get("musts", ()))
    return found


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


def test_every_must_that_speaks_of_bytes_is_named_by_a_vector() -> None:
    """Whoever writes an interoperable chip or collector finds bytes for each such sentence."""
    missing = sorted(set(DEFINITION.findall(SPEC)) - set(CONDUCT) - named_by_vectors())

    assert missing == [], "name them in tests/vectors/musts.py, or say in CONDUCT why no bytes show them"


def test_vectors_name_only_what_spec_says() -> None:
    """A number in a vector has its sentence in SPEC.md, and the list of those without bytes is current."""
    defined = set(DEFINITION.findall(SPEC))

    assert named_by_vectors() <= defined
    assert set(CONDUCT) <= defined
    assert not set(CONDUCT) & named_by_vectors()


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
