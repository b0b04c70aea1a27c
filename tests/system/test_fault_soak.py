"""The soak's faults that no other test does, small: each on a running site, each followed by the counting of the sets.

The rest of them, and these at length, are `make soak`.
"""

from collections.abc import Iterator

import pytest

from weldgate_simulator.soak import ALL_FAULTS, platform_late
from weldgate_simulator.soak_site import Site, Size

SEED = 7
SMALL = Size(chips=4, rate=240.0, pause_s=0.2, segment_rows=200, settle_s=15.0)
NAMES = (
    "packs-spoiled", "wire-cut", "uplink-cut", "clock-jumps", "fsync-fails", "quota-full", "file-copied-back",
)  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return a site whose platform came late."""
    with Site(tmp_path_factory.mktemp("soak"), SEED, SMALL, consumer=False) as running:
        platform_late(running)
        yield running


def judge(site: Site) -> None:
    """Let everything calm down, and count."""
    found = site.settle()
    print(found)
    assert (found.lost, found.doubled) == ([], []), f"seed {SEED}"


@pytest.mark.broker
@pytest.mark.slow
def test_platform_that_starts_late_gets_everything_once(site: Site) -> None:
    """Traffic was acknowledged for a while before there was a platform: all of it arrives, once."""
    assert site.traffic.acknowledged > 0

    judge(site)


@pytest.mark.broker
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_fault_loses_and_doubles_nothing(site: Site, name: str) -> None:
    """What was acknowledged is stored when the fault ends, and in the end every set follows from the one before."""
    fault = ALL_FAULTS[name]
    if lacking := fault.lacking():
        pytest.skip(lacking)

    lost = fault.do(site)

    assert lost == [], f"seed {SEED}"
    judge(site)
