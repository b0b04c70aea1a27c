"""A driver on a bench: virtual flash that blocks, ticks that wrap, a sensor by hand, a pin that is watched.

Stands in for board and app, nothing else: gate, session, records, log, spool and slots are the chip's own. Tokens and
orders are handed in as claims; verifying them is proved elsewhere (and with the driver in test_driver), so the stand-in
asks only what the driver's context says of their ids. Runs on both interpreters.
"""

from hand_sense import WINDOW_MS, HandSense

from weldgate_firmware import log as logs
from weldgate_firmware.clock import Clock, ticks_add
from weldgate_firmware.config import Config
from weldgate_firmware.driver import Driver
from weldgate_firmware.profile import Profile
from weldgate_firmware.sense import OVER_CURRENT
from weldgate_firmware.storage import RING_FIRST, Storage
from weldgate_protocol import messages, reasons
from weldgate_protocol.errors import Refused
from weldgate_protocol.frame import parse
from weldgate_protocol.order import Order
from weldgate_protocol.token import Claims
from weldgate_simulator.flash import VirtualFlash

SCANNER, CONSOLE, DOWNLINK = 1, 2, 3
DEVICE = b"\x00\x00\x00\x00\x00\x00\x00\x07"
HOLDER = b"holder-1"
OTHER = b"holder-2"
KID = b"kid-0001"
NOW_UNIX = 1577836800 + 200000000
DAY_S = 86400
SECTORS = RING_FIRST + 6  # a small ring, so that filling it is quick
SECTOR_BYTES = 2048  # half of the chip's, to spare the interpreter's heap


class Identity:
    """What the driver reads of an identity."""

    device = DEVICE
    k_up = b"u" * 32
    k_seal = b"s" * 32
    generation = 1
    roots = [b"r" * 64]
    area = "410184"


class Outputs:
    """A pin and a display that remember."""

    def __init__(self, world):
        self.world = world
        self.closed = False
        self.closings = 0
        self.shown = []
        self.beats = 0

    def relay(self, closed):
        if closed and not self.closed:
            self.closings += 1
            self.world.check_closing()
        if self.closed and not closed:
            self.world.opened_at = self.world.ms
        self.closed = closed

    def show(self, state, reason):
        if reason:
            self.shown = self.shown[-20:] + [reason]

    def changed(self):
        self.beats += 1

    def identify(self, seconds):
        pass


class Steps:
    """A verification in three slices, as the real ones are; an object, since generators can't be copied."""

    def __init__(self, judge, what, context):
        self._judge = judge
        self._what = what
        self._context = context
        self._left = 2

    def __iter__(self):
        return self

    def __next__(self):
        if self._left:
            self._left -= 1
            return
        raise StopIteration(self._judge(self._what, self._context))

    def close(self):
        self._left = 0


