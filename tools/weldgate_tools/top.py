"""``weldgate collector top``: what a running collector does, as it does it. Rates come from two answers of its."""

import time
from pathlib import Path
from typing import Any

import click
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from weldgate_protocol.errors import LocalError
from weldgate_tools.asking import ask
from weldgate_tools.output import print_json
from weldgate_tools.units import seconds_text

__all__ = ["rates", "top", "view"]

_COUNTED = ("frames", "repeats", "conflicts", "gaps_declared", "bad_tags", "dropped", "refused", "committed")
_MIB = 1 << 20


def rates(before: dict[str, Any], after: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Return the second answer, with each counter's rate a second beside it; a restart counts as nothing."""
    found = {key: value for key, value in after.items() if key != "ok"}
    for name in _COUNTED:
        found[f"{name}_per_s"] = round(max(0, after[name] - before[name]) / seconds, 1)
    return {"ok": after["ok"], **found}


def view(state: dict[str, Any]) -> Group:
    """Return what is shown for one answer with its rates."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, text, bad in _lines(state):
        table.add_row(name, Text(text, style="red" if bad else ""))
    parts = [table]
    if state["links"]:
        links = _table("link", "up", "connections", "refused", "faults", "trouble")
        for name, one in state["links"].items():
            numbers = (f"{one[what]:,}" for what in ("connections", "refused", "faults"))
            _row(links, one["up"], one["trouble"], name, _yes(one["up"]), *numbers)
        parts.append(links)
    if state["upstreams"]:
        upstreams = _table("upstream", "reached", "pack", "waiting rows", "set aside", "trouble")
        for name, one in state["upstreams"].items():
            numbers = (f"{one[what]:,}" for what in ("through", "waiting_rows", "aside"))
            _row(upstreams, one["connected"], one["trouble"], name, _yes(one["connected"]), *numbers)
        parts.append(upstreams)
    return Group(*parts)


def _table(*headings: str) -> Table:
    """Return a table: a name, yes or no, three numbers, words."""
    table = Table(box=None, pad_edge=False)
    for position, heading in enumerate(headings):
        table.add_column(heading, justify="right" if 2 <= position <= 4 else "left")
    return table


def _row(table: Table, up: bool, trouble: str, *texts: str) -> None:
    """Add a row, red where something is wrong."""
    style = "" if up and not trouble else "red"
    table.add_row(*(Text(text, style=style) for text in (*texts, trouble)))


def _yes(so: bool) -> str:
    return "yes" if so else "no"


def _lines(state: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Return (name, text, whether somebody should look at it)."""
    silent, slowed, sources = state["chips_silent"], state["chips_slowed"], state["bad_tag_sources"]
    configuration = state["configuration"]
    trouble, restart = configuration.get("trouble", ""), configuration.get("restart_needed", [])
    kept_out = [one["source"] for one in sources if one["throttled"]]
    lines = [
        ("up", seconds_text(state["uptime_s"]), False),
        ("frames", f"{state['frames_per_s']:,.0f}/s, {state['repeats_per_s']:,.0f}/s again", False),
        (
            "store",
            f"{state['store']}, {state['committed_per_s']:,.0f} rows/s durable, {state['backlog_rows']:,} to commit, "
            f"{state['committed']:,} in all",
            not state["ok"],
        ),
        ("complete", _complete(state), bool(state["lines_with_holes"])),
        (
            "orders",
            f"{state['orders']['waiting']:,} waiting, {state['orders']['applied']:,} applied, "
            f"{state['orders']['refused']:,} refused, {state['orders']['expired']:,} expired",
            False,
        ),
        (
            "chips",
            f"{state['chips_online']:,} online of {state['connections']:,} connections, "
            f"{state['connections_unauthenticated']:,} unproved, {state['connections_allowed']:,} allowed",
            False,
        ),
        (
            "disk",
            f"{_mib(state['store_disk_bytes'])} used, {_mib(state['disk_free_bytes'])} free",
            state["low_space"],
        ),
        ("memory", _mib(state["resident_bytes"]), False),
        (
            "evidence",
            f"{state['conflicts']:,} conflicts, {state['gaps_declared']:,} gaps declared, "
            f"{state['bad_tags']:,} wrong tags",
            state["conflicts"] > 0,
        ),
    ]
    if silent:
        lines.append(("silent in a live session", ", ".join(silent), True))
    if slowed:
        lines.append(("too fast, slowed down", ", ".join(slowed), True))
    if kept_out:
        lines.append(("kept out for wrong tags", ", ".join(kept_out), True))
    if trouble:
        lines.append(("configuration", trouble, True))
    if state["chips_trouble"]:
        lines.append(("known chips", state["chips_trouble"], True))
    if restart:
        lines.append(("hold from the next start", ", ".join(restart), True))
    return lines


def _complete(state: dict[str, Any]) -> str:
    """Say what the latest proof found."""
    if state["lines_with_holes"]:
        return f"{state['lines_with_holes']:,} chips and epochs have numbers missing or lost"
    return "nothing is missing" if state["proved_at_s"] else "not proved yet"


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / _MIB:,.0f} MiB"


def _sample(place: Path, interval_s: float) -> dict[str, Any]:
    before, before_s = ask(place, {"do": "status"}), time.monotonic()
    time.sleep(interval_s)
    after = ask(place, {"do": "status"})
    return rates(before, after, time.monotonic() - before_s)


@click.command()
@click.argument("place", type=click.Path(path_type=Path), default=Path("site"))
@click.option("--interval", type=click.FloatRange(0.1, 60), default=1.0, show_default=True, help="Seconds.")
@click.option("--once", is_flag=True, help="Look once, over one interval, and end.")
@click.option("--json", "as_json", is_flag=True, help="With --once: print one document.")
def top(place: Path, interval: float, once: bool, as_json: bool) -> None:
    """Show a running collector at work: rates, chips, backlog, upstreams, disk. Ctrl-C ends it.

    \b
    Examples:
      weldgate collector top site
      weldgate collector top site --once --json
    """
    if as_json and not once:
        raise click.UsageError("--json needs --once")
    if once:
        state = _sample(place, interval)
        if as_json:
            print_json(state)
        else:
            from rich.console import Console

            Console(highlight=False).print(view(state))
        return
    with Live(Text("…"), auto_refresh=False, screen=True) as live:
        try:
            while True:
                try:
                    shown: Any = view(_sample(place, interval))
                except LocalError as error:
                    shown = Text(error.message, style="red")
                    time.sleep(interval)
                live.update(shown, refresh=True)
        except KeyboardInterrupt:
            return
