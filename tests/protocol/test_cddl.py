"""CDDL and SPEC's printed parts: what the code prints is what is checked in, and it holds the vectors."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pycddl
import pytest

from weldgate_protocol import cddl, messages, reasons

ROOT = Path(__file__).resolve().parents[2]
CASES = json.loads((ROOT / "tests/vectors/messages.json").read_text(encoding="utf-8"))
CDDL = (ROOT / "protocol/weldgate.cddl").read_text(encoding="utf-8")
SCHEMA_REASONS = (reasons.MESSAGE_MISSING, reasons.MESSAGE_FIELD_TYPE, reasons.MESSAGE_FIELD_RANGE)
ACCEPTED = [case for case in CASES if "expect" in case]
# pycddl 0.6.4 lets text pass for `bstr .size n` and the other way round, which RFC 8610 §3.8.1 does not.
PYCDDL_LENIENT = ("sixteen letters!", "8 bytes!", "b'0.1.0'")
REFUSED = [
    case
    for case in CASES
    if case.get("error") in SCHEMA_REASONS and not any(text in case["name"] for text in PYCDDL_LENIENT)
]


def schema_of(type_: int) -> pycddl.Schema:
    """Return a schema that begins with the rule of one message."""
    return pycddl.Schema(f"start = {messages.MESSAGES[type_][0]}\n{CDDL}")


SCHEMAS = {type_: schema_of(type_) for type_ in messages.MESSAGES}


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: str(case["name"]))
def test_cddl_accepts(case: dict[str, Any]) -> None:
    """What the decoder accepts, the CDDL accepts."""
    SCHEMAS[case["type"]].validate_cbor(bytes.fromhex(case["hex"]))


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: str(case["name"]))
def test_cddl_refuses(case: dict[str, Any]) -> None:
    """What the decoder refuses for a field's absence, kind or bounds, the CDDL refuses."""
    with pytest.raises(pycddl.ValidationError):
        SCHEMAS[case["type"]].validate_cbor(bytes.fromhex(case["hex"]))


def test_cddl_names_every_message_once() -> None:
    """Each message has one rule, under its name."""
    rendered = cddl.render()
    for name, _ in messages.MESSAGES.values():
        assert rendered.count(f"\n{name} = {{") == 1


def test_documents_are_what_the_code_prints() -> None:
    """weldgate.cddl and the printed parts of SPEC.md are not stale (else run protocol/print_tables.py)."""
    path = ROOT / "protocol/print_tables.py"
    spec = importlib.util.spec_from_file_location("print_tables", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    assert module.stale(write=False) == []


def test_example_reads() -> None:
    """M-FRAME-04: SPEC's worked example is a frame whose parts add up."""
    lines = [line.split() for line in cddl.example_markdown().splitlines() if line and line[0] not in "`E"]
    parts: dict[str, bytes] = {}
    name = ""
    for words in lines:
        name = words[0] if len(words) == 2 else name
        parts[name] = parts.get(name, b"") + bytes.fromhex(words[-1])

    from weldgate_protocol import frame
    from weldgate_protocol._compat import HmacKey

    raw = frame.from_wire(parts["wire"][1:-1])
    assert raw == parts["header"] + parts["payload"] + parts["tag"]
    assert frame.tag_matches(raw, HmacKey(parts["key"]))
    assert messages.decode(2, parts["payload"])["highest"] == 18
