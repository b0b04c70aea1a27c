"""Snapshots of a web of objects, put back in place: an explorer needs millions of them, and copies are too dear.

A snapshot holds, for each object that can be reached, what its attributes or items were: a tuple, shared with the
snapshot it was taken after where nothing has changed. Putting it back fills the same objects again, so identity and
bound methods stay right without being looked at. Bytes of flash are held sector by sector and shared alike.
"""

from array import array
from operator import is_
from typing import Any

from weldgate_firmware.config import Config
from weldgate_firmware.profile import Profile
from weldgate_protocol._compat import HmacKey

# Never changed once made, or the same in all worlds; nothing below them is looked at.
FIXED = frozenset((int, float, str, bytes, bool, type(None), type, Config, Profile, HmacKey, memoryview))
PIECE_BYTES = 16384

Snapshot = dict[int, tuple[Any, Any]]


def _same(now: tuple[Any, ...], before: tuple[Any, ...]) -> bool:
    return len(now) == len(before) and all(map(is_, now, before))


def _pieces(data: bytearray, before: "tuple[bytes, ...] | None") -> tuple[bytes, ...]:
    """Cut bytes into pieces, each the very object of the snapshot before where it says the same."""
    pieces = []
    for number, at in enumerate(range(0, len(data), PIECE_BYTES)):
        piece = bytes(data[at : at + PIECE_BYTES])
        if before is not None and before[number] == piece:
            piece = before[number]
        pieces.append(piece)
    return tuple(pieces)


def _held(one: Any, before: "tuple[Any, ...] | None") -> "tuple[Any, ...] | None":
    """Return what an object holds now; None where nothing in it can change."""
    kind = type(one)
    if kind is bytearray:
        return _pieces(one, before)
    if kind is array:
        held = one.tobytes()
        return before if before is not None and before[0] == held else (held,)
    if kind is list or kind is set:
        return tuple(one)
    if kind is dict:
        return (*one.keys(), *one.values())
    if kind is tuple:
        return one
    if hasattr(one, "__self__"):
        return (one.__self__,)
    return tuple(vars(one).values())


def take(root: Any, after: "Snapshot | None" = None, fixed: "frozenset[int]" = frozenset()) -> Snapshot:
    """Take a snapshot of all that can be reached from an object.

    Args:
        root: where to begin.
        after: an older snapshot to share with.
        fixed: ids of objects that are not to be looked at.
    """
    after = after if after is not None else {}
    taken: Snapshot = {}
    waiting = [root]
    while waiting:
        one = waiting.pop()
        key = id(one)
        kind = type(one)
        if kind in FIXED or key in taken or key in fixed:
            continue
        before = after.get(key)
        if before is not None and before[0] is not one:
            before = None
        held = _held(one, before[1] if before is not None else None)
        taken[key] = before if before is not None and _same(held, before[1]) else (one, held)
        if kind is not bytearray and kind is not array:
            waiting.extend(held)
    return taken


def put_back(taken: Snapshot) -> None:
    """Make every object what it was when the snapshot was taken."""
    for one, held in taken.values():
        kind = type(one)
        if kind is bytearray:
            at = 0
            for piece in held:
                one[at : at + len(piece)] = piece
                at += len(piece)
        elif kind is array:
            memoryview(one).cast("B")[:] = held[0]
        elif kind is list:
            one[:] = held
        elif kind is set:
            one.clear()
            one.update(held)
        elif kind is dict:
            half = len(held) // 2
            one.clear()
            one.update(zip(held[:half], held[half:], strict=True))
        elif kind is not tuple and not hasattr(one, "__self__"):
            attributes = vars(one)
            attributes.update(zip(attributes, held, strict=True))  # their names are all there from the constructor on
