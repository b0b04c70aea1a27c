"""The soak's faults of processes, wires and clocks. Each function does one to a site and mends it again.

What a function returns is what it found lost before any chip could send again (``Site.kept``); the sets are judged by
whoever called it, once everything has calmed down.
"""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from .soak_audit import Trouble
from .soak_hardware import Hardware
from .soak_site import Site

__all__ = ["FAULTS", "Fault", "needs_nothing"]

_DAY_S = 86_400
_YEARS_S = 56 * 365 * _DAY_S  # from 2026 to some day of 1970
_FAKETIME = "/usr/lib/*/faketime/libfaketimeMT.so.1"  # Debian package libfaketime, for any architecture


class Fault(NamedTuple):
    """One fault.

    Attributes:
        do: does it to a site; what it returns is lost.
        lacking: says what this machine lacks for it, empty when nothing.
    """

    do: Callable[[Site], list[Trouble]]
    lacking: Callable[[], str]


def needs_nothing() -> str:
    """Every machine can do it."""
    return ""


def collector_killed(site: Site) -> list[Trouble]:
    """Kill -9 at a random moment, twice in a row."""
    lost = []
    for _ in range(2):
        site.flow()
        lost += site.kill_and_look()
        site.acknowledged_on()
    return lost


def consumer_killed(site: Site) -> list[Trouble]:
    """Kill the consumer with -9 at a random moment."""
    site.flow()
    site.line.kill_consumer()
    site.flow()
    site.line.start_consumer()
    return []


def broker_dead(site: Site) -> list[Trouble]:
    """Kill the broker with -9 and leave it dead for long; chips are acknowledged all the same."""
    site.flow()
    site.line.broker.kill()
    site.flow(2)
    site.acknowledged_on(site.size.chips)
    lost = site.kill_and_look() if site.draw.random() < 0.5 else []
    site.flow()
    site.line.broker.start()
    return lost


def packs_spoiled(site: Site) -> list[Trouble]:
    """Reorder, drop and double packs and receipts on their way."""
    site.packs.spoiling = True
    before = sum(site.packs.counts.values())
    site.flow(2)
    site.until("packs to be spoiled", lambda: sum(site.packs.counts.values()) >= before + 10)
    site.packs.spoiling = False
    return []


def wire_cut(site: Site) -> list[Trouble]:
    """Cut the wire of chips in the middle of a frame, some times."""
    for _ in range(4):
        site.wire.cut_after(site.draw.randint(1, 6_000))
        site.until("the wire to be cut in a frame", lambda: site.wire.cut_midway)
    site.wire.cut()
    site.flow(0.2)
    site.wire.join()
    return []


def uplink_cut(site: Site) -> list[Trouble]:
    """Cut the collector's way to the broker in the middle of a packet, and keep it cut for a while."""
    for _ in range(3):
        site.packs.cut_after(site.draw.randint(1, 20_000))
        site.until("the way to the broker to be cut in a packet", lambda: site.packs.cut_midway)
    site.packs.cut()
    site.flow()
    site.packs.join()
    return []


def clock_jumps(site: Site) -> list[Trouble]:
    """Set the collector's clock a day ahead, a day back, and to 1970, and let it start like that too."""
    lost = _on_hardware(site)
    hardware = Hardware(site.folder)
    for offset_s in site.draw.sample((_DAY_S, -_DAY_S, -_YEARS_S), 3):
        hardware.clock(offset_s)
        site.flow(0.5)
        site.acknowledged_on(site.size.chips)
    return lost + site.kill_and_look()


