"""`weldgate doctor` on the chips' key sets: the fewest days, by what the chips themselves said last."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from tests.tools.conftest import write_store

from weldgate_protocol import messages
from weldgate_protocol.collector_record import RECORD_PRESENCE, Record, encode_record
from weldgate_protocol.frame import encode_body
from weldgate_tools.finding import BAD, GOOD
from weldgate_tools.key_set_findings import examine_key_sets
from weldgate_tools.site import Site

Run = Callable[..., Result]
BEAT = {"gate": 2, "alarms": [], "highest": 0, "acked": 0, "spool_permille": 0, "current_ma": 0, "uptime_s": 1}


@pytest.fixture
def site(run: Run, tmp_path: Path) -> Site:
    """A site that is not served."""
    assert run("init", tmp_path / "site", "--chips", 1).exit_code == 0
    return Site(tmp_path / "site")


def presence(number: int, days: int | None, ago_s: int = 60) -> tuple[int, int, int, int, int, int, bytes]:
    """Return a presence record as a store's row."""
    device = number.to_bytes(8, "big")
    payload = messages.encode(messages.HEARTBEAT, {**BEAT, "key_set_days": days})
    raw = encode_body(2, messages.HEARTBEAT, device, bytes(4), 1, 1_795_500_000, 0, payload) + bytes(8)
    record = encode_record(Record(RECORD_PRESENCE, device, bytes(4), frame=raw, online=True))
    return (int((time.time() - ago_s) * 1000), 2, number, 0, 0, RECORD_PRESENCE, record)


@pytest.mark.parametrize(
    ("days", "low", "text"),
    [
        ([400, 60], False, "60 days left at least"),
        ([400, 59, 12], True, "12 days left at least; fewer than 60 on 2: 3, 2"),
    ],
)
def test_the_fewest_days_are_told(site: Site, days: list[int], low: bool, text: str) -> None:
    """60 is the day at which a new set is signed; below it the chips are named, with the command that helps."""
    write_store(site.folder / "data", [presence(number, left) for number, left in enumerate(days, 1)])

    (finding,) = examine_key_sets(site)

    assert (finding.found, finding.state) == (text, BAD if low else GOOD)
    assert ("key-set" in finding.do) is low


def test_old_words_and_no_words_count_for_nothing(site: Site) -> None:
    """Without a store, without a day's heartbeat, or with one that says nothing, there is nothing to tell."""
    assert list(examine_key_sets(site)) == []
    write_store(site.folder / "data", [presence(1, 12, 90_000), presence(2, None)])

    assert list(examine_key_sets(site)) == []
