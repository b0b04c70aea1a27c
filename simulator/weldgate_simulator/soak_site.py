"""One site under the soak: broker, collector and consumer as real processes, chips, and the wires between them.

    chips ── wire ── collector ── packs ── broker ── consumer

``wire`` can be cut, ``packs`` can be cut and spoil what it carries. Every process is tethered to this one.
"""

import random
import secrets
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from weldgate_collector import Chip
from weldgate_protocol.frame import tag_matches
from weldgate_protocol.keys import HmacKey

from . import soak_audit
from .broker import Broker, MosquittoBroker, NatsBroker
from .line import Line, wait_for
from .load import make_chips
from .proxy import Proxy
from .soak_audit import Settled, Trouble
from .soak_chips import RingChip, Traffic
from .soak_hardware import hardware_command
from .soak_proxy import PackProxy

__all__ = ["Site", "Size"]

_POLL_S = 0.2
_RINGS = (80, 400, 1_000_000)  # frames that a chip's ring holds: some have overwritten what is lost, some nothing
_EXTRA = """
[store]
segment_rows = {segment_rows}
commit_ms = 5
min_free_mb = 1
"""


class Size:
    """How large a site is.

    Attributes:
        chips: how many.
        rate: frames recorded each second by all together.
        pause_s: how long traffic goes on at a step of a fault.
        segment_rows: rows of one segment.
        settle_s: how long it may take until everybody has everything.
    """

    def __init__(
        self,
        chips: int = 12,
        rate: float = 500.0,
        pause_s: float = 1.5,
        segment_rows: int = 1_500,
        settle_s: float = 90.0,
    ) -> None:
        self.chips, self.rate, self.pause_s = chips, rate, pause_s
        self.segment_rows, self.settle_s = segment_rows, settle_s


