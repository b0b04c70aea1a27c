"""Settings by numbered key: name, range, default and unit in one table; a signed order carries them as a CBOR map.

A configuration is whole: a key that it does not name has its default, so the same order always gives the same
settings. Nothing here can relax a rule of the gate: ranges end where DESIGN section 4 ends.
"""

from weldgate_protocol import cbor
from weldgate_protocol._compat import sha256
from weldgate_protocol.errors import CborError, ConfigError
from weldgate_protocol.reasons import CONFIG_MALFORMED, CONFIG_RANGE, CONFIG_TYPE, CONFIG_UNKNOWN_KEY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

# (key, name, lowest, highest, default, unit, what it is). All are integers. Keys are never reused.
# Currents count within the sensor's own numbers (`trust`): 7 and 8 are at least a fifth of the sensor's and above its
# zero span, 9 at least twice the arc threshold, whatever an order says.
SETTINGS: "tuple[tuple[int, str, int, int, int, str, str], ...]" = (
    (1, "heartbeat_s", 5, 600, 30, "s", "how often the chip says that it is there"),
    (2, "telemetry_s", 1, 3600, 60, "s", "how much time one telemetry record sums up"),
    (3, "arm_s", 10, 120, 120, "s", "how long a token waits for the local act"),
    (4, "idle_end_s", 120, 900, 900, "s", "a session without an arc ends after this"),
    (5, "link_silence_s", 15, 600, 90, "s", "a link that says nothing for so long is dead"),
    (6, "retry_max_s", 5, 300, 300, "s", "the longest wait between two attempts to connect"),
    (7, "arc_on_ma", 0, 4000000, 0, "mA", "an arc is struck at this; 0: the sensor's own; a fifth to four times that"),
    (8, "arc_off_ma", 0, 4000000, 0, "mA", "an arc is out below this; 0: the sensor's own, a fifth of that at least"),
    (9, "over_ma", 0, 4000000, 0, "mA", "over-current ends the session; 0: the sensor's own, also the most"),
    (10, "bypass_ma", 0, 15000, 0, "mA", "alarm above this with the relay open; 0: the profile's, twice that at most"),
    (11, "live_code", 0, 1, 0, "", "1: a start needs a token that names its holder's key, and his live code"),
)


class Config:
    """The settings in force, one attribute for each row of `SETTINGS`."""

    heartbeat_s: int
    telemetry_s: int
    arm_s: int
    idle_end_s: int
    link_silence_s: int
    retry_max_s: int
    arc_on_ma: int
    arc_off_ma: int
    over_ma: int
    bypass_ma: int
    live_code: int

    def __init__(self, settings: "Mapping[int, Any] | None" = None) -> None:
        """Take settings by key; those not named have their default.

        Raises:
            ConfigError: CONFIG_UNKNOWN_KEY, CONFIG_TYPE or CONFIG_RANGE.
        """
        given = {} if settings is None else settings
        known = 0
        for key, name, low, high, default, unit, _what in SETTINGS:
            value = default
            if key in given:
                known += 1
                value = given[key]
                if type(value) is not int:
                    raise ConfigError(CONFIG_TYPE, "setting %d (%s) is no integer" % (key, name))
                if not low <= value <= high:
                    raise ConfigError(
                        CONFIG_RANGE, "setting %d (%s) is %d, allowed %d to %d %s" % (key, name, value, low, high, unit)
                    )
            setattr(self, name, value)
        if known != len(given):
            names = [row[0] for row in SETTINGS]
            for key in given:
                if key not in names:
                    raise ConfigError(CONFIG_UNKNOWN_KEY, "setting %s is unknown, newer firmware needed" % key)

    def changed(self) -> "dict[int, int]":
        """Return the settings that differ from their default, by key."""
        found = {}
        for key, name, _low, _high, default, _unit, _what in SETTINGS:
            value = getattr(self, name)
            if value != default:
                found[key] = value
        return found

    def digest(self) -> bytes:
        """Return 8 bytes that tell two configurations apart."""
        return sha256(encode(self))[:8]


def encode(config: Config) -> bytes:
    """Return the CBOR map of what differs from the defaults."""
    return cbor.encode(dict(config.changed()))


def decode(data: bytes) -> Config:
    """Read a configuration.

    Raises:
        ConfigError: CONFIG_MALFORMED for what is no CBOR map of ours, else as `Config`.
    """
    try:
        settings = cbor.decode(data)
    except CborError as error:
        raise ConfigError(CONFIG_MALFORMED, "configuration: %s" % error.message)
    if not isinstance(settings, dict):
        raise ConfigError(CONFIG_MALFORMED, "configuration is no map")
    return Config(settings)
