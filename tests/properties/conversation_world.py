"""A chip's spool, a collector's store and a bad line between two real ends of the conversation.

The chip here does what a firmware must do by SPEC.md (M-CONV-10), the store what a writer must do: it takes rows in
the order they are handed up, compares each with its own high-water once more, and acknowledges after the commit.
"""

from collections.abc import Callable
from typing import Any

from weldgate_protocol import conversation_chip as chip
from weldgate_protocol import conversation_collector as collector
from weldgate_protocol import messages
from weldgate_protocol._compat import HmacKey
from weldgate_protocol.frame import FLAG_DURABLE, encode_body, from_wire, seal, to_wire
from weldgate_protocol.keys import ChipKeys

DEVICE = (77).to_bytes(8, "big")
K_UP, K_DOWN = b"u" * 32, b"d" * 32
UP = HmacKey(K_UP)
STAMP = (1_795_500_000, 0, 2)
WINDOW = 8  # frames in flight


class Spool:
    """What a chip holds of one epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch.to_bytes(4, "big")
        self.frames: dict[int, bytes] = {}
        self.next_seq = 1
        self.acked = 0
        self.ahead = 0  # M-CONV-19: high-water of a collector that is owed what was unacknowledged
        self.serial = 0  # so that a number given twice never stands for the same bytes
        self.written: dict[int, bytes] = {}

    @property
    def oldest(self) -> int:
        return min(self.frames, default=self.next_seq)

    @property
    def highest(self) -> int:
        return self.next_seq - 1

    def next_held(self, seq: int) -> int:
        return min((held for held in self.frames if held >= seq), default=0)

    def go_above(self, high: int) -> None:
        self.ahead = max(self.ahead, high)
        if high >= self.next_seq:
            first, self.next_seq = self.next_seq, high + 1
            self.append(messages.GAP, {"first": first, "last": high, "cause": 6})

    def append(self, type_: int, fields: dict[str, Any]) -> None:
        payload = messages.encode(type_, fields)
        seq = self.next_seq
        raw = seal(encode_body(FLAG_DURABLE | 2, type_, DEVICE, self.epoch, seq, seq, 0, payload), UP)
        self.frames[seq] = self.written[seq] = raw
        self.next_seq = seq + 1


class Store:
    """What a collector has committed, by epoch, and what waits for the commit."""

    def __init__(self) -> None:
        self.rows: list[tuple[bytes, int, int, bytes]] = []  # epoch, first, last, raw (empty: declared by us)
        self.queue: list[tuple[bytes, int, int, bytes]] = []
        self.conflicts = 0
        self.evidence: set[bytes] = set()  # frames whose number was taken when they came

    def high(self, _device: bytes, epoch: bytes) -> int | None:
        return max((last for name, _, last, _ in self.rows if name == epoch), default=None)

    def commit(self) -> None:
        for epoch, first, last, raw in self.queue:
            high = self.high(DEVICE, epoch) or 0
            if last <= high:
                stored = [row[3] for row in self.rows if row[0] == epoch and row[2] == last and row[3]]
                self.conflicts += bool(raw and stored and raw not in stored)
                self.evidence.add(raw)
                continue
            if first > high + 1:
                raise AssertionError(f"hole before {first} after {high}")
            self.rows.append((epoch, max(first, high + 1), last, raw))
        self.queue = []


class Connection:
    """A collector's end and the two directions of its line."""

    def __init__(self, end: collector.CollectorConversation) -> None:
        self.end = end
        self.up: list[bytes] = []
        self.down: list[bytes] = []
        self.open = True


