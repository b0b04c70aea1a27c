"""Fields against their table: what a message's pairs may be, both ways. Knows kinds, knows no message.

A field is (key, name, kind, required, low, high). The kinds, and what low and high bound:

    uint, int      the value
    bytes, text    the length in bytes
    uints          list of uint: the number of items; each item is at most 65535
    ids            list of 8-byte ids: the number of items
    map            map with integer keys: the number of pairs
    bool           nothing (0, 0)
"""

from weldgate_protocol import reasons
from weldgate_protocol.errors import EncodeError, MessageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Field = tuple[int, str, str, bool, int, int]
    Fields = dict[str | int, Any]


def _check_value(value: "Any", field: "Field") -> int:
    """Return 0 when the value fits its field, else MESSAGE_FIELD_TYPE or MESSAGE_FIELD_RANGE."""
    kind, low, high = field[2], field[4], field[5]
    if kind == "uint" or kind == "int":
        if type(value) is not int:
            return reasons.MESSAGE_FIELD_TYPE
        size = value
    elif kind == "bool":
        return 0 if type(value) is bool else reasons.MESSAGE_FIELD_TYPE
    elif kind == "text":
        if not isinstance(value, str):
            return reasons.MESSAGE_FIELD_TYPE
        size = _text_bytes(value)
    elif kind == "bytes":
        if not isinstance(value, bytes):
            return reasons.MESSAGE_FIELD_TYPE
        size = len(value)
    else:
        if not isinstance(value, dict if kind == "map" else list):
            return reasons.MESSAGE_FIELD_TYPE
        size = len(value)
        if kind != "map":
            for item in value:
                code = _check_item(item, kind)
                if code:
                    return code
    return 0 if low <= size <= high else reasons.MESSAGE_FIELD_RANGE


def _text_bytes(value: str) -> int:
    """Return the length of the text's UTF-8; a text that has none is counted, and refused by `cbor`."""
    try:
        return len(value.encode())
    except UnicodeError:
        return len(value)


def _check_item(item: "Any", kind: str) -> int:
    """Return 0 when the item fits a list of this kind, else the reason."""
    if kind == "ids":
        if not isinstance(item, bytes):
            return reasons.MESSAGE_FIELD_TYPE
        return 0 if len(item) == 8 else reasons.MESSAGE_FIELD_RANGE
    if type(item) is not int:
        return reasons.MESSAGE_FIELD_TYPE
    return 0 if 0 <= item <= 0xFFFF else reasons.MESSAGE_FIELD_RANGE


def _complaint(name: str, field: "Field") -> str:
    """Say what the field wanted."""
    return "%s.%s: wants %s, %d to %d" % (name, field[1], field[2], field[4], field[5])


def to_pairs(name: str, table: "tuple[Field, ...]", fields: "Mapping[Any, Any]") -> "dict[int, Any]":
    """Return the pairs to be encoded, value by key.

    Args:
        name: the message's name, for errors.
        table: its fields.
        fields: value by field name; None means absent. Integer keys that the table does not know pass through.

    Raises:
        EncodeError: MESSAGE_MISSING, MESSAGE_FIELD_TYPE, MESSAGE_FIELD_RANGE or MESSAGE_UNKNOWN_KEY.
    """
    pairs: "dict[int, Any]" = {}
    used = 0
    for field in table:
        if field[1] in fields:
            used += 1
        value = fields.get(field[1])
        if value is None:
            if field[3]:
                raise EncodeError(reasons.MESSAGE_MISSING, "%s without %s" % (name, field[1]))
            continue
        code = _check_value(value, field)
        if code:
            raise EncodeError(code, _complaint(name, field))
        pairs[field[0]] = value
    if used != len(fields):
        numbers = [field[0] for field in table]
        for key in fields:
            if type(key) is int and key not in numbers:
                pairs[key] = fields[key]
                used += 1
    if used != len(fields):
        raise EncodeError(reasons.MESSAGE_UNKNOWN_KEY, "%s has %d fields, not all of these" % (name, len(table)))
    return pairs


def from_pairs(name: str, table: "tuple[Field, ...]", pairs: "dict[int, Any]", keep: bool) -> "Fields":
    """Return the fields of decoded pairs, value by name.

    Args:
        name: the message's name, for errors.
        table: its fields.
        pairs: value by key.
        keep: whether pairs that the table does not know stay, under their key.

    Raises:
        MessageError: MESSAGE_MISSING, MESSAGE_FIELD_TYPE or MESSAGE_FIELD_RANGE.
    """
    fields: "Fields" = {}
    for field in table:
        if field[0] not in pairs:
            if field[3]:
                raise MessageError(reasons.MESSAGE_MISSING, "%s without key %d (%s)" % (name, field[0], field[1]))
            continue
        value = pairs[field[0]]
        code = _check_value(value, field)
        if code:
            raise MessageError(code, _complaint(name, field))
        fields[field[1]] = value
    if keep and len(fields) != len(pairs):
        known = [field[0] for field in table]
        for key in pairs:
            if key not in known:
                fields[key] = pairs[key]
    return fields
