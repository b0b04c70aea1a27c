"""Replays a recording into any link of a collector.

Plain, the bytes are sent as they came, cut as they came: a collector turns them away at the first word under a
connection's key, since a recording proves nothing (SPEC section 9). That shows that it does, and what a stream does to
a link. With the chips' keys each recorded connection is held anew: hello and volatile messages are tagged for this
conversation, durable frames go as they are, so that a collector in a laboratory stores what the first one did. What the
recording does not hold is declared lost there: never do this to a collector in service.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from weldgate_protocol import messages, reasons
from weldgate_protocol.conversation_chip import ChipConversation
from weldgate_protocol.errors import RemoteError, WeldgateError
from weldgate_protocol.frame import QUALITY_MASK, Frame, parse, to_wire
from weldgate_protocol.keys import HmacKey
from weldgate_protocol.stream import FrameStream

from .chips import Chip
from .recording import Entry, Recording
from .replay_ways import End, Target, Way, open_way

__all__ = ["ReplayResult", "replay"]

_QUEUE = 256  # entries that wait for one connection
_ANSWER_S = 10.0  # for a welcome, and for the last ack
_TICK_S = 0.5


class ReplayResult(NamedTuple):
    """What came of it.

    Attributes:
        connections: opened.
        frames: sent.
        bytes_up, bytes_down: sent and received.
        acknowledged: durable frames that the collector acknowledged, or had already; 0 when replayed plain.
        closed_by_collector: connections that it ended.
        errors: number of the register → how often.
        behind_ms: how late the latest entry was sent.
    """

    connections: int
    frames: int
    bytes_up: int
    bytes_down: int
    acknowledged: int
    closed_by_collector: int
    errors: dict[int, int]
    behind_ms: int


def replay(
    path: Path,
    target: Target,
    chips: Mapping[bytes, Chip] | None = None,
    speed: float = 1.0,
    progress: Callable[[int, float], None] | None = None,
) -> ReplayResult:
    """Replay a recording.

    Args:
        path: the recording.
        target: where to.
        chips: device → chip with its keys; then conversations are held anew.
        speed: 2 is twice as fast as it was, 0 as fast as the collector takes it.
        progress: called now and then with (entries so far, recorded milliseconds so far).

    Raises:
        RecordingError: the recording is wrong, or the target can't be reached.
    """
    return asyncio.run(_Replay(Recording(path), target, chips, speed, progress).run())


class _Replay:
    def __init__(
        self, recording: Recording, target: Target, chips: Mapping[bytes, Chip] | None, speed: float,
        progress: Callable[[int, float], None] | None,
    ) -> None:  # fmt: skip
        self._recording = recording
        self._target = target if target.collector else target._replace(collector=recording.collector)
        self._chips = chips
        self._speed = speed
        self._progress = progress
        self._latest: dict[bytes, _Speaker] = {}
        self.errors: Counter[int] = Counter()
        self.frames = self.bytes_up = self.bytes_down = self.acknowledged = self.closed_by_collector = 0

    async def run(self) -> ReplayResult:
        firsts = self._first_look()
        way = await open_way(self._target)
        speakers: dict[int, _Speaker] = {}
        behind_s = 0.0
        try:
            behind_s = await self._send(way, firsts, speakers)
        finally:
            for speaker in speakers.values():
                await speaker.end()
            await way.stop()
        return ReplayResult(
            len(speakers), self.frames, self.bytes_up, self.bytes_down, self.acknowledged, self.closed_by_collector,
            dict(sorted(self.errors.items())), round(behind_s * 1000),
        )  # fmt: skip

    def _first_look(self) -> dict[int, tuple[bytes, int]]:
        """Read all once: connection → (device, first durable number in it, 0 for none). Finds wrong lines early."""
        streams: dict[int, FrameStream] = {}
        firsts: dict[int, tuple[bytes, int]] = {}
        for entry in self._recording.entries():
            stream = streams.setdefault(entry.c, FrameStream())
            stream.feed(bytes.fromhex(entry.up))
            while (raw := stream.take()) is not None:
                device, first = firsts.get(entry.c, (raw[2:10], 0))
                if not first and raw[0] & 8:
                    first = int.from_bytes(raw[14:18], "big")
                firsts[entry.c] = (device, first)
        return firsts

    async def _send(self, way: Way, firsts: dict[int, tuple[bytes, int]], speakers: "dict[int, _Speaker]") -> float:
        loop = asyncio.get_running_loop()
        began_s, told_s, behind_s = loop.time(), loop.time(), 0.0
        count, at_ms = 0, 0.0
        for count, entry in enumerate(self._recording.entries(), 1):
            at_ms = entry.at
            if self._speed:
                late_s = loop.time() - began_s - entry.at / 1000 / self._speed
                behind_s = max(behind_s, late_s)
                if late_s < 0:
                    await asyncio.sleep(-late_s)
            if self._progress is not None and loop.time() - told_s > _TICK_S:
                told_s = loop.time()
                self._progress(count, entry.at)
            if entry.open:
                device, first = firsts.get(entry.c, (b"", 0))
                speakers[entry.c] = self._speaker(way, device, first)
            elif entry.c in speakers and not entry.down:
                await speakers[entry.c].put(entry)
        if self._progress is not None:
            self._progress(count, at_ms)
        for speaker in speakers.values():
            await speaker.put(Entry(0, 0, closed=True))
        return behind_s

    def _speaker(self, way: Way, device: bytes, first: int) -> "_Speaker":
        before = self._latest.get(device)
        after = before if before is not None and before.last else None  # a chip's next connection follows its last one
        chip = None if self._chips is None else self._chips.get(device)
        if self._chips is not None and chip is None:
            self.errors[reasons.WIRE_UNKNOWN_CHIP] += 1
        speaker = (
            _Speaker(self, way, device, after) if chip is None else _KeyedSpeaker(self, way, device, after, chip, first)
        )
        self._latest[device] = speaker
        return speaker


class _Speaker:
    """One recorded connection, its bytes as they came."""

    def __init__(self, whole: _Replay, way: Way, device: bytes, after: "_Speaker | None") -> None:
        self._whole = whole
        self._way = way
        self._device = device
        self._queue: asyncio.Queue[Entry] = asyncio.Queue(_QUEUE)
        self._changed = asyncio.Event()
        self.gone = False
        self.last = False  # the recorded end is queued
        self._after = after
        self._end: End
        self._task = asyncio.create_task(self._run())

    async def put(self, entry: Entry) -> None:
        """Queue what is to be sent; waits when much is."""
        self.last = self.last or entry.closed
        if not self._task.done():
            putting = asyncio.ensure_future(self._queue.put(entry))
            await asyncio.wait({putting, self._task}, return_when=asyncio.FIRST_COMPLETED)
            putting.cancel()

    async def end(self) -> None:
        """Wait for the end of the connection, and count what there is to count."""
        await self.over()

    async def over(self) -> None:
        """Wait for the end of the connection."""
        await asyncio.wait({self._task})

    async def _run(self) -> None:
        if self._after is not None:
            await self._after.over()
            self._after = None
        try:
            self._end = await self._way.open(self._device, self._received, self._closed)
        except OSError:
            self._whole.errors[reasons.TOOL_CONNECTION] += 1
            return
        try:
            while not (entry := await self._queue.get()).closed:
                await self.say(bytes.fromhex(entry.up))
            await self.finish()
        except WeldgateError as error:
            self._whole.errors[error.code] += 1
        except TimeoutError:
            self._whole.errors[reasons.TOOL_TIMEOUT] += 1
        finally:
            self.gone = True
            await self._end.close()

    async def say(self, data: bytes) -> None:
        """Send recorded bytes."""
        self._whole.frames += data.count(b"\x7e") // 2
        await self.send(data)

    async def send(self, data: bytes) -> None:
        """Send bytes."""
        if not self.gone:
            self._whole.bytes_up += len(data)
            await self._end.send(data)

    async def finish(self) -> None:
        """Do what is left before the close."""

    def heard(self, data: bytes) -> None:
        """Take the collector's bytes."""

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until something is so, or the connection is gone.

        Raises:
            TimeoutError: it was not within the wait.
        """
        async with asyncio.timeout(_ANSWER_S):
            while not true() and not self.gone:
                self._changed.clear()
                await self._changed.wait()

    def _received(self, data: bytes) -> None:
        self._whole.bytes_down += len(data)
        self.heard(data)
        self._changed.set()

    def _closed(self) -> None:
        if not self.gone:
            self._whole.closed_by_collector += 1
        self.gone = True
        self._changed.set()


class _KeyedSpeaker(_Speaker):
    """One recorded connection, held anew under the chip's keys."""

    def __init__(self, whole: _Replay, way: Way, device: bytes, after: _Speaker | None, chip: Chip, first: int) -> None:
        up = HmacKey(bytes.fromhex(chip.up))
        self._conversation = ChipConversation(device, up, bytes.fromhex(chip.down), chip.generation)
        self._first = first
        self._last = 0
        self._seqs: list[int] = []
        self._recorded = FrameStream()
        self._heard = FrameStream()
        super().__init__(whole, way, device, after)

    async def say(self, data: bytes) -> None:
        """Take recorded bytes and say the frames in them for this conversation."""
        if self.gone:
            return
        self._recorded.feed(data)
        while not self.gone and (raw := self._recorded.take()) is not None:
            frame = parse(raw)
            stamp = (frame.time_s, frame.time_ms, frame.flags & QUALITY_MASK)
            if frame.type == messages.HELLO:
                await self._hello(messages.decode(messages.HELLO, frame.payload), frame.epoch, stamp)
            elif frame.durable:
                await self._durable(raw, frame.seq)
            else:
                await self._volatile(frame, stamp)

    async def finish(self) -> None:
        """Wait for the last ack."""
        await self.until(lambda: self._conversation.acked >= self._last)

    async def end(self) -> None:
        """Wait for the end of the connection, and count what was acknowledged in it."""
        await super().end()
        self._whole.acknowledged += sum(seq <= self._conversation.acked for seq in self._seqs)

    def heard(self, data: bytes) -> None:
        """Follow the conversation."""
        self._heard.feed(data)
        while (raw := self._heard.take()) is not None:
            self._conversation.receive(raw, 0)
            if self._conversation.closed and not self.gone:
                self._whole.errors[self._conversation.reason] += 1
                self.gone = True

    async def _hello(self, fields: dict[Any, Any], epoch: bytes, stamp: tuple[int, int, int]) -> None:
        """Say hello; the line begins where the recording does, unless the collector has more."""
        fields.pop("nonce", None)
        if self._first:
            fields["oldest"] = max(self._first, int(fields["oldest"]))
            fields["highest"] = max(int(fields["highest"]), self._first)
        self._whole.frames += 1
        await self.send(self._conversation.start(os.urandom(16), fields, epoch, stamp, 0))
        await self.until(lambda: self._conversation.welcomed)

    async def _volatile(self, frame: Frame, stamp: tuple[int, int, int]) -> None:
        try:
            fields = messages.decode(frame.type, frame.payload)
        except RemoteError as error:  # a newer chip's: it can't be said again, and is not needed
            self._whole.errors[error.code] += 1
            return
        self._whole.frames += 1
        await self.send(self._conversation.volatile(frame.type, fields, stamp))

    async def _durable(self, raw: bytes, seq: int) -> None:
        self._seqs.append(seq)
        if seq < self._conversation.first:
            return  # it is there already
        self._conversation.sent(seq)
        self._last = seq
        self._whole.frames += 1
        await self.send(to_wire(raw))
