"""What tokens and orders are judged by: key set, revocation list and versions, kept in slots, read at boot.

Deciding is `weldgate_protocol`'s; changing any of it takes an order (`orders`). A slot that can't be read leaves the
chip without that object: its version stays on flash, so that the older one in the other slot does not come back in
force, and the very object that was lost may come again. Without a key set nothing is accepted.
"""

from struct import pack, unpack

from weldgate_firmware import clock as clocks
from weldgate_firmware import config as configs
from weldgate_firmware import slots as stores
from weldgate_firmware.log import IDS_FROM, PRUNED, VERSIONS
from weldgate_protocol import cbor, cose, keyset
from weldgate_protocol._compat import const
from weldgate_protocol.claims import Context
from weldgate_protocol.errors import CborError, ConfigError, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from weldgate_firmware.config import Config
    from weldgate_firmware.core import Core
    from weldgate_protocol.keyset import KeySet
    from weldgate_protocol.order import Order

ARC_ON_TIMES = const(4)  # a configured arc threshold is at most so many times the sensor's own
ARC_PART = const(5)  # and at least this part of it: below lies noise, which would burn as an arc and never be idle
OVER_TIMES = const(2)  # configured over-current is at least so many times the arc threshold, else no session lasts

CONFIG = b"config"
KEY_SET = b"key-set"
REVOCATIONS = b"revocations"
REKEY = b"rekey"

# The slots hold: the signed key set; revocations as CBOR {1: version, 2: [token ids], 3: [key ids]}; configuration as
# CBOR {1: version, 2: settings}.
_SLOTS = {KEY_SET: stores.KEY_SET, REVOCATIONS: stores.REVOCATIONS, CONFIG: stores.CONFIG}


