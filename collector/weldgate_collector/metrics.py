"""Counters and gauges, and the HTTP port that shows them: ``/metrics`` for Prometheus, ``/healthz`` for supervisors.

One registry a collector, so that two in one process don't mix. Names are stable (docs); labels have few values.
"""

import asyncio
import json
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, generate_latest

__all__ = ["Metrics", "MetricsPort"]

_REQUEST_MAX = 8_192
_REQUEST_S = 5.0


class Metrics:
    """All that the collector counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter, gauge = self._counter, self._gauge
        self.frames = counter("frames", "Durable frames taken into the store's queue")
        self.repeats = counter("repeats", "Durable frames that came again")
        self.conflicts = counter("conflicts", "Frames whose identity was held by other bytes")
        self.gaps = counter("gaps_declared", "Ranges that this collector declared lost")
        self.bad_tags = counter("bad_tags", "Frames whose tag did not verify")
        self.noise_bytes = counter("noise_bytes", "Bytes that were no frame")
        self.throttled = counter("connections_throttled", "Connections refused after bad tags from their source")
        self.dropped = counter("connections_dropped", "Connections closed by us: silent, unauthenticated, superseded")
        self.committed = gauge("store_committed_index", "Newest durable row")
        self.backlog = gauge("store_backlog_rows", "Rows accepted and not yet durable")
        self.trouble = gauge("store_trouble", "1 while commits fail")
        self.low_space = gauge("store_low_space", "1 while the disk has less room than store.min_free_mb")
        self.segments = gauge("store_segments", "Files of the store")
        self.deleted = gauge("segments_deleted_total", "Segments deleted by retention")
        self.rows_lost = gauge("upstream_rows_lost_total", "Rows deleted before an optional upstream had them")
        self.gap_numbers = Gauge(
            "weldgate_gap_numbers", "Numbers that no stored frame has, by state", ["state"], registry=self.registry
        )
        self.hole_lines = gauge("store_hole_lines", "Chips and epochs with numbers missing or lost")
        self.hole_since = gauge("store_hole_since_seconds", "Since when the oldest hole is known, Unix; 0 for none")
        self.proved_at = gauge("store_proved_at_seconds", "When the store was last proved, Unix; 0 for never")
        self.connections = gauge("connections", "Open connections")
        self.online = gauge("chips_online", "Chips that proved to be there")
        self.silent = gauge("chips_silent", "Chips that fell silent in a live session: each is an alarm")
        self.link_up = self._labelled("link_up", "1 while bytes can come this way", "link")
        self.link_connections = self._labelled("link_connections", "Open connections of a link", "link")
        self.link_refused = self._labelled("link_refused", "Turned away by a link since the start: too many", "link")
        self.link_faults = self._labelled("link_faults", "Handshakes, ports, brokers, messages that failed", "link")
        self.link_trouble = self._labelled("link_trouble", "1 while something is wrong with a link", "link")
        self.upstream_connected = self._labelled("upstream_connected", "1 while the broker is reached")
        self.upstream_through = self._labelled("upstream_receipted_pack", "Highest pack receipted, or row delivered")
        self.upstream_waiting = self._labelled("upstream_waiting_rows", "Rows not yet receipted or delivered")
        self.upstream_trouble = self._labelled("upstream_trouble", "1 while something keeps it from going on")
        self.upstream_undelivered = self._labelled(
            "upstream_undelivered", "1 while it sends and nothing shows that anybody gets it"
        )
        self.upstream_aside = self._labelled("upstream_aside_records", "Records set aside, since nobody takes them")
        self.orders = gauge("orders_waiting", "Orders and tokens without a result yet")
        self.orders_ended = self._labelled("orders_ended_total", "Orders and tokens by how they ended", "result")
        self.chips_trouble = gauge("chips_trouble", "1 while the file of known chips can't be used")
        self.strangers = gauge("connections_unauthenticated", "Connections that have not proved who they are")
        self.slowed = gauge("chips_slowed", "Chips that are not read from just now, since they send too fast")
        self.slowed_times = counter("slow_downs", "How often a chip was slowed down")
        self.source_bad_tags = Gauge(
            "weldgate_source_bad_tags", "Bad tags by address, of the worst", ["source"], registry=self.registry
        )
        self.sources_throttled = gauge("sources_throttled", "Addresses among the worst that are kept out now")
        self.disk_free = gauge("disk_free_bytes", "Free space where the store is")
        self.disk_used = gauge("store_disk_bytes", "What the data folder takes on the disk")
        self.configuration_trouble = gauge("configuration_trouble", "1 while the configuration file can't be used")
        self.restart_needed = gauge("configuration_restart_needed", "Settings that hold from the next start")
        self.uptime = gauge("uptime_seconds", "Since this collector started")
        ProcessCollector(registry=self.registry)  # process_resident_memory_bytes, process_open_fds and the like

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"weldgate_{name}", text, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"weldgate_{name}", text, registry=self.registry)

    def _labelled(self, name: str, text: str, label: str = "upstream") -> Gauge:
        return Gauge(f"weldgate_{name}", text, [label], registry=self.registry)

    def value(self, counter: str) -> int:
        """Return what a counter stands at, by its name without ``weldgate_`` and ``_total``."""
        return int(self.registry.get_sample_value(f"weldgate_{counter}_total") or 0)

    def text(self) -> bytes:
        """Return the exposition format."""
        return generate_latest(self.registry)


class MetricsPort:
    """An HTTP/1.0 port with two pages. Attribute ``port`` holds the real one after ``start``."""

    def __init__(
        self, host: str, port: int, refresh: Callable[[], Metrics], health: Callable[[], dict[str, object]]
    ) -> None:
        """Remember what to show.

        Args:
            host: address to bind.
            port: 0 takes a free one.
            refresh: brings the gauges up to date and returns all.
            health: the state as a JSON object; its ``ok`` decides between 200 and 503.
        """
        self.host = host
        self.port = port
        self._refresh = refresh
        self._health = health
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address can't be bound.
        """
        self._server = await asyncio.start_server(self._serve, self.host, self.port, limit=_REQUEST_MAX)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the listener."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a scraper that asks wrongly or goes away is its own affair
        finally:
            writer.close()

    def _answer(self, head: bytes) -> bytes:
        words = head.split(b"\r\n", 1)[0].split()
        path = words[1].split(b"?")[0] if len(words) > 1 and words[0] == b"GET" else b""
        if path == b"/metrics":
            return _response("200 OK", "text/plain; version=0.0.4; charset=utf-8", self._refresh().text())
        if path == b"/healthz":
            health = self._health()
            status = "200 OK" if health["ok"] else "503 Service Unavailable"
            return _response(status, "application/json", json.dumps(health).encode())
        return _response("404 Not Found", "text/plain", b"/metrics or /healthz\n")


def _response(status: str, kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.0 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body
