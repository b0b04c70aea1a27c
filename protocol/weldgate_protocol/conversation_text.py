"""The conversation's state table as a page to read: `docs/conversation.md`. Host only.

    python -m weldgate_protocol.conversation_text > docs/conversation.md

A test holds the page against the table.
"""

from weldgate_protocol import conversation as c

__all__ = ["render"]

_CHIP_STATES = {
    c.CHIP_CLOSED: "CLOSED",
    c.CHIP_HELLO_SENT: "HELLO_SENT",
    c.CHIP_WELCOMED: "WELCOMED",
    c.CHIP_ONLINE: "ONLINE",
}
_COLLECTOR_STATES = {
    c.HELLO_WAIT: "HELLO_WAIT",
    c.WELCOME_SENT: "WELCOME_SENT",
    c.ONLINE: "ONLINE",
    c.CLOSED: "CLOSED",
}
_EVENTS = {
    c.E_START: "start a connection",
    c.E_SPEAK_HEARTBEAT: "own heartbeat",
    c.E_SPEAK: "own other volatile message",
    c.E_SEND_DURABLE: "own durable frame",
    c.E_ACCEPTED: "welcome: accepted",
    c.E_PENDING: "welcome: pending",
    c.E_REJECTED: "welcome: rejected (with a zero tag in HELLO_SENT only, later that is a bad tag)",
    c.E_ACK: "ack of this epoch, not beyond what was sent",
    c.E_DOWNLINK: "other downlink",
    c.E_HELLO: "hello of a known chip",
    c.E_HELLO_POSTPONED: "hello of a known chip, not to be served now",
    c.E_HELLO_REFUSED: "hello of an unknown or barred chip, or with a bad tag",
    c.E_VOLATILE: "other volatile message",
    c.E_DURABLE: "durable frame",
    c.E_REPEATED: "sequence number not above the last",
    c.E_BAD_TAG: "bad tag, first and second",
    c.E_BAD_TAG_LAST: "bad tag, third",
    c.E_ILLEGAL: "authentic, but not lawful",
    c.E_END: "link gone, silence, superseded",
}
_ACTIONS = {
    c.A_CLOSE: "close",
    c.A_SEND: "send",
    c.A_TAKE_WELCOME: "take the welcome",
    c.A_WAIT_AND_RETRY: "close, wait, try again",
    c.A_TAKE_ACK: "raise acked",
    c.A_HAND_UP: "hand up",
    c.A_COUNT: "count, nothing else",
    c.A_SEND_WELCOME: "send welcome",
    c.A_SEND_PENDING: "send pending, close",
    c.A_SEND_REJECTED: "send rejected, close",
    c.A_COME_ONLINE: "supersede older connections, fix the line, hand up",
    c.A_ACCEPT: "accept by the sequence rule",
}
_OWN = (c.E_START, c.E_SPEAK_HEARTBEAT, c.E_SPEAK, c.E_SEND_DURABLE)
_CHIP_ONLY = (*_OWN, c.E_ACCEPTED, c.E_PENDING, c.E_REJECTED, c.E_ACK, c.E_DOWNLINK)
_COLLECTOR_ONLY = (c.E_HELLO, c.E_HELLO_POSTPONED, c.E_HELLO_REFUSED, c.E_VOLATILE, c.E_DURABLE)

_HEAD = """# The conversation's states

Printed from `TABLE` in `protocol/weldgate_protocol/conversation.py`; what the events and actions mean is in
`protocol/SPEC.md`. A row is an event, a column a state; a cell is the next state and the action. Events are authentic
unless they say otherwise. What the table does not list closes; what a chip would do itself out of turn it may not do.
"""


def _cell(state: int, event: int, names: dict[int, str]) -> str:
    """Return what happens to an event in a state."""
    move = c.step(state, event)
    following, action = move >> 4, move & 15
    if action == c.A_CLOSE:
        if event in _OWN:
            return "not allowed"
        return "–" if state in (c.CHIP_CLOSED, c.CLOSED) else "CLOSED: close"
    arrow = "" if following == state else f"**{names[following]}**: "
    return arrow + _ACTIONS[action]


def _table(names: dict[int, str], others: tuple[int, ...]) -> list[str]:
    """Return one end's table."""
    lines = ["| event | " + " | ".join(names.values()) + " |", "|---" * (len(names) + 1) + "|"]
    for event, text in _EVENTS.items():
        if event not in others:
            lines.append(f"| {text} | " + " | ".join(_cell(state, event, names) for state in names) + " |")
    return lines


def render() -> str:
    """Return the page."""
    lines = [
        _HEAD,
        "## The chip's end",
        "",
        *_table(_CHIP_STATES, _COLLECTOR_ONLY),
        "",
        "## The collector's end",
        "",
        *_table(_COLLECTOR_STATES, _CHIP_ONLY),
        "",
        "## Waits and limits",
        "",
        "| what | limit |",
        "|---|---|",
        f"| collector waits for the hello | {c.HELLO_WAIT_MS} ms |",
        f"| chip waits for the welcome | {c.WELCOME_WAIT_MS} ms |",
        f"| a welcome's time is taken up to this age of the hello | {c.WELCOME_FRESH_MS} ms |",
        f"| collector waits for the first K_conn frame | {c.CONFIRM_WAIT_MS} ms |",
        f"| silence that ends a connection, both ends | {c.SILENCE_MS} ms |",
        f"| chip waits for an ack of what it sent | {c.ACK_WAIT_MS} ms |",
        f"| bad tags that close | {c.BAD_TAGS_MAX} |",
        f"| longest wait that a chip lets itself be told | {c.RETRY_MAX_S} s |",
        f"| high-water ahead of the chip that is believed | {c.HIGH_WATER_AHEAD_MAX} frames |",
        f"| the same where that would lead above {c.HIGH_WATER_FAR} | {c.HIGH_WATER_FAR_MAX} frames |",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(render(), end="")
