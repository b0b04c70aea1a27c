"""The highest number of each line, sixteen bytes a line: half a million lines in ten megabytes, not in a hundred.

A line is known by twelve bytes, device ‖ epoch, as they stand in every frame's header. Its number follows them, u32, in
one of many byte strings that are searched from end to end; which one, the key's hash says. Lines are never removed but
by ``pop``, and there are as many strings as a province's lines want: some thirty in each.

Most of those that are asked for are the lines of chips that send just now. So the lines that are set first after a
start stand in a dictionary in front, as many as it takes: a tenth of the collector's CPU at a steady rate. It turns
none out when it is full: to write all back would hold frames up for 27 ms, one at a time costs more than it saves.
"""

from collections.abc import Iterable, Iterator
from struct import Struct

__all__ = ["HighTable", "line_key"]

_KEY = Struct(">QI")
_ENTRY = Struct(">QII")
_BUCKETS = 16_384  # a power of two
_FRONT_MAX = 32_768  # 5 MB
_KEY_BYTES, _ENTRY_BYTES = _KEY.size, _ENTRY.size

line_key = _KEY.pack
"""(device, epoch) → 12 bytes, big-endian."""


class HighTable:
    """Twelve bytes → a u32."""

    __slots__ = ("_buckets", "_count", "_front")

    def __init__(self, highs: Iterable[tuple[int, int, int]] = ()) -> None:
        """Begin with what is known.

        Args:
            highs: (device, epoch, number); of a line's several the highest counts.
        """
        self._buckets: dict[int, bytearray] = {}  # made when there is something in it
        self._count = 0
        self._front: dict[bytes, int] = {}  # lines that are in a string too, whose number there is an older one
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
        front = self._front.get(key)
        if front is not None:
            return front
        bucket = self._buckets.get(hash(key) & (_BUCKETS - 1), b"")
        at = _place(bucket, key)
        return 0 if at < 0 else int.from_bytes(bucket[at + _KEY_BYTES : at + _ENTRY_BYTES], "big")

    def put(self, key: bytes, high: int) -> None:
        """Set a line's number."""
        front = self._front
        if key not in front:
            self._keep(key, high)
            if len(front) >= _FRONT_MAX:
                return
        front[key] = high

    def _keep(self, key: bytes, high: int) -> None:
        """Write a line's number into its string."""
        bucket = self._bucket(key)
        at = _place(bucket, key)
        if at < 0:
            bucket += key + high.to_bytes(4, "big")
            self._count += 1
        else:
            bucket[at + _KEY_BYTES : at + _ENTRY_BYTES] = high.to_bytes(4, "big")

    def raise_to(self, key: bytes, high: int) -> None:
        """Set a line's number unless it has a higher one."""
        if high > self.get(key):
            self.put(key, high)

    def pop(self, key: bytes) -> int:
        """Forget a line and return its number, 0 for one that isn't known."""
        high = self.get(key)
        self._front.pop(key, None)
        bucket = self._bucket(key)
        at = _place(bucket, key)
        if at < 0:
            return 0
        del bucket[at : at + _ENTRY_BYTES]
        self._count -= 1
        return high

    def copy(self) -> "HighTable":
        """Return another table with the same lines."""
        other = HighTable()
        other._front = self._front.copy()
        other._buckets = {number: bucket[:] for number, bucket in self._buckets.items()}
        other._count = self._count
        return other

    def rows(self) -> Iterator[tuple[int, int, int]]:
        """Yield (device, epoch, number) of each line, in no order; the table must not change meanwhile."""
        front = self._front
        for bucket in self._buckets.values():
            for device, epoch, high in _ENTRY.iter_unpack(bucket):
                yield device, epoch, front.get(line_key(device, epoch), high)

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
