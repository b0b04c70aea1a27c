"""The CBOR subset of the wire, both ways: RFC 8949 §4.2 deterministic, one encoding for each value.

Allowed are integers from -2^63 to 2^64 - 1, byte strings, valid UTF-8 text, arrays, maps with integer keys in
ascending order of their encoding, false, true and null; nesting to depth 4 (a scalar has depth 0, a flat map 1).
No tags, no floats, no indefinite lengths, no other simple values, nothing after the item.

At most 256 items, keys counted, unless the caller allows more: reading is done in one go, and on the chip nothing may
hold the interpreter longer than 20 ms while the relay is closed (1021 items of one byte took 5.6 M instructions on
x86-64, 44 ms at 8 ns; 256 take 13).

Whatever decodes here encodes to the same bytes again, so a signature or tag over the bytes is one over the value.
"""

from weldgate_protocol import reasons
from weldgate_protocol._compat import const, utf8_valid
from weldgate_protocol.errors import CborError, EncodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    Value = int | bytes | str | bool | None | list["Value"] | dict[int, "Value"]

DEPTH_MAX = const(4)
ITEMS_MAX = const(256)
INT_MIN = -(1 << 63)
INT_MAX = (1 << 64) - 1

_UINT = const(0)
_NEGATIVE = const(1)
_BYTES = const(2)
_TEXT = const(3)
_ARRAY = const(4)
_MAP = const(5)
_TAG = const(6)


def encode(value: "Value", items_max: int = ITEMS_MAX) -> bytes:
    """Return the one encoding of the value.

    Args:
        value: what the subset holds.
        items_max: how many items, map keys counted, the reader will take.

    Raises:
        EncodeError: CBOR_TYPE, CBOR_RANGE, CBOR_UTF8, CBOR_DEPTH or CBOR_ITEMS.
    """
    out = bytearray()
    items = _write(out, value, DEPTH_MAX)
    if items > items_max:
        raise EncodeError(reasons.CBOR_ITEMS, "%d items, at most %d" % (items, items_max))
    return bytes(out)


def _write_head(out: bytearray, major: int, argument: int) -> None:
    """Append the initial byte and its argument in the shortest form."""
    lead = major << 5
    if argument < 24:
        out.append(lead | argument)
        return
    if argument < 0x100:
        width, code = 1, 24
    elif argument < 0x10000:
        width, code = 2, 25
    elif argument < 0x100000000:
        width, code = 4, 26
    else:
        width, code = 8, 27
    out.append(lead | code)
    out.extend(argument.to_bytes(width, "big"))


def _write_int(out: bytearray, value: int) -> None:
    """Append an integer."""
    if not INT_MIN <= value <= INT_MAX:
        raise EncodeError(reasons.CBOR_RANGE, "integer outside -2^63 to 2^64 - 1")
    if value >= 0:
        _write_head(out, _UINT, value)
    else:
        _write_head(out, _NEGATIVE, -1 - value)


def _write_text(out: bytearray, value: str) -> None:
    """Append a text string."""
    try:
        data = value.encode()
    except UnicodeError:
        data = b"\xff"  # CPython refuses a lone surrogate itself, MicroPython writes it out: neither passes below
    if not utf8_valid(data):
        raise EncodeError(reasons.CBOR_UTF8, "text that has no UTF-8")
    _write_head(out, _TEXT, len(data))
    out.extend(data)


def _write_map(out: bytearray, value: "dict[int, Value]", depth: int) -> int:
    """Append a map, its pairs in the order of their encoded keys; return how many items are in it."""
    keys = []
    for key in value:
        if type(key) is not int:
            raise EncodeError(reasons.CBOR_TYPE, "map key of type %s, only integers" % type(key).__name__)
        keys.append(key)
    # Encoded order: 0, 1, 2 … and then -1, -2, -3 …
    keys.sort(key=lambda key: (key < 0, key if key >= 0 else -key))
    _write_head(out, _MAP, len(keys))
    items = len(keys)
    for key in keys:
        _write_int(out, key)
        items += _write(out, value[key], depth)
    return items


def _write(out: bytearray, value: "Value", depth: int) -> int:
    """Append a value; return how many items it is. depth is how many containers may still open."""
    if value is None:
        out.append(0xF6)
    elif value is True:
        out.append(0xF5)
    elif value is False:
        out.append(0xF4)
    elif type(value) is int:
        _write_int(out, value)
    elif isinstance(value, (bytes, bytearray, memoryview)):
        _write_head(out, _BYTES, len(value))
        out.extend(value)
    elif isinstance(value, str):
        _write_text(out, value)
    elif isinstance(value, (list, dict)):
        if depth == 0:
            raise EncodeError(reasons.CBOR_DEPTH, "nesting deeper than 4")
        if isinstance(value, dict):
            return 1 + _write_map(out, value, depth - 1)
        _write_head(out, _ARRAY, len(value))
        items = 1
        for item in value:
            items += _write(out, item, depth - 1)
        return items
    else:
        raise EncodeError(reasons.CBOR_TYPE, "no CBOR for a value of type %s" % type(value).__name__)
    return 1