class Trust:
    """The objects in force.

    Attributes:
        key_set: None where there is none, or none that can be read.
        in_force: version in force by order kind, 0 for none.
    """

    def __init__(self, core: "Core") -> None:
        self._core = core
        self.key_set: "KeySet | None" = None
        self._tokens: "list[bytes]" = []
        self._kids: "list[bytes]" = []
        sensor = core.sense.meter.profile
        self._sensor = (sensor.on_ma, sensor.off_ma, sensor.over_ma)  # the sensor's own, for settings of 0
        self.in_force: "dict[bytes, int]" = {CONFIG: 0, KEY_SET: 0, REVOCATIONS: 0}
        self._floors: "dict[bytes, int]" = {CONFIG: 0, KEY_SET: 0, REVOCATIONS: 0}  # highest there was; never falls
        self._preparing: "Generator[None, None, None] | None" = None

    @property
    def lost(self) -> bool:
        """Whether an object that was in force can't be read any more."""
        return self.in_force != self._floors

    @property
    def versions(self) -> "dict[bytes, int]":
        """By order kind what a new version must exceed: the last one; one less where that object is lost."""
        found = {}
        for kind, floor in self._floors.items():
            found[kind] = floor if self.in_force[kind] == floor else floor - 1
        found[REKEY] = self._core.identity.generation
        return found

    def load(self) -> None:
        """Read what the slots keep; what is damaged, or older than what was in force, counts as absent."""
        fact = self._core.facts.log.get(VERSIONS)
        if fact is not None and len(fact) == 12:
            config, key_set, revocations = unpack(">III", fact)
            self._floors = {CONFIG: config, KEY_SET: key_set, REVOCATIONS: revocations}
        for kind in _SLOTS:
            data = self._core.storage.slots.load(_SLOTS[kind])
            try:
                if data is not None:
                    self._load(kind, data)
            except (Refused, CborError, ConfigError, KeyError, TypeError):
                continue  # the slot's CRC was right, so an older or newer firmware wrote it: its version still counts

    def _load(self, kind: bytes, data: bytes) -> None:
        """Put what a slot holds in force, unless a newer one was."""
        floor = self._floors[kind]
        if kind == KEY_SET:
            key_set = keyset.decode(data)
            if key_set.version >= floor:
                self._take_key_set(key_set)
            return
        stored = cbor.decode(data)
        if not isinstance(stored, dict) or stored[1] < floor:  # type: ignore[operator]
            return
        if kind == REVOCATIONS:
            self._take_revocations(stored[1], stored[2], stored[3])  # type: ignore[arg-type]
        else:
            self._take_config(stored[1], configs.Config(stored[2]))  # type: ignore[arg-type]

    def context(self, used: "Callable[[bytes], bool]") -> Context:
        """Gather what a token or order is judged by, as it is now.

        Args:
            used: whether an id was used before.
        """
        core = self._core
        clock = core.clock
        log = core.facts.log
        pruned_s = int.from_bytes(log.get(PRUNED) or b"", "big")
        ids_from_s = int.from_bytes(log.get(IDS_FROM) or b"", "big")
        return Context(
            core.identity.device,
            core.identity.area,
            self.key_set,
            clocks.to_unix(clock.now_s) if clock.now_s else None,
            clock.quality,
            used,
            core.identity.roots,
            self._tokens,
            self._kids,
            clocks.to_unix(pruned_s) if pruned_s else 0,
            self.versions,
            list(core.holds.locks),
            list(core.holds.latches),
            clocks.to_unix(ids_from_s) if ids_from_s else 0,
            core.clock_alarm,
        )

    def revokes(self, token: bytes, kid: bytes) -> bool:
        """Whether the list names this token or its key."""
        return token in self._tokens or kid in self._kids

    def take(self, order: "Order", data: bytes) -> None:
        """Put a verified object in force: first on flash, then here. The relay is open.

        Args:
            order: as judged.
            data: its signed bytes.

        Raises:
            ConfigError: settings that this firmware does not allow; nothing has changed.
            StorageError: flash did not take it; nothing has changed.
        """
        config: "Config | None" = None
        if order.kind == CONFIG:
            config = configs.Config(order.settings)
            data = cbor.encode({1: order.version, 2: config.changed()})  # type: ignore[dict-item]
        elif order.kind == REVOCATIONS:
            data = cbor.encode({1: order.version, 2: order.tokens, 3: order.kids})  # type: ignore[dict-item]
        self._core.storage.slots.store(_SLOTS[order.kind], data)
        if config is not None:
            self._take_config(order.version, config)
        elif order.kind == REVOCATIONS:
            self._take_revocations(order.version, order.tokens, order.kids)
        elif order.key_set is not None:
            self._take_key_set(order.key_set)
        floors = self._floors
        self._core.facts.put(VERSIONS, pack(">III", floors[CONFIG], floors[KEY_SET], floors[REVOCATIONS]))

    def prepare(self) -> bool:
        """Build a slice of the tables that the next token needs, so that no welder waits; True if there was one."""
        if self._preparing is None:
            return False
        try:
            next(self._preparing)
        except StopIteration:
            self._preparing = None
        return True

    def _taken(self, kind: bytes, version: int) -> None:
        self.in_force[kind] = version
        self._floors[kind] = max(self._floors[kind], version)

    def _take_key_set(self, key_set: "KeySet") -> None:
        if self._preparing is not None:
            self._preparing.close()  # it holds a table of ec_comb
        for key in key_set.keys:
            if key.scopes & keyset.SCOPE_START:
                self._preparing = cose.prepare_steps(key.public, key.alg)
                break
        self.key_set = key_set
        self._core.clock.ceiling_s = clocks.from_unix(key_set.expires_s)
        self._taken(KEY_SET, key_set.version)

    def _take_revocations(self, version: int, tokens: "list[bytes]", kids: "list[bytes]") -> None:
        self._tokens = tokens
        self._kids = kids
        self._taken(REVOCATIONS, version)

    def _take_config(self, version: int, config: "Config") -> None:
        core = self._core
        core.config = config
        core.watch.limit(config.bypass_ma, core.profile)
        sensor = core.sense.meter.profile
        on_ma, off_ma, over_ma = self._sensor
        # The zero may be off by its span and must never pass for an arc; an arc is out below where it is struck.
        on_least = max(on_ma // ARC_PART, sensor.zero_span_ma + 1)
        off_least = max(off_ma // ARC_PART, sensor.zero_span_ma + 1)
        if config.arc_on_ma:
            on_ma = min(config.arc_on_ma, ARC_ON_TIMES * on_ma)  # an arc that nobody counts is a lost record
            off_ma = on_ma * 7 // 10
        sensor.on_ma = max(on_ma, on_least)
        sensor.off_ma = min(max(config.arc_off_ma or off_ma, off_least), sensor.on_ma)
        over = max(config.over_ma, OVER_TIMES * sensor.on_ma) if config.over_ma else over_ma
        sensor.over_ma = min(over, over_ma or over)
        self._taken(CONFIG, version)

    def days_left(self) -> "int | None":
        """Return the days until the key set ends, 0 when it has; None without one."""
        if self.key_set is None:
            return None
        return max(clocks.from_unix(self.key_set.expires_s) - self._core.clock.now_s, 0) // 86400
