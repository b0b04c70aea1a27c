"""Prints the gate's table as the state table and diagram of `docs/gate.md`. Host only: never on the chip."""

from weldgate_firmware import gate

__all__ = ["ACTION_NAMES", "EVENT_NAMES", "STATE_NAMES", "render"]

_STATES = ("LOCKED", "IDLE", "ARMED", "COMMITTING", "LIVE", "ENDING", "SUSPENDED", "LATCHED")
_EVENTS = (
    "TOKEN_ACCEPTED",
    "LOCAL_ACT",
    "ARM_EXPIRED",
    "RECORDS_DURABLE",
    "FLASH_FAILED",
    "SOFT_END",
    "ARC_QUIET",
    "HARD_END",
    "LOCK_NOW",
    "LOCK_SOFT",
    "ALARM_LATCHED",
    "ALARMS_CLEARED",
    "FREED",
    "FAULT",
    "SESSION_FOUND",
    "POWER_FAILING",
)
_ACTIONS = ("OPEN_RELAY", "CLOSE_RELAY", "DISARM", "COMMIT", "ABANDON", "STOP", "SUSPEND", "EXTEND", "REFUSE")

STATE_NAMES: dict[int, str] = {getattr(gate, name): name for name in _STATES}
EVENT_NAMES: dict[int, str] = {getattr(gate, name): name for name in _EVENTS}
ACTION_NAMES: dict[int, str] = {getattr(gate, name): name for name in _ACTIONS}


def _actions(actions: tuple[int, ...]) -> str:
    return ", ".join(ACTION_NAMES[action] for action in actions) or "–"


def _table() -> list[str]:
    lines = ["| state | event | next state | actions, in order |", "|---|---|---|---|"]
    lines += [
        f"| {STATE_NAMES[state]} | {EVENT_NAMES[event]} | {STATE_NAMES[after]} | {_actions(actions)} |"
        for state, event, after, actions in gate.ROWS
    ]
    lines += ["", "A pair that is not in the table:", "", "| state | next state | actions |", "|---|---|---|"]
    lines += [
        f"| {name} | {STATE_NAMES[gate.FALLBACK[state][0]]} | {_actions(gate.FALLBACK[state][1])} |"
        for state, name in STATE_NAMES.items()
    ]
    return lines


def _diagram() -> list[str]:
    """Mermaid, arrows between different states only, events of one arrow together."""
    arrows: dict[tuple[int, int], list[str]] = {}
    for state, event, after, _ in gate.ROWS:
        if state != after:
            arrows.setdefault((state, after), []).append(EVENT_NAMES[event])
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> LOCKED: boot"]
    lines += [
        f"    {STATE_NAMES[state]} --> {STATE_NAMES[after]}: {', '.join(events)}"
        for (state, after), events in arrows.items()
    ]
    lines += ["    note right of LIVE: relay closed", "    note right of ENDING: relay closed", "```"]
    return lines


def render() -> str:
    """Return the whole of `docs/gate.md`."""
    head = [
        "# The gate",
        "",
        "Printed from the table in `firmware/weldgate_firmware/gate.py` by `weldgate_firmware.gate_text`; a test",
        "compares. Change the table, then print this again: `python -m weldgate_firmware.gate_text > docs/gate.md`.",
        "",
        "The relay is closed in LIVE and ENDING only. One row closes it: COMMITTING on RECORDS_DURABLE. COMMITTING is",
        "reached only by LOCAL_ACT. Each row out of LIVE or ENDING opens the relay first and records afterwards.",
        "",
    ]
    return "\n".join([*head, *_diagram(), "", *_table(), ""])


if __name__ == "__main__":
    print(render(), end="")
