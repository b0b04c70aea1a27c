"""Board profiles as data: which sensor sits where, and what counts as current with the relay open.

Pins are `board`'s, the sensor's own numbers `sense`'s; here stand the numbers of rule S4 (DESIGN section 4), which
depend on where the relay works: in the mains (an open contactor leaves no current at all) or in an inverter's enable
line (fan and control run on).
"""

from weldgate_protocol._compat import const
from weldgate_protocol.errors import ConfigError
from weldgate_protocol.reasons import CONFIG_RANGE, CONFIG_UNKNOWN_KEY

MAINS = const(1)  # a contactor in the supply
ENABLE = const(2)  # the enable or trigger line of an inverter

SENSOR_DC_HALL = const(1)  # sense.dc_hall_1000a
SENSOR_AC_CT = const(2)  # sense.ac_ct_100a


class Profile:
    """The numbers of one kind of installation.

    Args:
        name: as the identity and config-report carry it, 1 to 32 characters.
        sensor: SENSOR_DC_HALL or SENSOR_AC_CT.
        position: MAINS or ENABLE.
        bypass_ma: current above this with the relay open is an alarm; over the calibrated zero.
        bypass_ms: for how long.
        blanking_ms: not looked at for so long after the relay opened (drop-out and decay).

    Raises:
        ConfigError: CONFIG_RANGE; blanking and time together leave no room within the second that S4 allows.
    """

    def __init__(
        self,
        *,
        name: str,
        sensor: int,
        position: int,
        bypass_ma: int,
        bypass_ms: int = 300,
        blanking_ms: int = 500,
    ) -> None:
        for what, value, low, high in (
            ("name", len(name), 1, 32),
            ("sensor", sensor, SENSOR_DC_HALL, SENSOR_AC_CT),
            ("position", position, MAINS, ENABLE),
            ("bypass_ma", bypass_ma, 1, 4000000),
            ("bypass_ms", bypass_ms, 100, 400),
            ("blanking_ms", blanking_ms, 0, 500),
        ):
            if not low <= value <= high:
                raise ConfigError(CONFIG_RANGE, "profile %s is %d, allowed %d to %d" % (what, value, low, high))
        self.name = name
        self.sensor = sensor
        self.position = position
        self.bypass_ma = bypass_ma
        self.bypass_ms = bypass_ms
        self.blanking_ms = blanking_ms


def profiles() -> "tuple[Profile, ...]":
    """Return the profiles there are; made when asked for, since the chip needs one."""
    return (
        # Output cable of a DC source behind a contactor: 12 A is above a Hall sensor's drift and well below 15 A.
        Profile(name="dc-hall-mains", sensor=SENSOR_DC_HALL, position=MAINS, bypass_ma=12000),
        Profile(name="dc-hall-enable", sensor=SENSOR_DC_HALL, position=ENABLE, bypass_ma=12000),
        # One mains conductor: with the contactor open nothing flows; 1 A is 13 counts of the converter.
        Profile(name="ac-ct-mains", sensor=SENSOR_AC_CT, position=MAINS, bypass_ma=1000),
        # The inverter stays powered: fan and control take 0.1 to 0.5 A (DOMAIN section 5), so 2 A.
        Profile(name="ac-ct-enable", sensor=SENSOR_AC_CT, position=ENABLE, bypass_ma=2000),
    )


def find(name: str) -> Profile:
    """Return the profile of this name.

    Raises:
        ConfigError: CONFIG_UNKNOWN_KEY.
    """
    for one in profiles():
        if one.name == name:
            return one
    raise ConfigError(
        CONFIG_UNKNOWN_KEY, "profile %s is unknown, there are %s" % (name, ", ".join([p.name for p in profiles()]))
    )
