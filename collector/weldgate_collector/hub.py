"""What concerns more than one connection: who is online, marks that become acks, back-pressure, throttling, silence.

Runs on the event loop's thread alone; the writer's thread reaches it through ``committed``, scheduled on the loop.
Decides who may stay; leaves framing and belief to the conversation, commits to the store, waiting orders to the
downlink, and whose silence is an alarm to ``silence``.
"""

import asyncio
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import structlog

from weldgate_protocol import reasons
from weldgate_protocol.conversation_collector import CollectorConversation
from weldgate_protocol.frame import QUALITY_FLOOR, QUALITY_SYNCED, Frame

from .chips import Chips
from .downlink import Downlink
from .errors import StoreError
from .ingest import Lines, conflicts, silence_row
from .links.base import Connection
from .metrics import Metrics
from .pace import Pace
from .peer import ChipPeer
from .quiet import Quiet
from .silence import SESSION_TYPES, Silence, State, stored_states
from .sources import STRIKES_MAX, Sources
from .store import FRAME, OWN, Reader, Record, Row, Writer

if TYPE_CHECKING:
    from weldgate_protocol.fields import Fields

__all__ = ["Hub", "Limits"]

_log = structlog.get_logger("weldgate.hub")

_CLOCK_SURE_S = 1_767_225_600  # 2026-01-01, before this program was written: an earlier clock was never set
_CLOCK_MAX_S = 0xFFFFFFFF  # 2106-02-07, what a header holds (SPEC section 3): a later clock was set wrong


class Limits:
    """Bounds of a hub, from the configuration."""

    def __init__(
        self,
        backlog_rows: int = 40_000,
        max_unauthenticated: int = 12_000,
        throttle_s: float = 30.0,
        max_connections: int = 15_000,
        chip_bytes_s: int = 131_072,
        chip_burst_bytes: int = 8_388_608,
    ) -> None:
        self.backlog_rows = backlog_rows
        self.max_unauthenticated = max_unauthenticated
        self.throttle_s = throttle_s
        self.max_connections = max_connections
        self.chip_bytes_s = chip_bytes_s
        self.chip_burst_bytes = chip_burst_bytes


