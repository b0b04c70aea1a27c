"""Print the claim tables of tokens, orders and key sets: Markdown for SPEC.md, CDDL for `signed.cddl`. Host only.

The tables are those the chip judges by (`token`, `order`, `keyset`), so the documents cannot drift from the code.
"""

from typing import TYPE_CHECKING

from weldgate_protocol import keyset, order, token
from weldgate_protocol.claims import TIME_MAX_S, TIME_MIN_S

if TYPE_CHECKING:
    from weldgate_protocol.claims import Row, Table

__all__ = ["key_set_markdown", "orders_markdown", "render", "token_markdown"]

_TOKEN = {
    "holder": "pseudonym of the welder",
    "device": "the chip it is for",
    "expires_s": "expiry",
    "not_before_s": "begin; absent: issued-at",
    "issued_s": "issued-at",
    "id": "unique id",
    "purpose": "1 start (when absent), 2 maintenance, 5 emergency",
    "domain": "work domain; absent: 0",
    "permit": "id of the permit",
    "permit_from_s": "begin of the permit's window",
    "permit_to_s": "end of the permit's window",
    "limit_s": "longest session in powered seconds",
    "offline_s": "offline allowance in powered seconds",
    "proof": "first 16 bytes of the thumbprint of the holder's own key: a live code is needed",
}
_ORDER = {
    "device": "the chip it is for",
    "expires_s": "expiry",
    "issued_s": "issued-at",
    "id": "unique id",
    "lock": "the lock's id",
    "alarms": "ids of the latched alarms to clear",
    "version": "version of what it brings",
    "settings": "configuration key => value",
    "tokens": "ids of revoked tokens",
    "kids": "ids of revoked issuer keys",
    "mode": "1 soft, 2 now",
    "keys": "the issuer keys, below",
    "wrapped": "the new keys, wrapped",
    "leave_s": "how long leave holds, seconds",
}
_KEY = {
    "kid": "key id",
    "public": "public key, x ‖ y",
    "scopes": "sum of 1 start, 2 maintenance, 4 configuration, 8 update, 16 emergency",
    "area": 'prefix of the area codes it is for; "" = everywhere',
    "max_life_s": "longest life of a token it signs, seconds",
    "not_before_s": "begin of its period",
    "expires_s": "end of its period",
    "alg": "COSE algorithm; -7 is ES256, -65537 SM2 with SM3",
}

_HEAD = """\
; weldgate signed objects, version 1: envelope and claims of tokens, orders and key sets. RFC 8610.
; Printed from the code by protocol/print_tables.py; SPEC.md sections 11 to 13 are the normative text around it.
; Everything is deterministic CBOR (RFC 8949 section 4.2). No tag stands before an envelope.

envelope = [
  protected: bstr .cbor header,
  unprotected: {},
  payload: bstr .cbor claims,
  signature: bstr .size 64,            ; r and s
]

header = {
  1: int,                              ; algorithm, the key's own
  4: id,                               ; key id
}

claims = token-claims / release-claims / clear-alarm-claims / config-claims / revocations-claims / lock-claims /
  rekey-claims / planned-removal-claims / key-set-claims

id = bstr .size 8
unix = 1577836800..4294967295           ; seconds, from 2020 to 2106
value = uint / nint / bstr / tstr / bool / nil / [* value] / {* int => value}
; Claims that a newer issuer adds and an older chip may ignore: labels 24 to 63 only, any other label is refused.
ignorable = (* uint => value)
"""


def _tables() -> "list[tuple[str, Table, dict[str, str]]]":
    """Return every map of claims there is: (rule's name, table, meanings)."""
    orders = [(f"{kind.decode()}-claims", table, _ORDER) for kind, (_, table) in order.TABLES.items()]
    return [
        ("token-claims", token.TABLE, _TOKEN),
        *orders,
        ("key-set-claims", keyset.TABLE, _ORDER),
        ("key", keyset.KEY_TABLE, _KEY),
    ]


def _words(row: "Row") -> str:
    """Return a claim's type in words."""
    _, _, kind, _, low, high = row
    if (low, high) == (TIME_MIN_S, TIME_MAX_S):
        return "time"
    span = str(low) if low == high else f"{low} to {high}"
    return {
        "uint": f"uint, {span}",
        "int": f"int, {span}",
        "bytes": f"{span} bytes",
        "text": f"text, {span} characters",
        "ids": f"list of {span} ids of 8 bytes",
        "map": f"map of {span} pairs",
        "maps": f"list of {span} maps",
    }[kind]


def _markdown(table: "Table", meanings: dict[str, str], skip: tuple[int, ...] = ()) -> list[str]:
    """Return a claim table's lines."""
    lines = ["| label | claim | type | required | meaning |", "|---|---|---|---|---|"]
    for row in table:
        if row[0] not in skip:
            need = "yes" if row[3] else "no"
            lines.append(f"| {row[0]} | {row[1]} | {_words(row)} | {need} | {meanings[row[1]]} |")
    return lines


def token_markdown() -> str:
    """Return the token's claims."""
    return "\n".join(_markdown(token.TABLE, _TOKEN)) + "\n"


def orders_markdown() -> str:
    """Return the claims of each kind of order."""
    lines = ["| kind | scope | claims: label, claim, type |", "|---|---|---|"]
    for kind, (scope, table) in order.TABLES.items():
        cells = [f"{row[0]} {row[1]}{'' if row[3] else ' (optional)'}: {_words(row)}" for row in table]
        lines.append(f"| {kind.decode()} | {scope} | {'; '.join(cells)} |")
    return "\n".join(lines) + "\n"


def key_set_markdown() -> str:
    """Return the claims of a key set, then those of a key in it."""
    lines = [
        *_markdown(keyset.TABLE, _ORDER),
        "",
        "A key:",
        "",
        *_markdown(keyset.KEY_TABLE, _KEY),
    ]
    return "\n".join(lines) + "\n"


def _cddl(row: "Row") -> str:
    """Return a claim's CDDL type."""
    _, name, kind, _, low, high = row
    if (low, high) == (TIME_MIN_S, TIME_MAX_S):
        return "unix"
    size = str(low) if low == high else f"({low}..{high})"
    return {
        "uint": f"{low}..{high}",
        "int": "nint",
        "bytes": "id" if size == "8" else f"bstr .size {size}",
        "text": "tstr",  # .size would count bytes, the bound is in characters
        "ids": f"[{low}*{high} id]",
        "map": f"{{{low}*{high} int => value}}",
        "maps": f"[{low}*{high} {name[:-1]}]",
    }[kind]


def render() -> str:
    """Return `signed.cddl`."""
    parts = [_HEAD]
    for name, table, meanings in _tables():
        lines = [f"{name} = {{"]
        for row in table:
            left = f"  {'' if row[3] else '? '}{row[0]}: {_cddl(row)},"
            lines.append(f"{left:<40} ; {row[1]}: {meanings[row[1]]}")
        parts.append("\n".join([*lines, "  ignorable,", "}"]) + "\n")
    return "\n".join(parts)
