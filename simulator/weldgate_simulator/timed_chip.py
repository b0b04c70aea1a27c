"""The whole app in virtual time, each operation charged what it costs on an ESP32: how soon the pin follows a lock.

Written for both interpreters. The app, link, conversation, driver and stores are the chip's own; here are only the
order in which asyncio would run their parts (by due time, and first come first served among equals, as both
interpreters do it), a socket and a collector on the other side, and the clock to which `COST_US` is charged. A part
that is late is not interrupted: that is what a lock has to wait for. docs/safety.md tells where the figures come from.
"""

import gc

from weldgate_firmware import app, gate
from weldgate_firmware.storage import Storage
from weldgate_protocol import messages, reasons
from weldgate_protocol.frame import FLAG_PARITY, encode_body, seal, to_wire
from weldgate_protocol.keys import HmacKey, connection_key
from weldgate_simulator.timed_board import COST_US, TimedBoard, TimedFlash

__all__ = ["SECTORS", "TimedChip"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

INTERRUPT_PERMILLE = 50  # what the sampling interrupt takes of all the processor does
SECTORS = 16 + 128  # slots and log, and a ring that holds more than 5,000 records
TICK_US = 10_000
SERIAL_US = 20_000
NETWORK_US = 500_000
COLLECT_US = 250_000
READ_BYTES = 512  # as link.py reads
ACK_US = 8_000  # the collector's answer
ACK_EVERY = 8
NONCE = b"n" * 16
CHIP_NONCE = b"c" * 16


class _Connected:
    """The link's task, as far as its tick looks at it."""

    dropped = False

    def cancel(self) -> None:
        self.dropped = True


class _Writer:
    """The socket's other direction: what was written only counts."""

    written = 0

    def write(self, data: bytes) -> None:
        self.written += len(data)


class TimedChip:
    """One chip under load.

    Args:
        data: its flash, taken over.
        now_s: Unix seconds at the start.

    Attributes:
        now_us: virtual time.
        app, board, erases: to look at.
    """

    def __init__(self, data: bytearray, now_s: int) -> None:
        self.now_us = 0
        self.collecting = False  # whether the interpreter's own garbage is collected as well
        self._now_s = now_s
        flash = TimedFlash(data, self._spend)
        self.board = TimedBoard(lambda: self.now_us, flash)
        storage = Storage(flash, self.board.random)
        self.app = app.App(self.board, app.load_identity(storage), storage)
        self.app.boot()
        link = self.app.link
        if link is None:
            raise ValueError("an identity without a collector")
        self.link: Any = link
        self._writer = _Writer()
        self._socket: list[tuple[int, bytes]] = []  # (microseconds of arrival, bytes)
        self._down = 1
        self._acked = self._ack_us = 0
        self._turns = 0
        self._queue: list[tuple[int, int, Callable[[], int]]] = []
        for part in (self._tick, self._work, self._serial, self._network, self._collect):
            self._push(self.now_us, part)
        self._reads = self._speaks = False
        self._connect()

    # -- time ------------------------------------------------------------------

    def _spend(self, what: str, times: int = 1) -> None:
        us = COST_US[what] * times
        if what not in ("erase", "program"):
            us += us * INTERRUPT_PERMILLE // 1000
        self.now_us += us

    def _push(self, due_us: int, part: "Callable[[], int]") -> None:
        self._turns += 1
        self._queue.append((due_us, self._turns, part))

    def run_until(self, end_us: int) -> None:
        """Run parts in their order until it is `end_us`, or a part has taken it beyond."""
        while self.now_us < end_us:
            self._poll()
            first = min(self._queue, key=lambda one: one[:2])
            soonest = min([first[0]] + [one[0] for one in self._socket] + [self._acks_due()])
            if first[0] > self.now_us:
                self.now_us = max(self.now_us, min(soonest, end_us))
                continue
            self._queue.remove(first)
            due_us = first[2]()
            if due_us >= 0:
                self._push(due_us, first[2])

    def _poll(self) -> None:
        """Let what waits for the socket or for being woken become ready, behind all that is ready by now."""
        if self._acks_due() <= self.now_us:
            self._ack()
        if not self._reads and self._arrived():
            self._reads = True
            self._push(self.now_us, self._read)
        if not self._speaks and self.link._wake.is_set():
            self._speaks = True
            self.link._wake.clear()
            self._push(self.now_us, self._speak)

    # -- parts, as app.py, main.py and link.py have them ------------------------------

    def _tick(self) -> int:
        due_us = self.now_us
        self._spend("tick")
        self.app.tick()
        return max(due_us + TICK_US, self.now_us)

    def _work(self) -> int:
        driver = self.app.driver
        self._spend("verify" if self._verifying() else "work")
        programs = self.board.flash.programs
        busy = driver.work()
        if self.board.flash.programs != programs:
            self._spend("record")
        return self.now_us if busy else self.now_us + TICK_US

    def _verifying(self) -> bool:
        driver: Any = self.app.driver
        return driver._tokens._steps is not None

    def _serial(self) -> int:
        self._spend("serial")
        self.app.read_serial()
        return self.now_us + SERIAL_US

    def _network(self) -> int:
        self._spend("network")
        return self.now_us + NETWORK_US

    def _collect(self) -> int:
        self._spend("gc")
        if self.collecting:
            gc.collect()
        return self.now_us + COLLECT_US

    def _read(self) -> int:
        """One turn of the reading task: what has arrived, 512 bytes at most."""
        data = b""
        while self._arrived() and len(data) < READ_BYTES:
            when, piece = self._socket.pop(0)
            room = READ_BYTES - len(data)
            data += piece[:room]
            if piece[room:]:
                self._socket.insert(0, (when, piece[room:]))
        link = self.link
        link._stream.feed(data)
        raw = link._stream.take()
        while raw is not None:
            self._spend("receive", (len(raw) + 99) // 100)
            link._receive(raw)
            raw = link._stream.take()
        self._reads = False
        return -1

    def _speak(self) -> int:
        """One turn of the writing task: a burst at most, then it waits for the socket to take it."""
        before, beats = self.link._cursor, self.link._changed
        spoke = self.link._speak(self._writer)
        self._spend("send", self.link._cursor - before)
        if beats:
            self._spend("beat")
        if self.link._over or self.link._task.dropped:
            raise ValueError(f"the chip gave its connection up: error {self.link.error}")
        if spoke:
            return self.now_us
        self._speaks = False
        return -1

    # -- the collector -------------------------------------------------------------

    def _connect(self) -> None:
        """Say hello and be welcomed by a collector that has acknowledged nothing of what the ring holds."""
        link = self.link
        identity = self.app.identity
        link._random = lambda count: CHIP_NONCE[:count]
        link._task = _Connected()
        link._heard_ms = link._beat_ms = self.board.ticks_ms()
        link._hello()
        self._key = HmacKey(connection_key(identity.k_down, CHIP_NONCE, NONCE))
        self._flags = 0x12 | (FLAG_PARITY if identity.generation & 1 else 0)
        self._acked = link._spool.acked
        self.send(messages.WELCOME, {"nonce": NONCE, "status": 0, "high_water": self._acked})

    def send(self, type_: int, fields: "dict[str, Any]", at_us: int = -1) -> None:
        """Let a frame of the collector's arrive, whole: now, or when it says."""
        payload = messages.encode(type_, fields)
        identity = self.app.identity
        seconds = self._now_s + self.now_us // 1_000_000
        body = encode_body(self._flags, type_, identity.device, self.link._spool.epoch, self._down, seconds, 0, payload)
        self._down += 1
        self._socket.append((at_us if at_us >= 0 else self.now_us, to_wire(seal(body, self._key))))

    def lock_now(self, at_us: int) -> None:
        """Let a lock's last byte arrive at `at_us`, which the part that ran last may have passed."""
        fields = {"mode": 2, "id": b"lock-001", "reason": reasons.END_LOCK_NOW}
        self.send(messages.LOCK, fields, at_us)

    def _arrived(self) -> bool:
        return bool(self._socket) and self._socket[0][0] <= self.now_us

    def _acks_due(self) -> int:
        waiting = self.link._cursor - 1 - self._acked if self.link.online else 0
        return self._ack_us + ACK_US if waiting >= ACK_EVERY else 1 << 62

    def _ack(self) -> None:
        self._acked = self.link._cursor - 1
        self._ack_us = self.now_us
        self.send(messages.ACK, {"epoch": self.link._spool.epoch, "through": self._acked})

    # -- what to look at -----------------------------------------------------------------

    @property
    def live(self) -> bool:
        """Whether a session is live and the relay closed."""
        return self.app.driver.state == gate.LIVE and self.board.closed

    @property
    def locked(self) -> bool:
        """Whether the lock has been taken."""
        return self.app.driver.state == gate.LOCKED

    @property
    def latched(self) -> bool:
        """Whether an alarm is latched."""
        return self.app.driver.state == gate.LATCHED
