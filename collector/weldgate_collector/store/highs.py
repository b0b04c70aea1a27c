"""The highest number of each line, sixteen bytes a line: half a million lines in ten megabytes, not in a hundred.

A line is known by twelve bytes, device ‖ epoch, as they stand in every frame's header. Its number follows them, u32, in
one of many byte strings that are searched from end to end; which one, the key's hash says. Lines are never removed but
by ``pop``, and there are as many strings as a province's lines want: some thirty in each.

Most of those that are asked for are the lines of chips that send just now. What was set last stands in front, at a
place that the key's hash says, until another line takes it: a tenth of the collector's CPU at a steady rate. Each goes
back by itself; all at once, when a table in front is full, would hold frames up for 27 ms.
"""

from collections.abc import Iterable, Iterator
from struct import Struct

__all__ = ["HighTable", "line_key"]

_KEY = Struct(">QI")
_ENTRY = Struct(">QII")
_BUCKETS = 16_384  # a power of two
_RECENT = 32_768  # a power of two; 5 MB at most
_KEY_BYTES, _ENTRY_BYTES = _KEY.size, _ENTRY.size

line_key = _KEY.pack
"""(device, epoch) → 12 bytes, big-endian."""


class HighTable:
    """Twelve bytes → a u32."""

    __slots__ = ("_buckets", "_count", "_recent")

    def __init__(self, highs: Iterable[tuple[int, int, int]] = ()) -> None:
        """Begin with what is known.

        Args:
            highs: (device, epoch, number); of a line's several the highest counts.
        """
        self._buckets: dict[int, bytearray] = {}  # made when there is something in it
        self._count = 0
        self._recent: list[tuple[bytes, int] | None] = [None] * _RECENT  # set last; the strings have older numbers
        for device, epoch, high in highs:
            key = line_key(device, epoch)
            bucket = self._bucket(key)
            if key in bucket or not high:
                self.raise_to(key, high)
            else:
                bucket += _ENTRY.pack(device, epoch, high)
                self._count += 1

    def __len__(self) -> int:
        return self._count

    def get(self, key: bytes) -> int:
        """Return a line's number, 0 for one that isn't known."""
        recent = self._recent[hash(key) & (_RECENT - 1)]
        if recent is not None and recent[0] == key:
            return recent[1]
        bucket = self._buckets.get(hash(key) & (_BUCKETS - 1), b"")
        at = _place(bucket, key)
        return 0 if at < 0 else int.from_bytes(bucket[at + _KEY_BYTES : at + _ENTRY_BYTES], "big")

    def put(self, key: bytes, high: int) -> None:
        """Set a line's number."""
        place = hash(key) & (_RECENT - 1)
        recent = self._recent[place]
        if recent is None or recent[0] != key:
            if recent is not None:
                self._keep(*recent)
            self._keep(key, high)
        self._recent[place] = (key, high)

    def _keep(self, key: bytes, high: int) -> None:
        """Write a line's number into its string."""
        bucket = self._bucket(key)
        at = _place(bucket, key)
        if at < 0:
            bucket += key + high.to_bytes(4, "big")
            self._count += 1
        else:
            bucket[at + _KEY_BYTES : at + _ENTRY_BYTES] = high.to_bytes(4, "big")

    def _write_back(self) -> None:
        for recent in filter(None, self._recent):
            self._keep(*recent)
        self._recent = [None] * _RECENT

    def raise_to(self, key: bytes, high: int) -> None:
        """Set a line's number unless it has a higher one."""
        if high > self.get(key):
            self.put(key, high)

    def pop(self, key: bytes) -> int:
        """Forget a line and return its number, 0 for one that isn't known."""
        high = self.get(key)
        place = hash(key) & (_RECENT - 1)
        recent = self._recent[place]
        if recent is not None and recent[0] == key:
            self._recent[place] = None
        bucket = self._bucket(key)
        at = _place(bucket, key)
        if at < 0:
            return 0
        del bucket[at : at + _ENTRY_BYTES]
        self._count -= 1
        return high

    def copy(self) -> "HighTable":
        """Return another table with the same lines."""
        self._write_back()
        other = HighTable()
        other._buckets = {number: bucket[:] for number, bucket in self._buckets.items()}
        other._count = self._count
        return other

    def rows(self) -> Iterator[tuple[int, int, int]]:
        """Yield (device, epoch, number) of each line, in no order; the table must not change meanwhile."""
        self._write_back()
        for bucket in self._buckets.values():
            yield from _ENTRY.iter_unpack(bucket)

    def _bucket(self, key: bytes) -> bytearray:
        number = hash(key) & (_BUCKETS - 1)
        bucket = self._buckets.get(number)
        if bucket is None:
            bucket = self._buckets[number] = bytearray()
        return bucket


def _place(bucket: bytes | bytearray, key: bytes) -> int:
    """Return where a line's entry begins, -1 for nowhere."""
    at = bucket.find(key)
    while at > 0 and at % _ENTRY_BYTES:  # bytes of two entries that look like this key
        at = bucket.find(key, at + 1)
    return at
