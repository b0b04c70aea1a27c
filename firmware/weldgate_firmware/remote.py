"""The driver's inputs from afar: locks, orders, time, questions, and what the chip answers to them.

A lock opens before anything else happens; all the rest may be late. Whatever relaxes comes signed (`orders`), and
nothing from afar is ever a local act.
"""

from weldgate_firmware.holds import MODE_NOW
from weldgate_firmware.telling import VIA_DOWNLINK
from weldgate_protocol import reasons
from weldgate_protocol.errors import WeldgateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from weldgate_firmware.clock import Clock
    from weldgate_firmware.config import Config
    from weldgate_firmware.core import Core
    from weldgate_firmware.limits import Limits
    from weldgate_firmware.orders import Orders
    from weldgate_firmware.spool import Spool
    from weldgate_firmware.status import Fields, Status
    from weldgate_firmware.tokens import Tokens


class Remote:
    """What the link says to the driver and asks of it; `driver.Driver` is built on it.

    Attributes:
        core: gate, session, holds and stores, for those who read (console, tests).
        clock: running and wall time.
        online: whether the conversation is.
    """

    core: "Core"
    clock: "Clock"
    online: bool
    _limits: "Limits"
    _orders: "Orders"
    _status: "Status"
    _tokens: "Tokens"

    def _failed(self, error: Exception) -> None:
        """The one place where the gate's path catches: open, end, tell."""
        self.core.outputs.relay(False)
        self.core.fail(error.code if isinstance(error, WeldgateError) else 0, type(error).__name__)

    # -- what the collector and the platform say --------------------------------------

    def lock_now(self) -> None:
        """Open before anything else; nothing is allocated before the pin has moved. `lock` adds what is to be kept."""
        try:
            self.core.lock_now()
        except Exception as error:
            self._failed(error)

    def lock(self, mode: int, id_: bytes, reason: int) -> None:
        """Obey a lock.

        Args:
            mode: 1 soft, 2 now.
            id_: 8 bytes; the lock holds until the signed release that names it.
            reason: why, a number of the register, for the display; 0 for none.
        """
        if mode == MODE_NOW:
            self.lock_now()
        try:
            core = self.core
            if mode != MODE_NOW:
                self._limits.lock_soft()
            if not core.holds.lock(id_, mode, reason):
                core.latch(reasons.ALARM_FLASH_FAILED)  # more locks than can be kept: shut until somebody looks
            core.settle()
            core.tell(reason or reasons.GATE_LOCKED)
        except Exception as error:
            self._failed(error)

    def order(self, type_: int, data: bytes) -> None:
        """Take a signed order by the type of the message that carried it."""
        try:
            self._orders.submit(type_, data)
        except Exception as error:
            self._failed(error)

    def live_code(self, answer: bytes, public: bytes) -> None:
        """Take a holder's live code that came from afar: it proves who asks, and is no local act."""
        try:
            self._tokens.prove(answer, public, VIA_DOWNLINK)
        except Exception as error:
            self._failed(error)

    def heard(self) -> None:
        """An authenticated downlink came: the offline allowance is whole again."""
        if self.core.session is not None:
            self.core.session.heard()

    def link_up(self) -> None:
        """The conversation is online."""
        self.online = True

    def link_down(self) -> None:
        """The link is gone; this alone ends nothing."""
        self.online = False

    def time_offered(self, unix_s: int, ms: int, quality: int) -> None:
        """Take the time of a fresh, authenticated welcome."""
        try:
            self._limits.time_offered(unix_s, ms, quality)
        except Exception as error:
            self._failed(error)

    def welcomed(self, high_water: int, ahead: bool = False) -> int:
        """Take the collector's high-water of this epoch, which may have gone backward.

        Args:
            high_water: its highest number of this epoch.
            ahead: it has more than this chip had given when it said hello.

        Returns:
            The number from which the conversation goes on; below high-water while a collector that was ahead is owed.
        """
        spool = self.core.storage.spool
        if ahead or high_water >= spool.next_seq:
            self.core.ahead.found(high_water)
        spool.rewind(high_water)
        return (spool.acked if spool.ahead else high_water) + 1

    def identify(self, seconds: int) -> None:
        """Have the chip show itself to somebody who looks for it."""
        self.core.outputs.identify(seconds)

    def query(self, query: bytes, what: int) -> None:
        """Take a question; `take_answer` gives the fields of diagnostics."""
        self._status.query(query, what)

    def take_answer(self) -> "Fields | None":
        """Return the fields of the next diagnostics message, None when nothing was asked."""
        return self._status.take_answer()

    def take_challenge(self) -> "Fields | None":
        """Return the fields of the next challenge to a holder's phone, None when nobody is asked."""
        return self._status.take_challenge()

    # -- what the chip says of itself -----------------------------------------------------

    def hello(self) -> "Fields":
        """Return the fields of hello, all but the nonce."""
        return self._status.hello()

    def heartbeat(self) -> "Fields":
        """Return the fields of heartbeat; whoever knows heap and signal adds them."""
        return self._status.heartbeat()

    def stamp(self) -> "tuple[int, int, int]":
        """Return the time of now: Unix seconds, milliseconds, quality."""
        return self.clock.stamp()

    @property
    def spool(self) -> "Spool":
        """The durable frames, for the link."""
        return self.core.storage.spool

    @property
    def config(self) -> "Config":
        """The settings in force."""
        return self.core.config
