"""What `weldgate doctor` says of a running collector's operation."""

from typing import Any

import pytest

from weldgate_tools.finding import BAD, GOOD, NOTE
from weldgate_tools.operation_findings import examine_operation

HEALTH: dict[str, Any] = {
    "configuration": {"trouble": "", "restart_needed": []}, "connections": 5,
    "connections_allowed": 100, "chips_known": 9,
    "uptime_s": 5, "chips_slowed": [], "bad_tag_sources": [], "bad_tags": 0, "conflicts": 0,
}  # fmt: skip


def states(**changes: Any) -> dict[str, str]:
    """Return the state of each finding."""
    return {finding.what: finding.state for finding in examine_operation({**HEALTH, **changes})}


def test_sound_collector() -> None:
    """Nothing to do."""
    assert set(states().values()) == {GOOD}
    assert set(states(configuration={}).values()) == {GOOD}


@pytest.mark.parametrize(
    ("what", "state", "changes"),
    [
        ("configuration in force", BAD, {"configuration": {"trouble": "line 3", "restart_needed": []}}),
        ("configuration in force", NOTE, {"configuration": {"trouble": "", "restart_needed": ["tcp.port"]}}),
        ("connections", BAD, {"connections": 95}),
        ("connections", BAD, {"chips_known": 91}),
        ("chips in force", BAD, {"chips_trouble": "chips.jsonl: mode 0644"}),
        ("pace", NOTE, {"chips_slowed": ["7"]}),
        ("wrong tags", BAD, {"bad_tag_sources": [{"source": "a", "bad_tags": 9, "throttled": True}]}),
        ("wrong tags", GOOD, {"bad_tag_sources": [{"source": "a", "bad_tags": 9, "throttled": False}]}),
        ("conflicts", BAD, {"conflicts": 1}),
    ],
)
def test_each_trouble_is_named(what: str, state: str, changes: dict[str, Any]) -> None:
    """With what to do."""
    assert states(**changes)[what] == state
    for finding in examine_operation({**HEALTH, **changes}):
        assert bool(finding.do) == (finding.state != GOOD)