def clock_jumps_faketime(site: Site) -> list[Trouble]:
    """The same under libfaketime, whose clock the whole process sees, C code too."""
    library = next(Path("/").glob(_FAKETIME[1:]))
    stamp = site.folder / "faketime"
    offsets = [f"{offset_s:+d}" for offset_s in site.draw.sample((_DAY_S, -_DAY_S, -_YEARS_S), 3)]
    stamp.write_text(offsets[0] + "\n", "ascii")
    site.as_usual()
    site.line.collector_command = [
        "env", f"LD_PRELOAD={library}", f"FAKETIME_TIMESTAMP_FILE={stamp}", "FAKETIME_NO_CACHE=1",
        "FAKETIME_DONT_FAKE_MONOTONIC=1", *site.line.collector_command,
    ]  # fmt: skip
    site.line.stop_collector()
    site.line.start_collector()
    for offset in offsets:
        fresh = stamp.with_suffix(".new")
        fresh.write_text(offset + "\n", "ascii")
        fresh.rename(stamp)
        site.flow(0.5)
        site.acknowledged_on(site.size.chips)
    return site.kill_and_look()


def power_cut(site: Site) -> list[Trouble]:
    """Cut the power: what was not synced is there or not, torn at sectors; then start on what the disk has."""
    lost = _on_hardware(site)
    hardware = Hardware(site.folder)
    failing = site.draw.random() < 0.5
    site.flow()
    if failing:  # and before that fsync fails now and then, after which the kernel has forgotten the pages
        hardware.fail(site.draw.choice((50, 300)))
        site.flow()
    image = site.folder / "platter"
    hardware.cut(site.draw.getrandbits(32), image)
    site.wire.cut()
    site.line.kill_collector()
    shutil.rmtree(site.line.store)
    image.rename(site.line.store)
    site.as_usual()
    site.line.start_collector()
    lost += site.kept()
    return lost


def fsync_fails(site: Site) -> list[Trouble]:
    """Let fsync and writes of the real process fail by libfiu, then no more; killed in the middle or not."""
    ways = site.folder / "fiu"
    site.line.stop_collector()
    site.as_usual()
    site.line.collector_command = ["fiu-run", "-x", "-f", str(ways), *site.line.collector_command]
    site.line.start_collector()
    site.flow(0.5)
    for name, more in (
        ("posix/io/sync/*", "probability=0.3"), ("posix/io/rw/pwrite", "probability=0.1,failinfo=28"),
        ("posix/io/rw/pwrite", "probability=1,failinfo=30"),
    ):  # fmt: skip
        _fiu(site, ways, f"enable_random name={name},{more}")
        site.flow()
        _fiu(site, ways, f"disable name={name}")
        site.acknowledged_on(site.size.chips)
    _fiu(site, ways, "enable_random name=posix/io/sync/*,probability=0.5")
    site.flow(0.5)
    return site.kill_and_look()


def _on_hardware(site: Site) -> list[Trouble]:
    """Have the collector run on our hardware."""
    if site.is_on_hardware:
        return []
    site.line.stop_collector()
    site.on_hardware()
    site.line.start_collector()
    return site.kept()


def _fiu(site: Site, ways: Path, command: str) -> None:
    pid = str(site.line.collector_pid)
    subprocess.run(["fiu-ctrl", "-f", str(ways), "-c", command, pid], check=True, capture_output=True)  # noqa: S607


def _lacks_fiu() -> str:
    return "" if shutil.which("fiu-run") and shutil.which("fiu-ctrl") else "fiu-run is missing: apt install fiu-utils"


def _lacks_faketime() -> str:
    return "" if any(Path("/").glob(_FAKETIME[1:])) else "libfaketime is missing: apt install faketime"


FAULTS = {
    "collector-killed": Fault(collector_killed, needs_nothing),
    "consumer-killed": Fault(consumer_killed, needs_nothing),
    "broker-dead": Fault(broker_dead, needs_nothing),
    "packs-spoiled": Fault(packs_spoiled, needs_nothing),
    "wire-cut": Fault(wire_cut, needs_nothing),
    "uplink-cut": Fault(uplink_cut, needs_nothing),
    "clock-jumps": Fault(clock_jumps, needs_nothing),
    "clock-jumps-faketime": Fault(clock_jumps_faketime, _lacks_faketime),
    "power-cut": Fault(power_cut, needs_nothing),
    "fsync-fails": Fault(fsync_fails, _lacks_fiu),
}
