"""Joins the modules and moves bytes and ticks: the only module that knows all the others.

The gate's tick runs every 10 ms: it reads the sensor and the button, lets the driver decide, drives the pin and feeds
the watchdog, and nothing else feeds it. Verification and flash go on in slices between ticks. Link, console and scanner
only hand over what came. When the tick itself fails, the relay is opened and the app ends, so that the module restarts;
when one of the others fails, the relay is opened, the failure recorded, and that part starts again. A part that can't
even do that is gone, and the app ends before the watchdog is fed again.
"""

import asyncio
from array import array

from weldgate_firmware import __version__, profile
from weldgate_firmware import identity as identities
from weldgate_firmware.clock import Clock, ticks_diff
from weldgate_firmware.config import Config
from weldgate_firmware.console import Console
from weldgate_firmware.driver import Driver
from weldgate_firmware.indicator import Indicator
from weldgate_firmware.lines import LineBuffer, printable
from weldgate_firmware.link import Link
from weldgate_firmware.meter import Meter, ac_ct_100a, dc_hall_1000a
from weldgate_firmware.sense import Sense
from weldgate_firmware.service import Service
from weldgate_firmware.slots import IDENTITY
from weldgate_firmware.storage import Storage
from weldgate_firmware.telling import VIA_SCANNER
from weldgate_protocol import reasons
from weldgate_protocol._compat import HmacKey, const
from weldgate_protocol.conversation_chip import ChipConversation
from weldgate_protocol.errors import ConfigError, LocalError, WeldgateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from weldgate_firmware.identity import Identity

TICK_MS = const(10)  # DESIGN section 4
SAMPLES_MAX = const(512)  # of one tick; an erase of 400 ms leaves more, which the board then counts as lost
SERIAL_MS = const(20)  # how often console and scanner are looked at
NETWORK_MS = const(500)
RESTART_MS = const(1000)  # before a failed part starts again
ENDING_TURNS = const(100)  # of 10 ms, for the parts to end with the app; the watchdog waits 1.5 s
SCAN_MAX = const(400)  # characters of one scanned code; a token has 311 at most
FIRMWARE = "weldgate " + __version__