def decode(data: "bytes | bytearray | memoryview", items_max: int = ITEMS_MAX) -> "Value":
    """Return the value of exactly one item.

    Args:
        data: the item's bytes and nothing more.
        items_max: how many items, map keys counted, are read at most.

    Raises:
        CborError: CBOR_TRUNCATED, CBOR_TRAILING, CBOR_NOT_CANONICAL, CBOR_TYPE, CBOR_DEPTH, CBOR_KEY_ORDER,
            CBOR_DUPLICATE_KEY, CBOR_UTF8, CBOR_RANGE or CBOR_ITEMS: whichever is met first, reading from the left.
    """
    reader = _Reader(data, items_max)
    value = reader.item(DEPTH_MAX)
    if reader.pos != reader.end:
        raise CborError(reasons.CBOR_TRAILING, "%d bytes after the item" % (reader.end - reader.pos))
    return value


class _Reader:
    """A place in the data; never reads or allocates past what is there."""

    def __init__(self, data: "bytes | bytearray | memoryview", items_max: int) -> None:
        self.data = data
        self.items_left = items_max
        self.end = len(data)
        self.pos = 0

    def head(self) -> "tuple[int, int]":
        """Read an initial byte and its argument: (major type, argument)."""
        pos = self.pos
        if pos >= self.end:
            raise CborError(reasons.CBOR_TRUNCATED, "an item is missing at offset %d" % pos)
        if self.items_left == 0:
            raise CborError(reasons.CBOR_ITEMS, "more items than allowed at offset %d" % pos)
        self.items_left -= 1
        lead = self.data[pos]
        info = lead & 0x1F
        if info < 24:
            self.pos = pos + 1
            return lead >> 5, info
        if info > 27 or lead >= 0xE0:  # indefinite, reserved, float or a two-byte simple value
            raise CborError(reasons.CBOR_TYPE, "initial byte %02x at offset %d is not in the subset" % (lead, pos))
        width = 1 << (info - 24)
        stop = pos + 1 + width
        if stop > self.end:
            raise CborError(reasons.CBOR_TRUNCATED, "argument at offset %d is cut off" % pos)
        argument = int.from_bytes(self.data[pos + 1 : stop], "big")
        if argument < 24 or (width > 1 and argument >> (width << 2) == 0):
            raise CborError(reasons.CBOR_NOT_CANONICAL, "argument at offset %d is not in its shortest form" % pos)
        self.pos = stop
        return lead >> 5, argument

    def item(self, depth: int) -> "Value":
        """Read one item; depth is how many containers may still open."""
        start = self.pos
        major, argument = self.head()
        if major == _UINT:
            return argument
        if major == _NEGATIVE:
            if argument >> 63:
                raise CborError(reasons.CBOR_RANGE, "integer below -2^63 at offset %d" % start)
            return -1 - argument
        if major <= _TEXT:
            return self.string(major, argument)
        if major <= _MAP:
            if depth == 0:
                raise CborError(reasons.CBOR_DEPTH, "nesting deeper than 4 at offset %d" % start)
            # Each item takes a byte at least: a claimed count is never believed beyond the bytes that are there.
            if argument > (self.end - self.pos) >> (major - _ARRAY):
                raise CborError(reasons.CBOR_TRUNCATED, "%d items claimed at offset %d" % (argument, start))
            if major == _MAP:
                return self.map(argument, depth - 1)
            return [self.item(depth - 1) for _ in range(argument)]
        if major == _TAG or argument < 20 or argument > 22:
            raise CborError(reasons.CBOR_TYPE, "initial byte %02x at offset %d" % (self.data[start], start))
        return None if argument == 22 else argument == 21

    def string(self, major: int, size: int) -> "bytes | str":
        """Read the content of a byte or text string."""
        start = self.pos
        if size > self.end - start:
            raise CborError(reasons.CBOR_TRUNCATED, "string of %d bytes at offset %d is cut off" % (size, start))
        self.pos = start + size
        content = bytes(self.data[start : self.pos])
        if major == _BYTES:
            return content
        if not utf8_valid(content):
            raise CborError(reasons.CBOR_UTF8, "text at offset %d is not UTF-8" % start)
        return content.decode()

    def map(self, count: int, depth: int) -> "dict[int, Value]":
        """Read the pairs of a map."""
        pairs: "dict[int, Value]" = {}
        last = -1  # rank of the key before: 0, 1, 2 … for non-negative keys, then 2^64 + n for -1 - n
        for _ in range(count):
            start = self.pos
            major, argument = self.head()
            if major > _NEGATIVE:
                raise CborError(reasons.CBOR_TYPE, "map key at offset %d is no integer" % start)
            if major == _NEGATIVE and argument >> 63:
                raise CborError(reasons.CBOR_RANGE, "integer below -2^63 at offset %d" % start)
            rank = argument if major == _UINT else argument + (1 << 64)
            if rank <= last:
                if rank == last:
                    raise CborError(reasons.CBOR_DUPLICATE_KEY, "map key at offset %d comes twice" % start)
                raise CborError(reasons.CBOR_KEY_ORDER, "map key at offset %d is out of order" % start)
            last = rank
            pairs[argument if major == _UINT else -1 - argument] = self.item(depth)
        return pairs
