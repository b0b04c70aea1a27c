"""Addresses from which bad tags came: counted, kept out for a while, bounded, told once a minute."""

from structlog.testing import capture_logs

from weldgate_collector.sources import STRIKES_MAX, Sources


def test_three_strikes_keep_an_address_out_until_its_time_is_over() -> None:
    """Two do not; an hour between them does not either; nobody else is harmed."""
    now = [0.0]
    sources = Sources(30.0, lambda: now[0])

    sources.strike("a", 1)
    sources.strike("a", 1)
    assert not sources.throttled("a")
    now[0] = 3_600.0
    sources.strike("a", 1)
    assert not sources.throttled("a")
    sources.strike("a", 1)
    sources.strike("a", 1)
    assert sources.throttled("a")
    assert not sources.throttled("b")
    now[0] += 30.0
    assert not sources.throttled("a")


def test_bad_tags_are_counted_by_address_and_the_worst_are_named_first() -> None:
    """With whether they are kept out."""
    sources = Sources(30.0, lambda: 0.0)
    sources.bad_tags("a", 2)
    sources.bad_tags("b", 5)
    sources.strike("b", STRIKES_MAX)

    assert sources.worst(5) == [("b", 5, True), ("a", 2, False)]
    assert sources.worst(1) == [("b", 5, True)]


def test_one_line_a_minute() -> None:
    """A thousand attempts fill no disk."""
    now = [0.0]
    sources = Sources(0.0, lambda: now[0])
    with capture_logs() as lines:
        for _ in range(1_000):
            sources.strike("a", STRIKES_MAX)
        now[0] = 61.0
        sources.strike("a", STRIKES_MAX)

    assert [line["times"] for line in lines] == [1, 1_000]


def test_addresses_are_bounded() -> None:
    """The one that was not heard of for longest is forgotten."""
    sources = Sources(30.0, lambda: 0.0)
    for number in range(10_001):
        sources.bad_tags(str(number), 1)

    assert len(sources.worst(20_000)) == 10_000
    assert "0" not in {source for source, _, _ in sources.worst(20_000)}