class App:
    """One chip, running.

    Args:
        board: the hardware, or the simulator's stand-in.
        identity: who the chip is.
        storage: log, spool and slots on the board's flash, not yet mounted.
    """

    def __init__(self, board: "Any", identity: "Identity", storage: Storage) -> None:
        installation = profile.find(identity.profile)
        sensor = dc_hall_1000a() if installation.sensor == profile.SENSOR_DC_HALL else ac_ct_100a()
        self.board = board
        self.identity = identity
        self.indicator = Indicator(board)
        self.link: Link | None = None
        clock = Clock(board)
        self.driver = Driver(
            identity,
            storage,
            clock,
            Config(),
            installation,
            self,
            board.random,
            Sense(Meter(sensor)),
            FIRMWARE,
        )
        if identity.host:
            conversation = ChipConversation(
                identity.device, HmacKey(identity.k_up), identity.k_down, identity.generation
            )
            self.link = Link(conversation, self.driver, board.random, identity.host, identity.port)
        self.console = Console(board.console_write, Service(self).commands())
        self.scanner_overlong = 0
        self.trouble = ""  # what the last part that failed died of, for the technician
        self._scanned = LineBuffer(SCAN_MAX)
        self._serial = bytearray(64)
        self._samples = array("H", bytes(2 * SAMPLES_MAX))
        self._supply = True
        self._ending = False

    # What the driver moves and tells.

    def relay(self, closed: bool) -> None:
        """Drive the relay's pin."""
        self.board.relay(closed)

    def show(self, state: int, reason: int) -> None:
        """Show the gate's state and a reason."""
        self.indicator.show(state, reason)

    def changed(self) -> None:
        """Have a heartbeat sent."""
        if self.link is not None:
            self.link.changed()

    def identify(self, seconds: int) -> None:
        """Blink and beep for so many seconds."""
        self.indicator.identify(seconds)

    # Running.

    def boot(self) -> None:
        """Read what flash holds; the relay stays open meanwhile."""
        self.board.feed()
        self.driver.boot(self.board.reset_cause())

    async def run(self) -> None:
        """Run until the gate's tick fails, a part is gone, new keys want a restart or the app is cancelled.

        Raises:
            LocalError: a part was cancelled by something else than the app's end (ALARM_EXCEPTION).
            Exception: whatever the tick failed of, or a part when it was to record its own failure. In each case the
                relay is open and the caller resets the module.
        """
        parts = [self._work, self._serial_ports]
        if self.link is not None:
            parts.append(self.link.run)
            parts.append(self._network)
        tasks = [asyncio.create_task(self._guarded(part)) for part in parts]
        try:
            await self._ticks(tasks)
        finally:
            self._ending = True
            try:
                self.board.relay(False)
            finally:
                await self._end(tasks)

    async def _end(self, tasks: "list[asyncio.Task[None]]") -> None:
        """Cancel the parts until they are done: one cancellation can get lost, on either interpreter."""
        if self.link is not None:
            self.link.stop()
        for _ in range(ENDING_TURNS):
            running = [task for task in tasks if not task.done()]
            if not running:
                return
            for task in running:
                task.cancel()
            await asyncio.sleep(TICK_MS / 1000)

    async def _guarded(self, part: "Callable[[], Coroutine[Any, Any, None]]") -> None:
        """Run a part until the app ends; when it fails or returns, the relay opens first, and then it begins again.

        Whatever fails here itself, and whatever is no Exception, ends this task; `_ticks` notices.
        """
        while not self._ending:
            failure: Exception = LocalError(reasons.ALARM_EXCEPTION, "a part of the app has returned")
            try:
                await part()
                if self._ending:
                    return
            except Exception as error:
                failure = error
            self.board.relay(False)
            self.trouble = "%s: %s" % (type(failure).__name__, failure)
            self.driver.core.fail(failure.code if isinstance(failure, WeldgateError) else 0, type(failure).__name__)
            await asyncio.sleep(RESTART_MS / 1000)

    async def _ticks(self, parts: "list[asyncio.Task[None]]") -> None:
        clock = self.driver.core.clock
        due = clock.ticks_ms()
        while True:
            for part in parts:
                if part.done():
                    await _raise_end(part)
            self.tick()
            if self._is_to_restart():
                return
            due += TICK_MS
            late = ticks_diff(clock.ticks_ms(), due)
            if late > 0:
                due = clock.ticks_ms()  # what was missed is not caught up: the driver counts real time
            await asyncio.sleep(max(-late, 0) / 1000)

    def tick(self) -> None:
        """Sense, decide, drive the pin, show; then, and only then, feed the watchdog."""
        board = self.board
        driver = self.driver
        count = board.sample(self._samples)
        happened = driver.core.sense.feed(self._samples, count, not driver.closed)
        driver.contact(board.mirror())
        if happened:
            driver.sensed(happened)
        driver.button(board.button())
        supply = board.supply_ok()
        if supply != self._supply:
            self._supply = supply
            if supply:
                driver.power_back()
            else:
                driver.power_failing()
        driver.case(board.case_closed())
        driver.tick()
        self.indicator.tick(TICK_MS)
        if self.link is not None:
            self.link.tick(driver.core.clock.ticks_ms())
        board.feed()

    def _is_to_restart(self) -> bool:
        """Whether new keys wait for a restart, and nothing that happened waits for flash any more."""
        core = self.driver.core
        return core.restart and not core.closed and not len(core.facts) and not len(core.recorder)

    async def _work(self) -> None:
        while True:
            busy = self.driver.work()
            await asyncio.sleep(0 if busy else TICK_MS / 1000)

    async def _serial_ports(self) -> None:
        while True:
            self.read_serial()
            await asyncio.sleep(SERIAL_MS / 1000)

    def read_serial(self) -> None:
        """Take what came from scanner and technician."""
        board = self.board
        view = memoryview(self._serial)
        count = board.scanner_read(self._serial)
        for line in self._scanned.feed(view[:count]):
            if self._scanned.overlong:
                self.scanner_overlong += 1
            else:
                self.driver.token(printable(line), VIA_SCANNER)
        count = board.console_read(self._serial)
        self.console.feed(view[:count])

    async def _network(self) -> None:
        while True:
            try:
                self.board.network_up(self.identity.ssid, self.identity.password)
            except OSError as error:  # a radio that refuses is a link that is lost, and that alone ends nothing (S3)
                self.trouble = "network: %s" % error
            await asyncio.sleep(NETWORK_MS / 1000)


async def _raise_end(part: "asyncio.Task[None]") -> None:
    """Raise what a part that is gone died of."""
    try:
        await part
    except asyncio.CancelledError:
        pass
    raise LocalError(reasons.ALARM_EXCEPTION, "a part of the app is gone")


def load_identity(storage: Storage) -> "Identity":
    """Read who this chip is.

    Raises:
        ConfigError: the flash holds no identity that can be read (CONFIG_MALFORMED and others).
    """
    data = storage.slots.load(IDENTITY)
    if data is None:
        raise ConfigError(reasons.CONFIG_MALFORMED, "no identity on this chip: provision it")
    return identities.decode(data)


async def run_nameless(board: "Any", error: WeldgateError) -> None:
    """Hold the relay open on a chip without an identity and say so to whoever asks, until it is provisioned."""
    sentence = ("error %d: %s\r\n" % (error.code, error)).encode()
    asked = bytearray(64)
    while True:
        board.relay(False)
        board.feed()
        if board.console_read(asked):
            board.console_write(sentence)
        await asyncio.sleep(SERIAL_MS / 1000)
