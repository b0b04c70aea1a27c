"""Judges what a running collector says of its operation, for `weldgate doctor`."""

from collections.abc import Iterator
from typing import Any

from weldgate_tools.finding import BAD, GOOD, NOTE, Finding
from weldgate_tools.units import seconds_text

__all__ = ["examine_operation"]

_FULL = 0.9  # of the connections that are allowed


def examine_operation(health: dict[str, Any]) -> Iterator[Finding]:
    """Yield a finding for each side of the operation.

    Args:
        health: the collector's answer to ``status``.
    """
    yield _configuration(health["configuration"])
    trouble = health.get("chips_trouble", "")
    yield Finding(
        "chips in force",
        BAD if trouble else GOOD,
        trouble or f"{health['chips_known']} known",
        "mend the file; what was known before holds meanwhile" if trouble else "",
    )
    yield _connections(health)
    slowed = health["chips_slowed"]
    yield Finding(
        "pace",
        NOTE if slowed else GOOD,
        f"slowed down: {', '.join(slowed)}" if slowed else "no chip sends too fast",
        "a chip that sends so much for long is broken, or somebody plays with its key; nothing is lost"
        if slowed
        else "",
    )
    kept_out = [f"{one['source']} ({one['bad_tags']})" for one in health["bad_tag_sources"] if one["throttled"]]
    yield Finding(
        "wrong tags",
        BAD if kept_out else GOOD,
        f"kept out: {', '.join(kept_out)}" if kept_out else f"{health['bad_tags']} since the start",
        "a chip with another key than chips.jsonl has, or a stranger: look at these addresses" if kept_out else "",
    )
    conflicts = health["conflicts"]
    yield Finding(
        "conflicts",
        BAD if conflicts else GOOD,
        f"{conflicts} since the start" if conflicts else "none",
        "two contents of one identity: a copied chip or flash; both are in the store" if conflicts else "",
    )


def _configuration(told: dict[str, Any]) -> Finding:
    if told.get("trouble"):
        step = "mend it, then reload (SIGHUP); the old configuration is in force meanwhile"
        return Finding("configuration in force", BAD, told["trouble"], step)
    restart = told.get("restart_needed", [])
    return Finding(
        "configuration in force",
        NOTE if restart else GOOD,
        f"from the next start: {', '.join(restart)}" if restart else "what the file said when it was last read",
        "restart the collector when it suits" if restart else "",
    )


def _connections(health: dict[str, Any]) -> Finding:
    count, allowed = health["connections"], health["connections_allowed"]
    full = max(count, health["chips_known"]) > allowed * _FULL
    return Finding(
        "connections",
        BAD if full else GOOD,
        f"{count} of {allowed} that the limit of open files allows, for {health['chips_known']} known chips; "
        f"up {seconds_text(health['uptime_s'])}",
        "raise LimitNOFILE of its unit, or `ulimit -n`" if full else "",
    )