class World:
    """One chip and its surroundings."""

    def __init__(self, flash=None, start=(1 << 30) - 3000, **settings):
        self.ms = 0
        self._ticks = start
        self.random_state = 12345
        self.opened_at = -1
        self.flash = flash if flash is not None else VirtualFlash(SECTORS, SECTOR_BYTES)
        self.flash._charge = self.charge
        self.tokens = {}
        self.orders = {}
        self.acts = []  # local acts sensed since boot: ms
        self.watch_closing = None
        self.settings = settings
        self.boot(1)

    # -- time ----------------------------------------------------------------

    def ticks_ms(self):
        return self._ticks

    def charge(self, ms):
        """Time passes while flash blocks; nothing else runs."""
        self.ms += ms
        self._ticks = ticks_add(self._ticks, ms)

    def random(self, n):
        out = []
        for _ in range(n):
            self.random_state = (self.random_state * 1103515245 + 12345) & 0x7FFFFFFF
            out.append(self.random_state >> 16 & 0xFF)
        return bytes(out)

    # -- the chip --------------------------------------------------------------

    def boot(self, cause):
        """Build the driver on what flash holds."""
        self.outputs = Outputs(self)
        self.sense = HandSense()
        self.clock = Clock(self)
        self.storage = Storage(self.flash, self.random)
        profile = Profile(name="bench", sensor=1, position=1, bypass_ma=15000)
        self.driver = Driver(
            self.settings.get("identity", Identity),
            self.storage,
            self.clock,
            Config(self.settings.get("config")),
            profile,
            self.outputs,
            self.random,
            self.sense,
            "test 1",
            self.settings.get("verify", self._verify),
            self.settings.get("judge", self._judge),
        )
        self.built()
        self.driver.boot(cause)
        return self

    def built(self):
        """The driver is built and has not booted yet."""

    def power_cut(self, cause=1):
        """Take the power away and bring it back: same flash, nothing else."""
        self.outputs.closed = False
        self.flash = self.flash.copy()
        self.flash._charge = self.charge
        self.boot(cause)

    def run(self, ms, work=True):
        """Let time pass as the app does: a tick every 10 ms, windows of the sensor, slices of work."""
        end = self.ms + ms
        while self.ms < end:
            self.charge(10)
            if self.ms % WINDOW_MS < 10:
                self.driver.sensed(self.sense.window())
            self.tick()
            if work:
                self.work()

    def tick(self):
        """Let the driver take its tick."""
        self.driver.tick()

    def work(self, slices=4):
        """Do some slices, with a tick after each, as the app does; a slice may have blocked for an erase."""
        for _ in range(slices):
            if not self.driver.work():
                return
            self.tick()

    def skip(self, seconds):
        """Let long times pass in steps of a second."""
        for _ in range(seconds):
            self.charge(1000)
            self.driver.sensed(self.sense.window())
            self.tick()
            self.work()

    def check_closing(self):
        if self.watch_closing is not None:
            self.watch_closing()

    # -- tokens and orders -------------------------------------------------------

    def token(self, name="t1", holder=HOLDER, expires_s=8 * 3600, limit_s=8 * 3600, offline_s=4 * 3600, **more):
        """Make a token and return its bytes."""
        found = {
            "holder": holder,
            "device": DEVICE,
            "id": (name.encode() + b"\0" * 8)[:8],
            "issued_s": NOW_UNIX,
            "expires_s": NOW_UNIX + expires_s,
            "limit_s": limit_s,
            "offline_s": offline_s,
        }
        found.update(more)
        self.tokens[name.encode()] = found
        return name.encode()

    def _verify(self, data, context):
        return Steps(self._judge_token, data, context)

    def _judge_token(self, data, context):
        if data not in self.tokens:
            raise Refused(reasons.TOKEN_SIGNATURE, "not signed")
        claims = Claims(KID, self.tokens[data])
        if context.sure() is None and claims.issued_s > context.floor_s():
            claims.clock_s = claims.issued_s
        if claims.expires_s <= max(context.floor_s(), claims.issued_s):
            raise Refused(reasons.TOKEN_EXPIRED, "expired")
        if claims.expires_s <= context.pruned_expiry_s:
            raise Refused(reasons.TOKEN_EXPIRED, "pruned")
        if claims.issued_s <= context.ids_from_s:
            raise Refused(reasons.TOKEN_EXPIRED, "ids lost")
        if context.used(claims.id):
            raise Refused(reasons.TOKEN_USED, "used")
        return claims

    def order(self, name, type_, **found):
        """Make an order, hand it in and let it be carried out."""
        self.submit(name, type_, **found)
        self.run(1000)

    def submit(self, name, type_, **found):
        """Make an order and hand it in."""
        kinds = {
            messages.RELEASE: b"release",
            messages.CLEAR_ALARM: b"clear-alarm",
            messages.CONFIG: b"config",
            messages.REVOCATIONS: b"revocations",
            messages.REKEY: b"rekey",
            messages.PLANNED_REMOVAL: b"planned-removal",
        }
        fields = {"id": (name.encode() + b"\0" * 8)[:8], "issued_s": NOW_UNIX, "expires_s": NOW_UNIX + DAY_S}
        fields.update(found)
        self.orders[name.encode()] = Order(kinds[type_], KID, fields)
        self.driver.order(type_, name.encode())

    def _judge(self, kind, data, context):
        return Steps(self._judge_order, (kind, data), context)

    def _judge_order(self, what, context):
        kind, data = what
        order = self.orders.get(bytes(data))
        if order is None or order.kind != kind:
            raise Refused(reasons.ORDER_SIGNATURE, "not signed")
        if order.acts_once() and context.used(order.id):
            raise Refused(reasons.ORDER_USED, "used")
        if order.lock is not None and order.lock not in context.locks:
            raise Refused(reasons.ORDER_UNKNOWN_LOCK, "no such lock")
        for alarm in order.alarms:
            if alarm not in context.alarms and alarm != context.clock_alarm:
                raise Refused(reasons.ORDER_UNKNOWN_ALARM, "no such alarm")
        return order

    # -- what people do ------------------------------------------------------------

    def push(self):
        """Press the button after leaving it alone for 300 ms, up to the tick that sees it."""
        self.driver.button(False)
        self.run(300)
        self.acts.append(self.ms)
        self.driver.button(True)
        self.tick()

    def press(self, hold_ms=100):
        """Press the button as `push` and let it go."""
        self.push()
        self.run(hold_ms)
        self.driver.button(False)

    def show(self, name, via=CONSOLE):
        """Hand a token in and let it be verified."""
        if via == SCANNER:
            self.acts.append(self.ms)
        self.driver.token(name, via)
        self.run(60)

    def live(self, name="t1", **more):
        """Bring a session to life with a new token."""
        self.run(20)
        self.show(self.token(name, **more))
        self.press()
        self.run(200)
        return self

    def settle(self):
        """Let boot's chores end: sectors are erased ahead, the queues are empty."""
        self.run(15000)
        return self

    # -- what is seen ----------------------------------------------------------------

    def frames(self):
        """Return (type, fields) of everything durable on flash, oldest first."""
        return self.frames_from(1)

    def frames_from(self, first):
        """Return the same from a sequence number on."""
        spool = self.storage.spool
        buffer = bytearray(1058)
        found = []
        seq = spool.next_held(first)
        while seq:
            length = spool.read(seq, buffer)
            frame = parse(bytes(buffer[:length]))
            fields = messages.decode(frame.type, frame.payload)
            fields.pop("seal", None)  # test_seals looks at it
            found.append((frame.type, fields))
            seq = spool.next_held(seq + 1) if seq < spool.highest else 0
        return found

    def last(self, type_):
        """Return the fields of the newest record of a type, None when there is none."""
        for kind, fields in reversed(self.frames()):
            if kind == type_:
                return fields
        return None

    def all(self, type_):
        """Return the fields of every record of a type."""
        return [fields for kind, fields in self.frames() if kind == type_]

    def refusals(self):
        """Return the reasons refused with, oldest first."""
        return [fields["reason"] for fields in self.all(messages.REFUSAL)]

    def used(self, name):
        """Whether a token's id is on flash as used."""
        return self.storage.log.get(logs.USED_ID, (name.encode() + b"\0" * 8)[:8]) is not None


OVER = OVER_CURRENT