class Hub:
    """All connections of one collector. ``accept`` is what a link calls for each."""

    def __init__(
        self,
        chips: Chips,
        writer: Writer,
        lines: Lines,
        downlink: Downlink,
        metrics: Metrics,
        limits: Limits,
        open_reader: Callable[[], Reader],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the neighbours.

        Args:
            chips: whose keys are known.
            writer: where rows go.
            lines: the high-waters, as the store had them at start.
            downlink: what waits for chips.
            metrics: what is counted.
            limits: bounds.
            open_reader: opens the store for look-ups of repeats; called once, on the look-ups' own thread.
            clock_s: monotonic seconds.
        """
        self.lines = lines
        self.metrics = metrics
        self.clock_s = clock_s
        self.silence = Silence(clock_s)
        self._chips = chips
        self._writer = writer
        self._downlink = downlink
        self._limits = limits
        self._open_reader = open_reader
        self._reader: Reader | None = None
        self._lookups = ThreadPoolExecutor(1, "store-lookup")
        self._comparing = asyncio.Lock()  # one at a time: the next one finds what the one before has stored
        self._tasks: set[asyncio.Task[None]] = set()
        self._marks: deque[tuple[int, ChipPeer, int, int]] = deque()
        self._waiters: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._peers: dict[ChipPeer, None] = {}
        self._strangers: dict[ChipPeer, None] = {}  # not online yet, oldest first
        self._online: dict[bytes, ChipPeer] = {}
        self._held_back: set[ChipPeer] = set()
        self._compared: set[ChipPeer] = set()  # whose repeats are looked up
        self._stopping = False
        self._quiet = Quiet(clock_s)
        self.sources = Sources(limits.throttle_s, clock_s)
        self.pace = Pace(limits.chip_bytes_s, limits.chip_burst_bytes, clock_s)
        downlink.attach(self.send)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._peers)

    @property
    def online(self) -> int:
        """How many chips have proved to be there."""
        return len(self._online)

    @property
    def strangers(self) -> int:
        """How many connections have not proved who they are."""
        return len(self._strangers)

    def limit(self, limits: Limits) -> None:
        """Take other bounds from now on; who is there stays."""
        self._limits = limits
        self.sources.throttle_s = limits.throttle_s
        self.pace.rate_bytes_s, self.pace.burst_bytes = limits.chip_bytes_s, limits.chip_burst_bytes

    def is_online(self, device: bytes) -> bool:
        """Tell whether a chip is there."""
        return device in self._online

    @staticmethod
    def now_ms() -> int:
        """Return Unix milliseconds."""
        return time.time_ns() // 1_000_000

    def converse(self) -> CollectorConversation:
        """Return a new connection's conversation."""
        return CollectorConversation(self._chips.lookup, self.lines.committed, self._stamp, os.urandom)

    def accept(self, connection: Connection) -> ChipPeer:
        """Take a new connection, unless its source is throttled; of too many the oldest stranger has to go."""
        peer = ChipPeer(connection, self)
        if self.sources.throttled(connection.source):
            self.metrics.throttled.inc()
            peer.drop(reasons.WIRE_THROTTLED)
            return peer
        self._peers[peer] = None
        self._strangers[peer] = None
        limits = self._limits
        if len(self._strangers) > limits.max_unauthenticated or len(self._peers) > limits.max_connections:
            self.metrics.dropped.inc()
            oldest = next(iter(self._strangers))
            del self._strangers[oldest]
            oldest.drop(reasons.WIRE_HELLO_TIMEOUT)
        return peer

    def came_online(self, peer: ChipPeer) -> None:
        """Make a connection the chip's only one, and hand it what waited."""
        self._strangers.pop(peer, None)
        older = self._online.get(peer.device)
        self._online[peer.device] = peer
        if older is not None and older is not peer:
            self.metrics.dropped.inc()
            older.supersede()
        self._downlink.connected(peer.device)

    def left(self, peer: ChipPeer) -> None:
        """Forget a connection."""
        self._peers.pop(peer, None)
        self._strangers.pop(peer, None)
        self._held_back.discard(peer)
        self._compared.discard(peer)
        self.pace.forget(peer)
        if self._online.get(peer.device) is peer:
            del self._online[peer.device]

    def send(self, device: bytes, type_: int, fields: "Fields") -> bool:
        """Send a downlink message to a chip; False when it is not online."""
        peer = self._online.get(device)
        return peer is not None and peer.deliver(type_, fields)

    def put(self, rows: list[Row], peer: ChipPeer | None = None, high: int = 0, through: int = 0) -> None:
        """Queue rows, and mark what follows from their commit.

        Args:
            rows: what to store; may be empty, then the mark waits for all that is queued already.
            peer: whose they are.
            high: the line's highest number among them, 0 for none.
            through: what ``peer`` may be acknowledged then, 0 for nothing.
        """
        index = self._writer.put(rows)
        if peer is None:
            return
        frames = [row[1] for row in rows].count(FRAME)
        if frames:
            self.metrics.frames.inc(frames)
        if high or through:
            self._marks.append((index, peer, high, through))
            if index <= self._writer.committed:
                self.committed(index)
        if self._writer.backlog > self._limits.backlog_rows and peer in self._peers:
            self._held_back.add(peer)
            peer.hold_back(True)

    def committed(self, index: int) -> None:
        """Turn a commit into acks: one for each connection that has something in it."""
        acks: dict[ChipPeer, int] = {}
        marks = self._marks
        while marks and marks[0][0] <= index:
            _, peer, high, through = marks.popleft()
            if high:
                self.lines.commit(peer.key, high)
            if through:
                acks[peer] = through
        for peer, through in acks.items():
            peer.acknowledge(through)
        while self._waiters and self._waiters[0][0] <= index:
            future = self._waiters.popleft()[1]
            if not future.done():
                future.set_result(None)
        if self._held_back and self._writer.backlog <= self._limits.backlog_rows // 2:
            held, self._held_back = self._held_back, set()
            for peer in held:
                peer.hold_back(False)

    def compare(self, peer: ChipPeer, repeats: list[tuple[int, bytes]], through: int) -> None:
        """Look repeats up in the store, then let ``peer`` go on."""
        self._compared.add(peer)
        task = asyncio.get_running_loop().create_task(self._compare(peer, repeats, through))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def told(self, peer: ChipPeer, frames: list[bytes]) -> None:
        """Hand on frames of a chip: answers to the downlink, what begins or ends a session to the watch on silence."""
        presence = peer.presence
        for raw in frames:
            if raw[1] in SESSION_TYPES and presence is not None:
                seq = int.from_bytes(raw[14:18], "big")
                if seq > presence.highest:
                    self.silence.session(peer.device, raw[1], presence.heartbeat)
            self._downlink.heard(peer.device, raw)

    def heartbeat(self, peer: ChipPeer, frame: Frame, fields: "Fields | None") -> bool:
        """Hand a heartbeat to the downlink, which looks for the locks it names, and to the watch on silence.

        Returns:
            True when it ends an alarm.
        """
        if fields is not None:
            self._downlink.heartbeat(peer.device, fields)
        ended = self.silence.heartbeat(peer.device, frame, None if fields is None else fields["gate"])
        if ended:
            _log.warning("chip_back", device=str(int.from_bytes(peer.device, "big")))
        return ended

    async def recall(self) -> None:
        """Learn from the store whose session was live when the collector stopped; beside everything else."""
        try:
            states = await asyncio.to_thread(self._stored_states)
            self.silence.recall(states)
            self._forget_unknown()
        except (StoreError, sqlite3.Error) as error:
            _log.error("silence_not_recalled", reason=str(error))

    def judge(self, peer: ChipPeer, reason: int) -> None:
        """Count bad tags against their source."""
        if reason not in (reasons.WIRE_BAD_TAGS, reasons.FRAME_TAG):
            return
        self.metrics.bad_tags.inc()
        self.sources.bad_tags(peer.source, 1)
        self.sources.strike(peer.source, STRIKES_MAX if reason == reasons.WIRE_BAD_TAGS else 1)

    def closing(self, peer: ChipPeer, reason: int) -> None:
        """Tell that a connection is closed by us; of strangers, whom anybody can be, one line a minute and source."""
        times = 1 if peer.online else self._quiet.count((peer.source, reason))
        if times:
            device = str(int.from_bytes(peer.device, "big")) if peer.device else ""
            _log.info("connection_closed", source=peer.source, device=device, reason=reason, times=times)

    def sweep(self) -> None:
        """Raise the alarm for silence in a live session, close silent connections; called about once a second."""
        now_s = self.clock_s()
        if self._reader is not None:
            self._lookups.submit(self._reader.rest)
        if self._held_back or self._writer.trouble:
            self.silence.deaf()  # chips wait for us
        for peer in [*self._held_back, *self._compared]:
            peer.heard_s = now_s  # what it says waits in the link
        self.pace.sweep()
        for device, heartbeat in self.silence.sweep(self._heard_s):
            if self._chips.lookup(device) is None:
                self.silence.forget(device)
                continue
            self.put([silence_row(device, heartbeat, self.now_ms())])
            _log.error("chip_silent", device=str(int.from_bytes(device, "big")))
        for peer in list(self._peers):
            if (now_s - peer.heard_s) * 1000 > peer.conversation.patience_ms:
                self.metrics.dropped.inc()
                peer.drop(reasons.WIRE_HELLO_TIMEOUT)

    def drop_unknown(self) -> None:
        """Close the connections of chips that are no longer known; called after a reload."""
        for peer in list(self._peers):
            device = peer.conversation.device  # from its hello on, proved or not
            if device and self._chips.lookup(device) is None:
                peer.drop(reasons.WIRE_UNKNOWN_CHIP)
        self._forget_unknown()

    async def stop(self) -> None:
        """End what is under way; the links are stopped already, the writer not yet."""
        self._stopping = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._reader is not None:
            await asyncio.get_running_loop().run_in_executor(self._lookups, self._reader.close)
        self._lookups.shutdown()

    async def _compare(self, peer: ChipPeer, repeats: list[tuple[int, bytes]], through: int) -> None:
        async with self._comparing:
            index = self._writer.accepted  # a repeat's first bytes may be in the queue still
            if index > self._writer.committed:
                durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiters.append((index, durable))
                await durable
            try:
                found = await asyncio.get_running_loop().run_in_executor(self._lookups, self._find, repeats)
            except (sqlite3.Error, StoreError) as error:
                _log.error("lookup_failed", device=str(int.from_bytes(peer.device, "big")), reason=str(error))
                peer.drop(reasons.TOOL_STORE)  # it comes back, and sends again what was not acknowledged
                return
            rows = conflicts(repeats, found, self.now_ms())
            conflicting = [row for row in rows if row[1] == OWN]
            if conflicting:
                self.metrics.conflicts.inc(len(conflicting))
                seqs = [row[4] for row in conflicting[:10]]
                _log.error("identity_conflict", device=str(conflicting[0][2]), seqs=seqs)
            self._compared.discard(peer)
            peer.compared(rows, through)

    def _find(self, repeats: list[tuple[int, bytes]]) -> list[Record]:
        if self._reader is None:
            self._reader = self._open_reader()
        raw = repeats[0][1]
        seqs = [seq for seq, _ in repeats]
        device, epoch = int.from_bytes(raw[2:10], "big"), int.from_bytes(raw[10:14], "big")
        return self._reader.find(device, epoch, min(seqs), max(seqs))

    def _stored_states(self) -> list[State]:
        with self._open_reader() as reader:
            return stored_states(reader, lambda: not self._stopping)

    def _forget_unknown(self) -> None:
        for device in self.silence.silent:
            if self._chips.lookup(device) is None:
                self.silence.forget(device)

    def _heard_s(self, device: bytes) -> float:
        peer = self._online.get(device)
        return float("-inf") if peer is None else peer.heard_s

    def _stamp(self) -> tuple[int, int, int]:
        """Return the time a welcome carries; with a clock that was never set, or set wrong, one no chip takes."""
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        sure = _CLOCK_SURE_S <= seconds <= _CLOCK_MAX_S
        quality = QUALITY_SYNCED if sure else QUALITY_FLOOR
        return min(max(seconds, 0), _CLOCK_MAX_S), nanoseconds // 1_000_000, quality