class Site:
    """Use it in ``with``. Attributes: ``line``, ``wire``, ``packs``, ``traffic``, ``draw``, ``size``, ``folder``."""

    def __init__(
        self, folder: Path, seed: int, size: Size, *, consumer: bool = True, mosquitto: bool = False, pragma: str = ""
    ) -> None:
        """Draw a site.

        Args:
            folder: empty.
            seed: of whatever is drawn in it.
            size: how large.
            consumer: False = the platform is not there yet.
            mosquitto: the broker; else nats-server.
            pragma: planted on each of the collector's connections: to see that it is found.
        """
        self.draw = random.Random(seed)  # noqa: S311 - repeatable by its seed
        self.size = size
        self.folder = folder
        self.keys: list[Chip] = make_chips(size.chips, secrets.token_bytes(32))
        self._up = {int(key.device).to_bytes(8, "big"): HmacKey(bytes.fromhex(key.up)) for key in self.keys}
        self._consumer = consumer
        self._pragma = pragma
        self._kind = MosquittoBroker if mosquitto else NatsBroker
        self._stack = ExitStack()
        self._declared = 0
        self._again = 0
        self._held = False
        self._renewal_expected = False

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            broker: Broker = self._kind(self.folder / "broker")
            broker.tethered = True
            self.packs = stack.enter_context(PackProxy(broker.host, broker.port, self.draw.getrandbits(32)))
            self.line = Line(
                self.folder, self.keys, broker, _EXTRA.format(segment_rows=self.size.segment_rows), tethered=True,
                upstream_port=self.packs.port,
            )  # fmt: skip
            stack.callback(self.line.stop)
            broker.start()
            if self._consumer:
                self.line.start_consumer()
            self.as_usual()
            self.line.start_collector()
            self.wire = stack.enter_context(Proxy("127.0.0.1", self.line.port))
            chips = [RingChip(chip, _RINGS[n % len(_RINGS)]) for n, chip in enumerate(self.keys)]
            self.traffic = stack.enter_context(Traffic(chips, "127.0.0.1", self.wire.port, self.size.rate))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def segments(self) -> Path:
        """The folder of the store's files."""
        return self.line.store / "segments"

    def tag_matches(self, raw: bytes) -> bool | None:
        """Verify a frame's tag as ``store check --chips-file`` does; None for a chip that is not of this site."""
        return tag_matches(raw, self._up[raw[2:10]]) if raw[2:10] in self._up else None

    def as_usual(self) -> None:
        """Let the next start of the collector be an ordinary one."""
        self.line.collector_command = [sys.executable, "-m", "weldgate_collector"]
        if self._pragma:
            self.line.collector_command = hardware_command(self._pragma)

    @property
    def is_on_hardware(self) -> bool:
        """Whether the collector was started on a disk and a clock of ours."""
        return self.line.collector_command == hardware_command(self._pragma)

    def on_hardware(self) -> None:
        """Let the next start of the collector be on a disk and a clock of ours."""
        self.line.collector_command = hardware_command(self._pragma)

    def flow(self, factor: float = 1.0) -> None:
        """Let traffic go on for a drawn while."""
        time.sleep(self.size.pause_s * factor * self.draw.uniform(0.5, 1.5))  # traffic is what is waited for

    def until(self, what: str, true: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait until something is so.

        Raises:
            LineError: it was not so in time.
        """
        wait_for(what, true, seconds)

    def acknowledged_on(self, count: int = 1) -> None:
        """Wait until so many more are acknowledged."""
        goal = self.traffic.acknowledged + count
        self.until("more to be acknowledged", lambda: self.traffic.acknowledged >= goal)

    def kept(self) -> list[Trouble]:
        """Return what was acknowledged and is not stored; with the chips held off, and joined again after it."""
        self.wire.cut()
        try:
            running = self.line.collector_pid != 0 and self.line.ended() != "collector"
            return soak_audit.kept(self.traffic.chips, self.line.store, self._declared, running=running)
        finally:
            self.wire.join()

    def kill_and_look(self) -> list[Trouble]:
        """Kill the collector, look at what it kept, start it as usual."""
        self.wire.cut()
        try:
            self.line.kill_collector()
            lost = soak_audit.kept(self.traffic.chips, self.line.store, self._declared)
            self.as_usual()
            self.line.start_collector()
        finally:
            self.wire.join()
        return lost

    def all_again(self) -> None:
        """Expect that everything comes to the consumer again, since the store gets a new id, or may have to."""
        self._renewal_expected = True

    def consumer_rolled_back(self) -> None:
        """Count from what the consumer holds now."""
        self._again = soak_audit.came_again(self.line.journal)

    def may_declare(self, *, held: bool = False) -> None:
        """Accept that numbers are declared lost from now on.

        Args:
            held: also such as a chip still holds: a high-water does not go back for a hole below it.
        """
        self._declared = sys.maxsize
        self._held |= held

    def settle(self) -> Settled:
        """Record no more, wait until all have everything, judge, and let traffic go on."""
        traffic = self.traffic
        rate, traffic.rate = traffic.rate, 0.0
        deadline_s = time.monotonic() + self.size.settle_s
        while True:
            late = time.monotonic() > deadline_s
            if traffic.waiting == 0 or late:  # reading it all before that is work for nothing
                found = self._judge()
                if late or (traffic.waiting == 0 and not found.lost):
                    break
            time.sleep(_POLL_S)
        if traffic.waiting:
            found.lost.append(Trouble(traffic.waiting, f"{traffic.waiting} are never acknowledged"))
        self._declared = found.declared
        self._renewal_expected = False
        self.consumer_rolled_back()
        traffic.rate = rate
        return found

    def _judge(self) -> Settled:
        """Judge the sets as they are now."""
        traffic, line = self.traffic, self.line
        try:
            again = 0 if self._renewal_expected else soak_audit.came_again(line.journal) - self._again
            return soak_audit.settled(traffic.chips, line.store, line.journal, again, self._declared, self._held)
        except (OSError, ValueError, sqlite3.Error) as error:
            # Its owner may have only just begun the file; what can't be read in the end is lost.
            trouble = Trouble(max(1, traffic.acknowledged), f"can't be read: {error}")
            return Settled(traffic.acknowledged, 0, 0, 0, [trouble], [])