class World:
    """Both ends, the line, and what may happen to them."""

    def __init__(self) -> None:
        self.epochs = 1
        self.spools = [Spool(1)]
        self.store = Store()
        self.chip = chip.ChipConversation(DEVICE, UP, K_DOWN, 0)
        self.connections: list[Connection] = []
        self.nonces = 0
        self.resume_at = 0
        self.cursor = 1
        self.now_ms = 0
        self.committed_ever: dict[bytes, int] = {}

    @property
    def spool(self) -> Spool:
        return self.spools[-1]

    def random(self, size: int) -> bytes:
        self.nonces += 1
        return self.nonces.to_bytes(size, "big")

    # what a chip does

    def write(self) -> None:
        """Spool a record."""
        self.spool.serial += 1
        self.spool.append(messages.POWER_OFF, {"powered_s": self.spool.serial})

    def skip_tail(self) -> None:
        """Come up after an unclean tail: one number skipped, and declared by the next record."""
        seq = self.spool.next_seq
        self.spool.next_seq += 1
        self.spool.append(messages.GAP, {"first": seq, "last": seq, "cause": 1})
        self.chip.end()

    def overwrite(self) -> None:
        """Lose the oldest frames to a record that must have room."""
        oldest = self.spool.oldest
        lost = sorted(self.spool.frames)[:2]
        for seq in lost:
            del self.spool.frames[seq]
        if lost:
            self.spool.append(messages.GAP, {"first": oldest, "last": lost[-1], "cause": 2})

    def rot(self) -> None:
        """Find a frame in the middle unreadable."""
        held = sorted(self.spool.frames)
        if len(held) > 2:
            del self.spool.frames[held[len(held) // 2]]

    def go_back(self) -> None:
        """Boot from flash that has forgotten its newest half, and meet a good line before as much is written again."""
        spool = self.spool
        self.reboot()
        self.commit()  # a boot takes longer
        held = sorted(spool.frames)
        for seq in held[len(held) // 2 :]:
            del spool.frames[seq]
        spool.next_seq = max([spool.acked, *spool.frames]) + 1
        for _ in range(2):
            if spool.highest + 1 < (self.store.high(DEVICE, spool.epoch) or 0):
                self.write()
        self.line_only()
        self.connect()
        self.listen()
        self.hear()

    def line_only(self) -> None:
        """Leave no older connection and nothing under way."""
        for line in self.connections:
            line.end.close()
            line.open = False
        self.connections = []

    def reboot(self) -> None:
        """Restart the chip."""
        self.chip.end()
        self.resume_at = 0

    def format(self) -> None:
        """Start a new epoch."""
        self.chip.end()
        self.resume_at = 0
        self.epochs += 1
        self.spools.append(Spool(self.epochs))
        self.spool.append(messages.GAP, {"epoch": self.spools[-2].epoch, "first": 1, "cause": 3})

    def connect(self) -> None:
        """Open a connection, whatever has become of the last one."""
        self.chip.end()
        end = collector.CollectorConversation(self.lookup, self.store.high, lambda: STAMP, self.random)
        self.connections = [*self.connections[-2:], Connection(end)]
        spool = self.spool
        fields: dict[str | int, Any] = {
            "oldest": max(spool.oldest, self.resume_at),
            "highest": spool.highest,
            "boot": 1,
            "firmware": "",
            "profile": "",
            "key_set_version": 0,
            "config_version": 0,
            "revocations_version": 0,
        }
        self.connections[-1].up.append(self.chip.start(self.random(16), fields, spool.epoch, STAMP, self.now_ms))

    def lookup(self, device: bytes) -> ChipKeys | None:
        return ChipKeys(0, K_UP, K_DOWN) if device == DEVICE else None

    def speak(self) -> None:
        """Let the chip send what is due."""
        if not self.connections or not self.chip.welcomed:
            return
        up = self.connections[-1].up
        if not self.chip.online:
            up.append(self.chip.volatile(messages.HEARTBEAT, HEARTBEAT, STAMP))
        while self.cursor <= self.spool.highest and self.cursor - self.chip.acked <= WINDOW:
            seq = self.spool.next_held(self.cursor)
            if not seq:
                return
            raw = self.spool.frames[seq]
            if not self.chip.follows(raw):
                self.resume_at = seq
                self.chip.end()
                return
            self.chip.sent(seq)
            up.append(to_wire(raw))
            self.cursor = seq + 1

    def hear(self) -> None:
        """Deliver one frame to the chip."""
        line = self.connections[-1] if self.connections else None
        if line is None or not line.down:
            return
        event = self.chip.receive(from_wire(line.down.pop(0)[1:-1]), self.now_ms)
        spool = self.spool
        if event == chip.WELCOMED_AHEAD:
            spool.go_above(self.chip.high_water)
            self.write()  # the alarm
        if event == chip.ACKED:
            spool.acked = self.chip.acked
            spool.ahead *= spool.acked <= spool.ahead
        elif event in (chip.WELCOMED, chip.WELCOMED_AHEAD):
            spool.acked = min(spool.acked, self.chip.high_water) if spool.ahead else self.chip.high_water
        if event in (chip.WELCOMED, chip.WELCOMED_AHEAD) and spool.ahead:
            self.cursor = spool.acked + 1
            self.resume_at = 0
        elif event == chip.WELCOMED:
            self.cursor = self.chip.high_water + 1
            held = self.spool.next_held(self.cursor) or self.spool.next_seq
            fits = held == self.chip.first or (held > self.chip.first and self._bridges(held))
            self.resume_at = 0 if fits else held
            if not fits:
                self.chip.end()
        elif event == chip.ACKED:
            assert self.chip.acked <= self.committed_ever.get(self.spool.epoch, 0), "acked before the commit"

    def _bridges(self, seq: int) -> bool:
        return seq in self.spool.frames and self.chip.follows(self.spool.frames[seq])

    def forget(self) -> None:
        """Overwrite what is acknowledged."""
        for seq in sorted(self.spool.frames)[:3]:
            if seq <= self.spool.acked:
                del self.spool.frames[seq]

    # what a collector does

    def listen(self, which: int = -1) -> None:
        """Deliver one frame to a collector's end."""
        if not self.connections:
            return
        line = self.connections[which % len(self.connections)]
        if not line.up:
            return
        for event in line.end.receive(from_wire(line.up.pop(0)[1:-1])):
            kind = event[0]
            if kind == collector.SEND:
                line.down.append(event[1])
            elif kind == collector.CAME_ONLINE:
                for other in self.connections:
                    if other is not line:
                        other.end.close()
            elif kind == collector.DECLARE:
                lost = range(event[2], event[3] + 1)
                if event[1] == self.spool.epoch and any(seq in lost for seq in self.spool.frames):
                    raise AssertionError("declared lost what the chip still holds")
                self.store.queue.append((event[1], event[2], event[3], b""))
            elif kind == collector.CLOSE:
                line.open = False
            elif kind in (collector.DURABLE, collector.REPEAT):
                self.store.queue.append((line.end.epoch, event[1], event[1], event[2]))
            elif kind == collector.BRIDGE:
                self.store.queue.append((line.end.epoch, event[3], event[1], event[2]))

    def commit(self) -> None:
        """Commit what waits, then acknowledge."""
        self.store.commit()
        for spool in self.spools:
            high = self.store.high(DEVICE, spool.epoch) or 0
            self.committed_ever[spool.epoch] = max(high, self.committed_ever.get(spool.epoch, 0))
        for line in self.connections:
            if line.end.epoch:
                wire = line.end.acknowledge(line.end.epoch, self.store.high(DEVICE, line.end.epoch) or 0)
                if wire:
                    line.down.append(wire)

    def kill(self) -> None:
        """Kill the collector: what was not committed is gone, and so are its connections."""
        self.store.queue = []
        for line in self.connections:
            line.end.close()
            line.open = False

    def restore(self) -> None:
        """Start the collector from a backup that is some rows old."""
        self.kill()
        self.store.rows = self.store.rows[: len(self.store.rows) * 2 // 3]

    # what a line does

    def _on_line(self, change: Callable[[list[bytes]], None]) -> None:
        for line in self.connections[-1:]:
            change(line.up)
            change(line.down)

    def lose(self) -> None:
        """Lose the next frame of both directions."""
        self._on_line(lambda frames: frames.__delitem__(slice(0, 1)))

    def double(self) -> None:
        """Bring the next frame twice."""
        self._on_line(lambda frames: frames.__setitem__(slice(0, 0), frames[:1]))

    def swap(self) -> None:
        """Exchange the next two frames."""
        self._on_line(lambda frames: frames.__setitem__(slice(0, 2), frames[:2][::-1]))

    def cut(self) -> None:
        """Cut the line: what is under way is gone, and both ends notice."""
        self._on_line(lambda frames: frames.clear())
        self.chip.end()

    def flow(self) -> None:
        """Move whatever is under way on the newest connection, without a commit."""
        if self.chip.closed:
            self.connect()
        for _ in range(2):
            self.speak()
            while self.connections[-1].up:
                self.listen()
            while self.connections[-1].down:
                self.hear()

    def settle(self, rounds: int = 40) -> None:
        """Let a good line do its work; a round is the time between two heartbeats."""
        for _ in range(rounds):
            self.now_ms += 30_000
            if self.chip.closed or not self.connections or not self.connections[-1].open:
                self.connect()
            newest = self.connections[-1]
            self.speak()
            if self.chip.online:
                newest.up.append(self.chip.volatile(messages.HEARTBEAT, HEARTBEAT, STAMP))
            if not newest.up and not newest.down:
                self.chip.end()  # neither end has anything to say, and the link's patience is over
            for which in range(len(self.connections)):
                while self.connections[which].up:
                    self.listen(which)
            self.commit()
            while self.connections[-1].down:
                self.hear()


HEARTBEAT: dict[str | int, Any] = {
    "gate": 2,
    "alarms": [],
    "highest": 0,
    "acked": 0,
    "spool_permille": 0,
    "current_ma": 0,
    "uptime_s": 0,
}
