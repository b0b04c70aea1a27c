"""Current with the relay open (rule S4): who flows past an open relay, and for how long.

Decides when a reading has become an alarm. Latching it, telling of it and keeping the machine shut is `holds`',
`records`' and the gate's.
"""

from weldgate_protocol._compat import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from weldgate_firmware.profile import Profile


BYPASS_MOST_MA = const(14000)  # 15 A is always an alarm, read by steps of 0.6 A as well
SETTLED_MS = const(1000)  # DESIGN 4, S4: by then a current with the relay open has become an alarm


class BypassWatch:
    """Follows the current while the relay is open."""

    def __init__(self, profile: "Profile", bypass_ma: int = 0) -> None:
        self.limit(bypass_ma, profile)
        self._bypass_ms = profile.bypass_ms
        self._blanking_ms = profile.blanking_ms
        self._open_ms = 0  # since the relay opened, up to a second
        self._over_ms = 0
        self._since_ms = 0  # since the last reading
        self.over = False  # the last reading after the blanking was above the limit

    def limit(self, bypass_ma: int, profile: "Profile") -> None:
        """Take another limit (a new configuration); 0 takes the profile's.

        A configuration is signed, but by a key that may not start a machine: it must not switch S4 off either. So
        a limit is twice the profile's at most, and 14 A wherever the sensor sits.
        """
        self._limit_ma = min(bypass_ma or profile.bypass_ma, 2 * profile.bypass_ma, BYPASS_MOST_MA)

    def opened(self) -> None:
        """The relay has opened just now: wait for contacts and inductance first."""
        self._open_ms = 0
        self._over_ms = 0
        self._since_ms = 0
        self.over = False

    def passed(self, ms: int) -> None:
        """Let `ms` pass with the relay open."""
        before_ms = self._open_ms
        if before_ms < SETTLED_MS:
            self._open_ms += ms
        if before_ms >= self._blanking_ms:
            self._since_ms += ms
        else:
            self._since_ms = max(before_ms + ms - self._blanking_ms, 0)  # what lies beyond the blanking counts

    @property
    def settled(self) -> bool:
        """Whether the relay has been open for a second and nothing flows: the time for what takes long."""
        return self._open_ms >= SETTLED_MS and not self.over

    def reading(self, current_ma: int) -> bool:
        """Take a reading with the relay open; return True while it has been too much for long enough."""
        if self._open_ms < self._blanking_ms:
            return False
        since_ms = self._since_ms
        self._since_ms = 0
        self.over = current_ma > self._limit_ma
        if not self.over:
            self._over_ms = 0
            return False
        self._over_ms = min(self._over_ms + since_ms, self._bypass_ms)
        return self._over_ms >= self._bypass_ms
