"""The composed driver explored: what belongs together as deep as a test run allows, all events less deep.

`make explore` goes the whole way. What may happen and what must hold is `explored_world`'s, which worlds count as equal
is `explored_state`'s; that merging them loses nothing is tested here by samples.
"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package

import explore
from explore import ALPHABET, PAIRS, THEMES, Explorer, names_of

from weldgate_firmware import gate

DEPTHS = {"start": 12, "button": 12, "senses": 9, "supply": 6, "holds": 5, "limits": 6, "flash": 5}
ALL_DEPTH = 2
COMPARE = 40  # one in so many merged worlds is held against its like

# What no input of the driver posts in that state, by its own rules; the table answers it all the same.
NEVER_POSTED = frozenset(
    (
        *("LOCKED LOCAL_ACT", "IDLE LOCAL_ACT", "COMMITTING LOCAL_ACT", "LIVE LOCAL_ACT", "ENDING LOCAL_ACT"),
        *("LATCHED LOCAL_ACT", "ARMED HARD_END", "ENDING SOFT_END", "COMMITTING TOKEN_ACCEPTED"),
    )
)


def test_names_are_the_themes() -> None:
    """Each theme is made of events that there are, and each event is some theme's."""
    assert set(DEPTHS) == set(THEMES)
    assert {event for theme in THEMES.values() for event in theme} == set(ALPHABET)


@pytest.fixture(scope="module")
def found() -> list[Explorer]:
    """Explore every theme, and all events together."""
    explorers = [Explorer(THEMES[name], COMPARE).explore(depth) for name, depth in DEPTHS.items()]
    return [*explorers, Explorer(ALPHABET, COMPARE).explore(ALL_DEPTH)]


def test_every_sequence_keeps_the_promises(found: list[Explorer]) -> None:
    """No sequence of events breaks a promise (it would have raised), and there were many."""
    assert sum(sum(one.states) for one in found) > 4000
    assert sum(one.edges for one in found) > 20000
    assert {state for one in found for state in one.by_state} == set(range(gate.LOCKED, gate.LATCHED + 1))


def test_merged_worlds_have_the_same_future(found: list[Explorer]) -> None:
    """Each event leads two worlds that were merged to worlds that are merged again: sampled in all themes."""
    mismatches = [mismatch for one in found for mismatch in one.mismatches]

    assert not mismatches, mismatches[:3]
    assert sum(one.compared for one in found) > 3000


def test_digest_that_leaves_something_out_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were all but gate and relay left out of what is compared, the samples would show different futures."""
    whole = explore.digest
    monkeypatch.setattr(explore, "digest", lambda world: whole(world)[:1])

    assert Explorer(THEMES["start"], 1).explore(3).mismatches


def test_every_pair_of_the_table_is_hit(found: list[Explorer]) -> None:
    """Every row of the table was posted to the composed driver, by its inputs or, where these never do, directly."""
    posted = {pair for one in found for pair in one.world.posted}
    direct: set[int] = set()
    for one in found:
        direct |= one.post(set(PAIRS - posted - direct))

    assert not PAIRS - posted - direct, names_of(set(PAIRS - posted - direct))
    assert len(PAIRS & posted) >= 50
    assert not NEVER_POSTED & set(names_of(set(PAIRS & posted)))
