"""Serial lines by pyserial: one that a chip speaks on by itself (USB, RS-232), or an RS-485 bus whose chips are polled.

The port is opened again and again until it is there, so that a converter may be unplugged and plugged in at any
moment; use a name that stays (``/dev/serial/by-id/…``). Frames are cut here only to know whose they are. On a bus
nothing is sent but between turns: all that waits, then one poll (SPEC section 17).
"""

import asyncio
import os
import termios
from typing import Any

import structlog

from weldgate_protocol.bus import TURN_END, encode_poll, is_uplink
from weldgate_protocol.frame import WIRE_MAX, to_wire
from weldgate_protocol.messages import HELLO
from weldgate_protocol.reasons import TOOL_EXTRA_MISSING
from weldgate_protocol.stream import FrameStream

from ..chips import device_bytes
from ..config import SerialSection
from ..errors import CollectorConfigError
from .base import SEND_MAX, Accept, LinkStatus
from .shared import SharedMedium

__all__ = ["SerialLink"]

_log = structlog.get_logger("weldgate.links.serial")

_READ_BYTES = 4_096
_REOPEN_S = 0.5
_LINE_CHIPS_MAX = 8  # on a line without polling there is one chip; a few, so that a changed board gets in
_ABSENT_ROUNDS_MAX = 32  # a chip that does not answer is asked ever more seldom, down to every 32nd round
_BITS_A_BYTE = 10


