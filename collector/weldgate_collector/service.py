"""Starts the collector's parts in order, joins them, and stops them in the opposite order; decides nothing else.

Start: configuration, keys, store, high-waters, downlink, upstreams, control socket, metrics, and the links last, so
that no chip is let in before all else stands. Stop: links first, then what is queued is committed and acknowledged as
far as chips still listen, then upstreams, then the store. A kill at any moment loses nothing that was acknowledged:
an ack follows its commit.
"""

import asyncio
import os
import secrets
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import structlog

from weldgate_protocol import messages, reasons
from weldgate_protocol.envelope import decode_order
from weldgate_protocol.errors import WeldgateError

from .chips import Chips, read_key
from .config import Config
from .control import Asked, ControlSocket, live_code_fields, read_token
from .downlink import Downlink
from .errors import OrderError
from .hub import Hub, Limits
from .ingest import Lines, operator_row
from .links.base import Link, LinkStatus
from .links.configured import configured_links, read_password
from .links.tcp import TcpLink
from .machine import connections_allowed, raise_file_limit
from .metrics import Metrics, MetricsPort
from .operation import machine_state, refresh_operation, refresh_store, refresh_ways, traffic_state
from .orders import RESULTS, Order, lock_order, refused_order, signed_order
from .recording import Recorder
from .reload import Reload
from .renewal import Renewal
from .store.keeper import Keeper, Retention
from .store.lock import take_folder
from .store.proof import Proof
from .store.reader import Reader
from .store.schema import Connect, connect
from .store.segments import segment_folder
from .store.writer import Row, Writer
from .upstream.adapters import adapter
from .upstream.base import Surroundings, Upstream
from .upstream.row_source import forget_aside

__all__ = ["Service"]

_log = structlog.get_logger("weldgate.service")

_TICK_S = 1.0
_TICK_LATE_S = 10.0
_SILENT_TOLD = 100  # so many silent chips are named, at most
_TOKEN_WAIT_S = 120  # a token waits for its chip no longer than a welder would stand there
_LOCK_WAIT_S = 30 * 86_400


