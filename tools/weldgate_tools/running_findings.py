"""Asks the collector of a site how it is, and judges each part of the answer, for `weldgate doctor`."""

import time
from collections.abc import Iterator
from typing import Any

from weldgate_tools.finding import BAD, GOOD, NOTE, Finding
from weldgate_tools.operation_findings import examine_operation
from weldgate_tools.site import Site
from weldgate_tools.units import moment_text, seconds_text

__all__ = ["examine_running"]

_PROOF_LATE_S = 86_400  # a pass takes at most a fiftieth of the time, so minutes even on a large store


def examine_running(site: Site) -> Iterator[Finding]:
    """Ask the collector, if it runs, and yield a finding for each part of it."""
    from weldgate_collector import load_config
    from weldgate_tools.asking import ask

    socket = load_config(site.checked().config).control_socket
    if not socket.exists():
        yield Finding("collector", NOTE, "does not run", f"weldgate serve {site.folder}")
        return
    health = ask(site.folder, {"do": "status"})
    good = health["store"] == "ok" and not health.get("low_space")
    state = f"store {health['store']}" + (", little room left" if health.get("low_space") else "")
    yield Finding(
        "collector",
        GOOD if good else BAD,
        f"{health['chips_online']} chips online, {health['committed']} rows, {state}",
        "" if good else "look at its log and at the disk",
    )
    silent = health["chips_silent"]
    yield Finding(
        "live sessions",
        BAD if silent else GOOD,
        f"silent in a live session: {', '.join(silent)}" if silent else "no chip is silent in one",
        "call or go and see to welder and machine; then look at power, signal and box" if silent else "",
    )
    for name, link in health["links"].items():
        yield _link(name, link)
    if "proved_at_s" in health:  # an older collector does not say
        yield _completeness(site, health)
    if "configuration" in health:  # nor this
        yield from examine_operation(health)
    for name, upstream in health["upstreams"].items():
        yield _upstream(name, upstream)


def _link(name: str, status: dict[str, Any]) -> Finding:
    troubled = status["trouble"] or not status["up"]
    return Finding(
        f"link {name}",
        BAD if troubled else GOOD,
        f"{status['connections']} connections, {status['refused']} refused, {status['faults']} faults"
        + (f", {status['trouble'] or 'down'}" if troubled else ""),
        "is the cable in, is the broker there, are its rights right?" if troubled else "",
    )


def _upstream(name: str, status: dict[str, Any]) -> Finding:
    troubled = status["trouble"] or not status["connected"]
    return Finding(
        f"upstream {name}",
        BAD if troubled else GOOD,
        f"at {status['through']}, {status['waiting_rows']} rows waiting"
        + (f", {status['trouble'] or 'not connected'}" if troubled else ""),
        _step(status) if troubled else "",
    )


def _step(status: dict[str, Any]) -> str:
    if status["undelivered"]:
        return "look at the broker's ACL and log for this user, and whether the platform listens"
    return "is the broker there, and does a consumer answer with receipts?"


def _completeness(site: Site, health: dict[str, Any]) -> Finding:
    """Judge the latest proof that nothing is missing."""
    show = f"weldgate store gaps {site.folder} proves it now, chip by chip"
    holes, at_s = health["lines_with_holes"], health["proved_at_s"]
    if holes:
        since = moment_text(health["holes_since_s"]) if health["holes_since_s"] else "nobody knows when"
        return Finding(
            "completeness", BAD, f"{holes} chips and epochs have numbers missing or lost, since {since}", show
        )
    if not at_s:
        return Finding("completeness", NOTE, "not proved yet since the start", show)
    age_s = max(0, round(time.time() - at_s))
    late = age_s > _PROOF_LATE_S
    return Finding(
        "completeness", NOTE if late else GOOD, f"no number is missing, proved {seconds_text(age_s)} ago",
        show if late else "",
    )  # fmt: skip
