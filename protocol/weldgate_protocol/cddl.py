"""Print the message tables as CDDL (RFC 8610) and as SPEC.md's Markdown. Host only.

`protocol/weldgate.cddl` and the marked parts of `protocol/SPEC.md` are this module's output, written by
`protocol/print_tables.py` and compared by a test, so that the documents cannot drift from the code.
"""

from typing import TYPE_CHECKING

from weldgate_protocol._compat import HmacKey, crc16_x25
from weldgate_protocol.frame import QUALITY_SYNCED, encode_body, seal, to_wire
from weldgate_protocol.message_docs import FIELDS, RESERVED, SUMMARIES, meaning
from weldgate_protocol.messages import HEARTBEAT, MESSAGES, encode
from weldgate_protocol.reason_texts import TEXTS

if TYPE_CHECKING:
    from weldgate_protocol.fields import Field

__all__ = ["example_markdown", "reasons_markdown", "render", "tables_markdown"]

_HEAD = """\
; weldgate wire protocol, version 1: the payload of each message. RFC 8610.
; Printed from the code by protocol/print_tables.py; SPEC.md is the normative text around it.
; Every payload is deterministic CBOR (RFC 8949 section 4.2), at most 1024 bytes, nesting at most 4.

"""

_PRELUDE = """\

; ---- shared ----

id = bstr .size 8
uint8 = 0..255
uint16 = 0..65535
uint32 = 0..4294967295
int16 = (int .ge -32767) .and (int .le 32767)
value = uint / nint / bstr / tstr / bool / nil / [* value] / {* int => value}
; Keys that a newer peer adds: kept on the uplink, left out on the downlink. Never a key that the table has.
newer = (* int => value)
"""

# Fields of the example that say nothing new.
_QUIET = {"current_ma": 0, "uptime_s": 86400}

_GROUPS = (
    ("volatile uplink", 0x00, 0x40),
    ("durable uplink", 0x40, 0x80),
    ("downlink", 0x80, 0x100),
)


def _range(low: int, high: int) -> str:
    """Return an unsigned range under its shortest name."""
    named = {255: "uint8", 65535: "uint16", 4294967295: "uint32"}
    return named[high] if low == 0 and high in named else f"{low}..{high}"


def _type(field: "Field") -> str:
    """Return the CDDL type of a field."""
    _, _, kind, _, low, high = field
    if kind == "uint":
        return _range(low, high)
    if kind == "int":
        return "int16"
    if kind == "bool":
        return "bool"
    if kind == "bytes":
        return "id" if low == high == 8 else f"bstr .size {low}" if low == high else f"bstr .size ({low}..{high})"
    if kind == "text":
        return f"tstr .size ({low}..{high})"
    if kind == "uints":
        return f"[{low}*{high} uint16]"
    if kind == "ids":
        return f"[{low}*{high} id]"
    return f"{{{low}*{high} int => value}}"


def _comment(message: str, field: "Field") -> str:
    """Return what a field means, with its small numbers."""
    words = FIELDS[message].get(field[1], "seal")
    register = meaning(message, field[1])
    return words + "".join(f"; {number} {word}" for number, word in register.items())


def _rule(type_: int) -> str:
    """Return the CDDL rule of one message."""
    name, table = MESSAGES[type_]
    reserved = " (reserved)" if name in RESERVED else ""
    lines = [f"; {type_:02X} {SUMMARIES[name]}{reserved}", f"{name} = {{"]
    for field in table:
        optional = "  " if field[3] else "? "
        entry = f"  {optional}{field[0]:2}: {_type(field)},"
        lines.append(f"{entry:42}; {field[1]}: {_comment(name, field)}")
    return "\n".join([*lines, "  newer,", "}"])


def render() -> str:
    """Return the whole of `weldgate.cddl`."""
    names = " /\n  ".join(name for name, _ in MESSAGES.values())
    parts = [_HEAD, "payload =\n  ", names, "\n", _PRELUDE]
    for title, low, high in _GROUPS:
        rules = [_rule(type_) for type_ in sorted(MESSAGES) if low <= type_ < high]
        parts.append(f"\n; ---- {title} ----\n\n" + "\n\n".join(rules) + "\n")
    return "".join(parts)


def _bounds(field: "Field") -> str:
    """Return a field's bounds in words."""
    _, _, kind, _, low, high = field
    if kind == "bool":
        return ""
    unit = {"bytes": " bytes", "text": " bytes", "uints": " items", "ids": " ids", "map": " pairs"}.get(kind, "")
    if low == high:
        return f"{low}{unit}"
    return f"{low} to {'2^32 - 1' if high == 0xFFFFFFFF else high}{unit}"


def tables_markdown() -> str:
    """Return SPEC.md's message tables."""
    parts = []
    for title, low, high in _GROUPS:
        parts.append(f"### {title.capitalize()}\n")
        for type_ in sorted(MESSAGES):
            if not low <= type_ < high:
                continue
            name, table = MESSAGES[type_]
            reserved = " *Reserved.*" if name in RESERVED else ""
            parts.append(f"#### {type_:02X} {name}\n\n{SUMMARIES[name][0].upper()}{SUMMARIES[name][1:]}.{reserved}\n")
            parts.append("| key | name | kind | | bounds | meaning |\n|---|---|---|---|---|---|")
            for field in table:
                need = "required" if field[3] else "optional"
                row = (str(field[0]), field[1], field[2], need, _bounds(field), _comment(name, field))
                parts.append("| " + " | ".join(row) + " |")
            parts.append("")
    return "\n".join(parts)


def reasons_markdown() -> str:
    """Return SPEC.md's register of reasons."""
    lines = ["| number | name | what happened, and what to do | 中文 |", "|---|---|---|---|"]
    for number in sorted(TEXTS):
        name, zh, en, next_zh, next_en = TEXTS[number]
        lines.append(f"| {number} | {name} | {en}. *{next_en}.* | {zh}。*{next_zh}。* |")
    return "\n".join(lines) + "\n"


def example_markdown() -> str:
    """Return SPEC.md's worked example: one heartbeat, from fields to wire."""
    key = bytes(range(32))
    payload = encode(HEARTBEAT, {"gate": 2, "alarms": [], "highest": 18, "acked": 17, "spool_permille": 3, **_QUIET})
    device = (1234567890123456789).to_bytes(8, "big")
    body = encode_body(QUALITY_SYNCED, HEARTBEAT, device, bytes.fromhex("5e7d7e81"), 7, 1795500000, 42, payload)
    raw = seal(body, HmacKey(key))
    rows = (
        ("key", key),
        ("header", body[:26]),
        ("payload", payload),
        ("tag", raw[-8:]),
        ("CRC", crc16_x25(raw).to_bytes(2, "big")),
        ("wire", to_wire(raw)),
    )
    lines = ["Example: a heartbeat of chip 1234567890123456789, tagged with a key of 00 01 … 1f:", "", "```"]
    for name, data in rows:
        text = data.hex()
        pieces = [text[at : at + 96] for at in range(0, len(text), 96)]
        lines += [f"{name if at == 0 else '':8} {piece}" for at, piece in enumerate(pieces)]
    return "\n".join([*lines, "```", ""])
