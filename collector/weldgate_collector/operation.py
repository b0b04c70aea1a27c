"""What operators look at beside chips and rows: traffic, who is held back, machine, configuration.

The same facts three ways: fields of the health (``/healthz``, ``weldgate collector status`` and ``top``), and gauges.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .links.base import LinkStatus
from .machine import connections_allowed, disk_free_bytes, file_limit, resident_bytes, store_bytes
from .metrics import Metrics
from .reload import Reload
from .store.completeness import STATES
from .store.keeper import Keeper
from .store.proof import Proof
from .store.writer import Writer
from .upstream.base import Upstream

if TYPE_CHECKING:
    from .hub import Hub

__all__ = ["machine_state", "refresh_operation", "refresh_store", "refresh_ways", "traffic_state"]

_WORST = 20  # so many addresses and chips are named
_MEASURED_S = 10.0  # walking the data folder is not for every scrape
_STARTED_S = time.monotonic()

_sizes: dict[Path, tuple[float, int]] = {}  # data folder: when it was measured, bytes


def traffic_state(hub: "Hub", metrics: Metrics) -> dict[str, Any]:
    """Return what passes, and what is held up."""
    worst = hub.sources.worst(_WORST)
    return {
        "connections": hub.connections,
        "connections_unauthenticated": hub.strangers,
        "frames": metrics.value("frames"),
        "repeats": metrics.value("repeats"),
        "conflicts": metrics.value("conflicts"),
        "gaps_declared": metrics.value("gaps_declared"),
        "bad_tags": metrics.value("bad_tags"),
        "dropped": metrics.value("connections_dropped"),
        "refused": metrics.value("connections_throttled"),
        "chips_slowed": [str(int.from_bytes(device, "big")) for device in hub.pace.slowed[:_WORST] if device],
        "bad_tag_sources": [
            {"source": source, "bad_tags": count, "throttled": throttled} for source, count, throttled in worst
        ],
    }


def machine_state(data_dir: Path) -> dict[str, Any]:
    """Return what the machine still has, and what this process takes of it."""
    return {
        "uptime_s": round(time.monotonic() - _STARTED_S),
        "disk_free_bytes": disk_free_bytes(data_dir),
        "store_disk_bytes": _store_bytes(data_dir),
        "resident_bytes": resident_bytes(),
        "file_limit": file_limit(),
        "connections_allowed": connections_allowed(),
    }


def refresh_store(metrics: Metrics, writer: Writer, keeper: Keeper, proof: Proof) -> None:
    """Bring the store's gauges up to date."""
    metrics.committed.set(writer.committed)
    metrics.backlog.set(writer.backlog)
    metrics.trouble.set(bool(writer.trouble))
    metrics.low_space.set(keeper.status.low_space)
    metrics.segments.set(keeper.status.segments)
    metrics.deleted.set(keeper.deleted)
    metrics.rows_lost.set(keeper.lost)
    proved = proof.proved
    for state in STATES:
        metrics.gap_numbers.labels(state).set(proved.numbers.get(state, 0))
    metrics.hole_lines.set(proved.holes)
    metrics.hole_since.set(proved.oldest_ms / 1000)
    metrics.proved_at.set(proved.at_s)


def refresh_ways(metrics: Metrics, links: list[LinkStatus], upstreams: list[Upstream]) -> None:
    """Bring the gauges of ways in and out up to date."""
    for link in links:
        metrics.link_up.labels(link.name).set(link.up)
        metrics.link_connections.labels(link.name).set(link.connections)
        metrics.link_refused.labels(link.name).set(link.refused)
        metrics.link_faults.labels(link.name).set(link.faults)
        metrics.link_trouble.labels(link.name).set(bool(link.trouble))
    for upstream in upstreams:
        status = upstream.status()
        metrics.upstream_connected.labels(upstream.name).set(status.connected)
        metrics.upstream_through.labels(upstream.name).set(status.through)
        metrics.upstream_waiting.labels(upstream.name).set(status.waiting_rows)
        metrics.upstream_trouble.labels(upstream.name).set(bool(status.trouble))
        metrics.upstream_undelivered.labels(upstream.name).set(status.undelivered)
        metrics.upstream_aside.labels(upstream.name).set(status.aside)


def refresh_operation(metrics: Metrics, hub: "Hub", data_dir: Path, reload: Reload | None) -> None:
    """Bring the gauges of traffic, machine and configuration up to date."""
    metrics.connections.set(hub.connections)
    metrics.online.set(hub.online)
    metrics.silent.set(len(hub.silence.silent))
    metrics.strangers.set(hub.strangers)
    metrics.slowed.set(len(hub.pace.slowed))
    metrics.slowed_times.inc(hub.pace.times - metrics.value("slow_downs"))
    worst = hub.sources.worst(_WORST)
    metrics.source_bad_tags.clear()
    for source, count, _ in worst:
        metrics.source_bad_tags.labels(source).set(count)
    metrics.sources_throttled.set(sum(throttled for _, _, throttled in worst))
    metrics.disk_free.set(disk_free_bytes(data_dir))
    metrics.disk_used.set(_store_bytes(data_dir))
    metrics.configuration_trouble.set(reload is not None and bool(reload.trouble))
    metrics.restart_needed.set(0 if reload is None else len(reload.restart))
    metrics.uptime.set(time.monotonic() - _STARTED_S)


def _store_bytes(data_dir: Path) -> int:
    measured_s, size = _sizes.get(data_dir, (float("-inf"), 0))
    if time.monotonic() - measured_s > _MEASURED_S:
        size = store_bytes(data_dir)
        _sizes[data_dir] = (time.monotonic(), size)
    return size
