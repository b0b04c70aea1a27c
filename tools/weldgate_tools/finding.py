"""What `weldgate doctor` found: one thing that was looked at, and what to do about it."""

from dataclasses import dataclass

__all__ = ["BAD", "GOOD", "NOTE", "Finding"]

GOOD, NOTE, BAD = "ok", "note", "bad"


@dataclass
class Finding:
    """One thing that was looked at.

    Attributes:
        what: the thing.
        state: `ok`, `note` (works without it) or `bad` (needs doing).
        found: what was seen.
        do: the next step, empty when there is none.
    """

    what: str
    state: str
    found: str
    do: str = ""