class Service:
    """One collector. Attributes ``hub``, ``tcp``, ``tls``, ``metrics_port`` and ``writer`` exist after ``start``."""

    def __init__(
        self,
        config: Config,
        links: tuple[Link, ...] = (),
        open_connection: Connect = connect,
        record: Path | None = None,
    ) -> None:
        """Take the configuration.

        Args:
            config: checked.
            links: more ways in, beside those that the configuration names.
            open_connection: the store's ``connect`` seam.
            record: a file for a recording of what the links carry.
        """
        self._config = config
        self._links = list(links)
        self._connect = open_connection
        self._record = record
        self._recorder: Recorder | None = None
        self._stack = AsyncExitStack()
        self._upstreams: list[Upstream] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.ended = asyncio.Event()  # time to stop: a signal came, or a part ended by an error of ours
        self.part_ended = False
        self.reloading: Reload | None = None  # where a file can be read again
        self.ticked_s = 0.0  # when the loop last did its rounds, monotonic
        self.metrics = Metrics()
        self.tcp: TcpLink | None = None
        self.tls: TcpLink | None = None
        self.metrics_port: MetricsPort | None = None

    @property
    def database(self) -> Path:
        """The folder of the store's segments."""
        return segment_folder(self._config.data_dir)

    async def start(self) -> None:
        """Start every part.

        Raises:
            CollectorError: keys, chips or store can't be used.
            OSError: an address can't be bound.
        """
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def stop(self) -> None:
        """Stop every part; what was accepted is committed before this returns."""
        await self._stack.aclose()
        _log.info("collector_stopped", rows=self.writer.committed)

    async def _start(self) -> None:
        config, stack = self._config, self._stack
        self._loop = asyncio.get_running_loop()
        kinds = [(section, adapter(section.kind)) for section in config.upstream]
        self._key = read_key(config.key_file) if any(kind.needs_key for _, kind in kinds) else b""
        for link in configured_links(config):
            self._links.append(link)
            if isinstance(link, TcpLink) and link.certificates is None:
                self.tcp = link
            elif isinstance(link, TcpLink):
                self.tls = link
        self.chips = Chips(config.chips_file)
        self.renewal = Renewal(self.chips, None if self.tls is None else self.tls.certificates)
        self._open_store()
        self.writer.start()
        self.keeper = Keeper(self.writer, self._retention(), _told, self._connect)
        self.keeper.start()
        stack.push_async_callback(asyncio.to_thread, self.keeper.stop)
        self.proof = Proof(self._open_reader, config.store.prove_s)
        if config.store.prove_s:
            self.proof.start()
            stack.push_async_callback(asyncio.to_thread, self.proof.stop)
        around = Surroundings(
            config.collector.name, self._key, config.path, lambda name: read_password(config, name), self.writer,
            self._open_reader, self._order_came,
        )  # fmt: skip
        for section, kind in kinds:
            upstream = kind.make(section, around)
            self._upstreams.append(upstream)
            upstream.start()
            stack.push_async_callback(asyncio.to_thread, upstream.stop)
        stack.push_async_callback(self.hub.stop)
        stack.callback(self._cancel_tasks)
        if config.metrics is not None:
            self.metrics_port = MetricsPort(config.metrics.host, config.metrics.port, self._refreshed, self.health)
            await self.metrics_port.start()
            stack.push_async_callback(self.metrics_port.stop)
        control = ControlSocket(config.control_socket, self._control_request)
        await control.start()
        stack.push_async_callback(control.stop)
        if self._record is not None:
            self._recorder = Recorder(self._record, config.collector.name, config.links.record_max_mb << 20)
            stack.callback(self._recorder.close)
        self._spawn(self.hub.recall())
        for link in self._links:
            accept = self.hub.accept if self._recorder is None else self._recorder.watch(link.name, self.hub.accept)
            await link.start(accept)
            stack.push_async_callback(link.stop)
        self._spawn(self._tick())
        _log.info("collector_started", name=config.collector.name, chips=len(self.chips), rows=self.writer.committed)

    def _open_store(self) -> None:
        """Open the store, and make what lives on it: lines, downlink, hub."""
        config = self._config
        config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._stack.callback(os.close, take_folder(config.data_dir))
        self.writer = Writer(
            config.data_dir,
            config.store.commit_ms,
            config.store.batch_rows,
            self._committed,
            self._connect,
            segment_rows=config.store.segment_rows,
        )
        self._stack.push_async_callback(asyncio.to_thread, self.writer.stop)
        lines = Lines(self.writer.highs())
        with self._open_reader() as reader:
            self.downlink = Downlink(self.writer, reader)
        self.downlink.report = self._report
        _log.info("open_files", limit=raise_file_limit(), connections=connections_allowed())
        limits = _limits(config)
        self.hub = Hub(self.chips, self.writer, lines, self.downlink, self.metrics, limits, self._open_reader)

    def _retention(self) -> Retention:
        store = self._config.store
        required = {upstream.name: upstream.required for upstream in self._config.upstream}
        return Retention(store.keep_days, store.keep_mb << 20, required, store.min_free_mb << 20)

    def health(self) -> dict[str, object]:
        """Return the state in a few words; ``ok`` is False while commits fail."""
        return {
            "ok": not self.writer.trouble,
            "store": self.writer.trouble or "ok",
            "low_space": self.keeper.status.low_space,
            "lines_with_holes": self.proof.proved.holes,
            "holes_since_s": self.proof.proved.oldest_ms // 1000,
            "proved_at_s": round(self.proof.proved.at_s),
            "backlog_rows": self.writer.backlog,
            "committed": self.writer.committed,
            "chips_online": self.hub.online,
            "links": {status.name: status._asdict() for status in self._link_statuses()},
            "chips_silent": [str(int.from_bytes(device, "big")) for device in self.hub.silence.silent[:_SILENT_TOLD]],
            "upstreams": {upstream.name: upstream.status()._asdict() for upstream in self._upstreams},
            "chips_known": len(self.chips),
            "chips_trouble": self.renewal.trouble,
            "orders": {"waiting": len(self.downlink), **{RESULTS[n]: c for n, c in self.downlink.ended.items()}},
            "configuration": {} if self.reloading is None else self.reloading.told(),
            **traffic_state(self.hub, self.metrics),
            **machine_state(self._config.data_dir),
        }

    def reload(self) -> None:
        """Read chips and certificates again; a wrong file is told and changes nothing, unknown chips are cut off."""
        if self.renewal.look():
            self.hub.drop_unknown()

    def apply(self, config: Config) -> None:
        """Let what can change under way (``reload.AT_ONCE``) hold from now on."""
        self.hub.limit(_limits(config))

    def _link_statuses(self) -> list[LinkStatus]:
        return [link.status() for link in self._links]

    def _open_reader(self) -> Reader:
        return Reader(self._config.data_dir, self._connect)

    def _committed(self, index: int) -> None:
        """Pass a commit on; on the writer's thread."""
        for upstream in self._upstreams:
            upstream.committed(index)
        try:
            self._loop.call_soon_threadsafe(self.hub.committed, index)
        except RuntimeError:
            _log.debug("commit_after_loop", index=index)  # the loop is closed: nobody is left to be acknowledged

    def _refreshed(self) -> Metrics:
        metrics = self.metrics
        refresh_store(metrics, self.writer, self.keeper, self.proof)
        refresh_ways(metrics, self._link_statuses(), self._upstreams)
        metrics.orders.set(len(self.downlink))
        for state, count in self.downlink.ended.items():
            metrics.orders_ended.labels(RESULTS[state]).set(count)
        refresh_operation(metrics, self.hub, self._config.data_dir, self.reloading)
        metrics.chips_trouble.set(bool(self.renewal.trouble))
        return metrics

    async def _tick(self) -> None:
        while True:
            before_s = self.ticked_s = self._loop.time()
            await asyncio.sleep(_TICK_S)
            if self._loop.time() - before_s > _TICK_LATE_S:
                self.hub.silence.deaf()  # this program stood still: it is no chip's silence
            self.hub.sweep()
            self.downlink.sweep()
            if self._recorder is not None:
                self._recorder.flush()
            self.reload()
            if not (self.writer.alive and all(upstream.alive for upstream in self._upstreams)):
                _log.critical("collector_part_ended")
                self.part_ended = True
                self.ended.set()

    def _report(self, order: Order) -> None:
        for upstream in self._upstreams:
            if order.origin == f"mqtt:{upstream.name}":
                upstream.report(order)

    def _order_came(self, upstream: str, envelope: bytes) -> None:
        """Take an order from an upstream; on its thread. One that is authentic is answered, carried or not."""
        origin, now_s = f"mqtt:{upstream}", int(time.time())
        try:
            order = decode_order(envelope, self._key)
        except WeldgateError as error:
            _log.warning("order_refused", upstream=upstream, code=error.code, reason=error.message)
            return
        try:
            carried = signed_order(order.device, order.type, order.object, origin, now_s)
        except WeldgateError as error:
            _log.warning("order_refused", upstream=upstream, code=error.code, reason=error.message)
            self._report(refused_order(order.device, order.type, order.object, origin, now_s, error.code))
            return
        self._loop.call_soon_threadsafe(lambda: self._spawn(self._put(carried)))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _cancel_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _put(self, order: Order) -> None:
        try:
            await self.downlink.put(order)
        except WeldgateError as error:
            _log.warning("order_refused", order=order.id.hex(), code=error.code, reason=error.message)

    async def _control_request(self, asked: Asked, who: str) -> dict[str, Any]:
        """Do what the local operator asks."""
        do, now_s = asked.do, int(time.time())
        if do == "status":
            return dict(self.health())
        if do == "metrics":
            return {"text": self._refreshed().text().decode()}
        if do == "forget-aside":
            return await self._forget_aside(asked.upstream, who)
        device = asked.device_bytes()
        if self.chips.lookup(device) is None:
            raise OrderError(reasons.WIRE_UNKNOWN_CHIP, f"chip {asked.device} is not known here")
        if do == "live-code":
            return {"sent": self.hub.send(device, messages.CHALLENGE_ANSWER, live_code_fields(asked.token))}
        if do == "token":
            token = read_token(asked.token)
            order = signed_order(device, messages.TOKEN, token, f"operator:{who}", now_s, _TOKEN_WAIT_S)
        elif do == "order":
            obj = read_token(asked.object)
            order = signed_order(device, asked.type, obj, f"operator:{who}", now_s)
        elif do == "lock":
            order = self._operator_lock(device, asked, who, now_s)
        else:
            raise OrderError(
                reasons.TOOL_BAD_INPUT,
                f"`do` is {do!r}: status, metrics, token, live-code, order, lock and forget-aside are allowed",
            )
        order = await self.downlink.put(order)
        return {"order": order.id.hex(), "state": order.state, "online": self.hub.is_online(device)}

    async def _forget_aside(self, name: str, who: str) -> dict[str, Any]:
        """Forget what an upstream had set aside, on the operator's word, which is recorded."""
        found = [upstream for upstream in self._upstreams if upstream.name == name]
        if not found:
            raise OrderError(reasons.TOOL_BAD_INPUT, f"no upstream `{name}`")
        count = await asyncio.wrap_future(self.writer.submit(lambda connection: forget_aside(connection, name)))
        found[0].forgotten()
        text = f"{who} forgets {count} records that upstream {name} had set aside"
        self.hub.put([operator_row(bytes(8), text, self.hub.now_ms())])
        _log.warning("aside_forgotten", upstream=name, who=who, records=count)
        return {"forgotten": count}

    def _operator_lock(self, device: bytes, asked: Asked, who: str, now_s: int) -> Order:
        mode = asked.mode
        if mode not in (1, 2):
            raise OrderError(reasons.TOOL_BAD_INPUT, f"`mode` is {mode!r}: 1 soft and 2 now are allowed")
        lock = secrets.token_bytes(8)
        reason = reasons.END_LOCK_NOW if mode == 2 else reasons.END_LOCK_SOFT
        text = f"{who} locks, mode {mode}, lock {lock.hex()}"
        self.hub.put([operator_row(device, text, self.hub.now_ms())])
        _log.warning("operator_lock", device=asked.device, who=who, mode=mode, lock=lock.hex())
        return lock_order(device, mode, lock, reason, f"operator:{who}", now_s, _LOCK_WAIT_S)


def _limits(config: Config) -> Limits:
    """Return the hub's bounds; above what the limit of open files allows nobody is let in."""
    links = config.links
    return Limits(
        config.store.backlog_rows, links.max_unauthenticated, links.throttle_s,
        min(links.max_connections, connections_allowed()), links.chip_bytes_s, links.chip_burst_bytes,
    )  # fmt: skip


def _told(text: str, now_ms: int) -> Row:
    """Return the record of what retention took from somebody; it is about no chip."""
    return operator_row(bytes(8), text, now_ms)
