"""The gate's table explored exhaustively: every state that any sequence of events can reach."""

from pathlib import Path

from weldgate_firmware import gate, gate_text
from weldgate_firmware.gate import Gate

EVENTS = (*range(1, gate.EVENT_COUNT + 1), 77)  # 77: no such event
CLOSED = {gate.LIVE, gate.ENDING}


def _step(state: int, event: int) -> tuple[int, tuple[int, ...]]:
    one = Gate()
    one.state = state
    actions = one.post(event)
    return one.state, actions


def _reachable() -> set[int]:
    seen = {Gate().state}
    queue = list(seen)
    while queue:
        state = queue.pop()
        for event in EVENTS:
            after, _ = _step(state, event)
            if after not in seen:
                seen.add(after)
                queue.append(after)
    return seen


def test_every_state_is_reachable() -> None:
    """No state of the table is dead."""
    assert _reachable() == set(gate_text.STATE_NAMES)


def test_relay_follows_the_state_on_every_edge() -> None:
    """The relay as the actions leave it equals what the state promises, on every edge of the whole graph."""
    for state in _reachable():
        for event in EVENTS:
            after, actions = _step(state, event)
            relay = state in CLOSED
            for action in actions:
                relay = {gate.OPEN_RELAY: False, gate.CLOSE_RELAY: True}.get(action, relay)
            assert relay == (after in CLOSED), (state, event)


def test_only_durable_records_close() -> None:
    """CLOSE_RELAY stands on one edge: COMMITTING on RECORDS_DURABLE; COMMITTING is entered by LOCAL_ACT alone."""
    for state in _reachable():
        for event in EVENTS:
            after, actions = _step(state, event)
            if gate.CLOSE_RELAY in actions:
                assert (state, event, after) == (gate.COMMITTING, gate.RECORDS_DURABLE, gate.LIVE)
            if after == gate.COMMITTING and state != gate.COMMITTING:
                assert event == gate.LOCAL_ACT
                assert state in {gate.ARMED, gate.SUSPENDED}
            if after == gate.ARMED and state != gate.ARMED:
                assert event == gate.TOKEN_ACCEPTED


def test_a_session_is_always_accounted_for() -> None:
    """Each way out of a session records its stop or its suspension, out of a commit abandons, out of ARMED disarms."""
    owed = {
        gate.LIVE: {gate.STOP, gate.SUSPEND},
        gate.ENDING: {gate.STOP, gate.SUSPEND},
        gate.SUSPENDED: {gate.STOP, gate.COMMIT},
        gate.COMMITTING: {gate.ABANDON, gate.CLOSE_RELAY},
        gate.ARMED: {gate.DISARM, gate.COMMIT},
    }
    for state, ways in owed.items():
        for event in EVENTS:
            after, actions = _step(state, event)
            if after != state and {state, after} != CLOSED:
                assert ways & set(actions), (state, event)


def test_nothing_but_freed_reaches_idle_from_what_is_held() -> None:
    """LOCKED and LATCHED are left by ALARMS_CLEARED and FREED only, and never straight into ARMED or further."""
    for event in EVENTS:
        assert _step(gate.LOCKED, event)[0] in {gate.LOCKED, gate.LATCHED} or event == gate.FREED
        assert _step(gate.LATCHED, event)[0] == gate.LATCHED or event == gate.ALARMS_CLEARED
    assert _step(gate.LATCHED, gate.ALARMS_CLEARED)[0] == gate.LOCKED
    assert _step(gate.LATCHED, gate.FREED)[0] == gate.LATCHED


def test_no_sequence_without_an_act_closes() -> None:
    """Without LOCAL_ACT no sequence of events, of any length, reaches a closed state."""
    seen = {Gate().state}
    queue = list(seen)
    while queue:
        state = queue.pop()
        for event in EVENTS:
            if event == gate.LOCAL_ACT:
                continue
            after, _ = _step(state, event)
            if after not in seen:
                seen.add(after)
                queue.append(after)
    assert not seen & (CLOSED | {gate.COMMITTING})


def test_docs_are_printed_from_the_table() -> None:
    """docs/gate.md is what the table prints."""
    page = Path(__file__).parents[2] / "docs" / "gate.md"
    assert page.read_text(encoding="utf-8") == gate_text.render()
