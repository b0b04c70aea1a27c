"""A serial line without hardware: a pseudo-terminal with chips at its far end, noise on it, and a plug to pull.

The collector opens ``path``, a symbolic link that stays while the terminals behind it come and go, as
``/dev/serial/by-id`` does. Chips are the load generator's senders. On a bus each speaks in its turn only, and the line
counts the bytes that the collector sent into somebody's turn.
"""

import asyncio
import contextlib
import os
import random
import tty
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weldgate_protocol.bus import GRANTED_NOTHING, NOT_FOR_US, TURN_END, BusEar, is_uplink
from weldgate_protocol.frame import to_wire
from weldgate_protocol.stream import FrameStream

from .load import Sender

__all__ = ["SerialLine"]

_READ_BYTES = 65_536
_ANSWER_S = 0.003  # far below the 50 ms that SPEC allows, long enough that whoever speaks into it is caught


class SerialLine:
    """The far end of one line. Use it in ``async with``.

    Attributes:
        path: what the collector opens.
        intrusions: times the collector sent while a chip had the turn.
        spoiled: bytes that noise changed, dropped or added.
    """

    def __init__(
        self, path: Path, senders: Sequence[Sender], bus: bool = False, noise: float = 0.0, seed: int = 0,
        patience_s: float = 1.0,
    ) -> None:  # fmt: skip
        """Prepare a line, unplugged.

        Args:
            path: of the symbolic link.
            senders: the chips on it.
            bus: chips speak only when polled.
            noise: probability that a byte is spoiled, in either direction.
            seed: of the noise.
            patience_s: silence after which a chip says hello again; the real one waits 90 s.
        """
        self.path = path
        self.intrusions = 0
        self.spoiled = 0
        self._noise = noise
        self._random = random.Random(seed)  # noqa: S311 - noise, seeded
        self._bus = bus
        self._chips = [_Chip(self, sender, patience_s) for sender in senders]
        self._stream = FrameStream()
        self._master = self._slave = -1
        self._turn: _Chip | None = None
        self._other: SerialLine | None = None

    async def __aenter__(self) -> "SerialLine":
        self.plug()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._master >= 0:
            self.unplug()

    @property
    def plugged(self) -> bool:
        """Whether there is a terminal behind the path."""
        return self._master >= 0

    def plug(self) -> None:
        """Put a new terminal behind the path."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        fresh = self.path.with_name(self.path.name + ".new")
        fresh.symlink_to(os.ttyname(self._slave))
        fresh.replace(self.path)
        self._stream = FrameStream()
        asyncio.get_running_loop().add_reader(self._master, self._readable)

    def unplug(self) -> None:
        """Pull the plug: the collector's end is dead at once, and so is the path."""
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._slave)
        os.close(self._master)
        self._master = self._slave = -1
        self._turn = None
        self.path.unlink()
        for chip in self._chips:
            chip.close()

    async def run(self) -> None:
        """Let every chip send until all is acknowledged."""
        await asyncio.gather(*(chip.sender.run_by(chip.dial) for chip in self._chips))

    def join(self, other: "SerialLine") -> None:
        """Join two lines, so that each end hears the other, as a null-modem cable does."""
        self._other, other._other = other, self

    def say(self, data: bytes) -> None:
        """Put bytes on the line towards the collector: noise, a boot message."""
        if self._master >= 0:
            with contextlib.suppress(BlockingIOError):  # a full line drops bytes, as a UART without flow control does
                os.write(self._master, data)

    def speak(self, data: bytes) -> None:
        """Send a chip's bytes, spoiled by chance."""
        self.say(self._spoil(data))

    @property
    def polled(self) -> bool:
        """Whether chips wait for their turn."""
        return self._bus

    def _readable(self) -> None:
        with contextlib.suppress(OSError):
            data = os.read(self._master, _READ_BYTES)
            if self._other is not None:
                self._other.speak(data)
            if self._turn is not None:
                self.intrusions += 1
            self._stream.feed(self._spoil(data))
            while (raw := self._stream.take()) is not None:
                for chip in self._chips:
                    chip.hear(raw)

    def grant(self, chip: "_Chip") -> None:
        """Let one chip speak, after the moment that it needs to find its frames."""
        self._turn = chip
        asyncio.get_running_loop().call_later(_ANSWER_S, self._spoken, chip)

    def _spoken(self, chip: "_Chip") -> None:
        self._turn = None
        if self.plugged:
            chip.answer()

    def _spoil(self, data: bytes) -> bytes:
        if not self._noise:
            return data
        found = bytearray()
        for byte in data:
            if self._random.random() >= self._noise:
                found.append(byte)
                continue
            self.spoiled += 1
            kind = self._random.randrange(3)
            if kind == 0:
                found.append(byte ^ 1 << self._random.randrange(8))
            elif kind == 1:
                found += bytes((byte, self._random.randrange(256)))
        return bytes(found)


class _Chip(asyncio.Transport):
    """One chip's end of the line, as its sender sees it."""

    def __init__(self, line: SerialLine, sender: Sender, patience_s: float) -> None:
        super().__init__()
        self.sender = sender
        self._line = line
        self._patience_s = patience_s
        self._device = sender.device.to_bytes(8, "big")
        self._ear = BusEar(self._device)
        self._waiting: deque[bytes] = deque()
        self._granted = 0
        self._open = False
        self._timer: Any = None

    async def dial(self) -> None:
        if not self._line.plugged:
            raise ConnectionRefusedError("the line is unplugged")
        self._open = True
        self._waiting.clear()
        self._waited()
        self.sender.connection_made(self)

    def hear(self, raw: bytes) -> None:
        """Take a frame from the line."""
        granted = self._ear.hear(raw)
        if granted == NOT_FOR_US or is_uplink(raw):
            return
        if granted > GRANTED_NOTHING:
            self._granted = granted
            self._line.grant(self)
        elif self._open:
            self._waited()
            self.sender.data_received(to_wire(raw))

    def answer(self) -> None:
        """Send what may be sent in this turn, and end it."""
        frames = [self._waiting.popleft() for _ in range(min(self._granted, len(self._waiting)))]
        self._line.speak(b"".join(frames) + TURN_END)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send, at once or when polled."""
        if not self._line.polled:
            self._line.speak(bytes(data))
        else:
            self._waiting += [b"\x7e" + inner + b"\x7e" for inner in bytes(data).split(b"\x7e") if inner]

    def is_closing(self) -> bool:
        return not self._open

    def close(self) -> None:
        """Give the conversation up."""
        if self._open:
            self._open = False
            self._waiting.clear()
            if self._timer is not None:
                self._timer.cancel()
            asyncio.get_running_loop().call_soon(self.sender.connection_lost, None)

    def _waited(self) -> None:
        """Begin to wait anew."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._patience_s, self.close)