class SerialLink:
    """One port."""

    def __init__(self, settings: SerialSection) -> None:
        """Remember the port.

        Args:
            settings: the section of the configuration.

        Raises:
            CollectorConfigError: pyserial is not installed.
        """
        try:
            import serial  # type: ignore[import-untyped]
        except ModuleNotFoundError as error:
            raise CollectorConfigError(
                TOOL_EXTRA_MISSING, "serial links need pyserial: pip install 'weldgate[serial]'"
            ) from error
        self.name = settings.name
        self._serial: Any = serial
        self._settings = settings
        self._devices = {name: device_bytes(name) or b"" for name in settings.devices}
        self._medium = SharedMedium(settings.name, len(self._devices) or _LINE_CHIPS_MAX, self._queue)
        self._port: Any = None
        self._stream = FrameStream()
        self._out = bytearray()
        self._writing = False
        self._noise = 0
        self._lost = 0
        self._trouble = "not opened yet"
        self._heard = asyncio.Event()  # bytes came, or the port was lost
        self._turn_over = False
        self._tail = b""
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, accept: Accept) -> None:
        """Open the port, now or as soon as it is there."""
        self._medium.start(accept)
        self._open()
        self._tasks.append(asyncio.create_task(self._keep_open()))
        if self._devices:
            self._tasks.append(asyncio.create_task(self._poll()))

    async def stop(self) -> None:
        """Close every connection and the port."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._medium.stop()
        if self._port is not None:
            self._write()
            self._close("stopped")
        await asyncio.sleep(0)

    def status(self) -> LinkStatus:
        """Return the present state; ``faults`` counts lost ports and frames that noise broke."""
        refused = self._medium.refused + self._medium.overfull
        noise = self._noise + _broken(self._stream)
        return LinkStatus(
            self.name, self._port is not None, len(self._medium), refused, self._lost + noise, self._trouble
        )

    def describe(self) -> str:
        """Say what it is and where."""
        what = f"{len(self._devices)} chips polled" if self._devices else "not polled"
        return f"{self.name}: serial {self._settings.port} at {self._settings.baud} baud, {what}"

    def _open(self) -> None:
        settings = self._settings
        try:
            port = self._serial.Serial(settings.port, settings.baud, timeout=0, write_timeout=0, exclusive=True)
        except (OSError, ValueError) as error:  # SerialException is an OSError; ValueError: a baud rate it can't do
            if self._trouble != str(error):
                _log.warning("serial_not_open", link=self.name, port=settings.port, reason=str(error))
            self._trouble = str(error)
            return
        try:
            self._set_up(port)
        except (OSError, ValueError, termios.error) as error:
            port.close()
            self._trouble = str(error)
            _log.warning("serial_not_open", link=self.name, port=settings.port, reason=str(error))
            return
        self._port = port
        self._trouble = ""
        self._noise += _broken(self._stream)
        self._stream = FrameStream()
        self._out.clear()
        asyncio.get_running_loop().add_reader(port.fileno(), self._readable)
        _log.info("serial_open", link=self.name, port=settings.port, baud=settings.baud)

    def _set_up(self, port: Any) -> None:
        """Let the driver switch RS-485's direction where asked to, and keep its lines as they are when we end."""
        if self._settings.hardware_rs485:
            port.rs485_mode = self._serial.rs485.RS485Settings()
        modes = termios.tcgetattr(port.fileno())
        modes[2] &= ~termios.HUPCL  # a falling DTR resets many boards: a collector's restart must not end a session
        termios.tcsetattr(port.fileno(), termios.TCSANOW, modes)

    async def _keep_open(self) -> None:
        while True:
            await asyncio.sleep(_REOPEN_S)
            if self._port is None:
                self._open()

    def _close(self, why: str) -> None:
        port, self._port = self._port, None
        loop = asyncio.get_running_loop()
        loop.remove_reader(port.fileno())
        loop.remove_writer(port.fileno())
        self._writing = False
        port.close()
        self._trouble = why
        self._medium.drop()
        self._heard.set()

    def _gone(self, why: str) -> None:
        self._lost += 1
        _log.warning("serial_lost", link=self.name, port=self._settings.port, reason=why)
        self._close(why)

    def _readable(self) -> None:
        try:
            data = os.read(self._port.fileno(), _READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._gone(str(error))
            return
        if not data:
            self._gone("the port's other end is gone")
            return
        self._stream.feed(data)
        while (raw := self._stream.take()) is not None:
            self._take(raw)
        self._turn_over = self._turn_over or TURN_END in self._tail + data
        self._tail = (self._tail + data)[1 - len(TURN_END) :]
        self._heard.set()

    def _take(self, raw: bytes) -> None:
        """Hand a frame to its chip's connection; our own echo and chips that are not asked are passed over."""
        chip = str(int.from_bytes(raw[2:10], "big"))
        if not is_uplink(raw):
            return
        if self._devices and chip not in self._devices:
            self._medium.refused += 1
            return
        self._medium.take(chip, raw[1] == HELLO, to_wire(raw))

    def _queue(self, _chip: str, data: bytes) -> None:
        """Take bytes for a chip; on a bus they wait until nobody has the turn."""
        if self._port is None:
            return
        if len(self._out) + len(data) > SEND_MAX:
            self._gone("the line takes nothing any more")
            return
        self._out += data
        if not self._devices:
            self._write()

    def _write(self) -> None:
        """Write as much as the port takes; the loop goes on with the rest."""
        port = self._port
        if port is None:
            return
        try:
            while self._out:
                count = os.write(port.fileno(), self._out)
                del self._out[:count]
        except BlockingIOError:
            pass
        except OSError as error:
            self._gone(str(error))
            return
        if bool(self._out) != self._writing:
            self._writing = bool(self._out)
            loop = asyncio.get_running_loop()
            if self._writing:
                loop.add_writer(port.fileno(), self._write)
            else:
                loop.remove_writer(port.fileno())

    async def _poll(self) -> None:
        """Give one chip after the other its turn, for ever."""
        silent = dict.fromkeys(self._devices, 0)
        round_number = 0
        while True:
            spoke = False
            round_number += 1
            for chip, device in self._devices.items():
                if self._port is None:
                    break
                if round_number % min(1 << silent[chip], _ABSENT_ROUNDS_MAX) or self._medium.held_back(chip):
                    continue
                frames = self._stream.frames
                answered = await self._turn(device)
                silent[chip] = 0 if answered else min(silent[chip] + 1, 8)
                spoke = spoke or self._stream.frames > frames
            if not spoke:
                await asyncio.sleep(self._settings.poll_ms / 1000)

    async def _turn(self, device: bytes) -> bool:
        """Send what waits, poll one chip, and wait for the end of its turn; False when it said nothing."""
        settings = self._settings
        self._out += encode_poll(device, settings.poll_frames)
        self._turn_over, self._tail = False, b""
        self._heard.clear()
        byte_s = _BITS_A_BYTE / settings.baud
        ours_s = len(self._out) * byte_s  # our own bytes take their time on the line, though the kernel has them
        self._write()
        gap_s = settings.answer_ms / 1000
        loop = asyncio.get_running_loop()
        end_s = loop.time() + ours_s + gap_s + WIRE_MAX * settings.poll_frames * byte_s
        wait_s = ours_s + gap_s
        heard = False
        while not self._turn_over and self._port is not None and loop.time() < end_s:
            try:
                async with asyncio.timeout(min(wait_s, end_s - loop.time())):
                    await self._heard.wait()
            except TimeoutError:
                break
            self._heard.clear()
            heard = True
            wait_s = gap_s
        return heard


def _broken(stream: FrameStream) -> int:
    """Return how many frames noise broke."""
    return stream.crc_errors + stream.stuffing_errors + stream.oversize
