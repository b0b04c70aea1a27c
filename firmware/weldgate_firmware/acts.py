"""The start button: which press is a local act, which hold is a stop, which is a button that somebody taped down.

A press counts as an act only as an edge: released for 200 ms at least, as seen by this chip, then pressed. What was
pressed at boot, or is held, never counts. Time comes in as milliseconds passed; nothing here keeps a timestamp, so
ticks may wrap as they like.
"""

from weldgate_protocol._compat import const

RELEASED_MS = const(200)  # DESIGN 4, S2
HOLD_MS = const(2000)  # DESIGN 4, S3: the welder's own stop
STUCK_MS = const(60000)  # no thumb is that patient


class Button:
    """Follows the button's level and says what it amounts to."""

    def __init__(self) -> None:
        self.pressed = True  # until seen released: a button held at boot is no edge
        self._seen = False  # the level has been told since boot
        self._level_ms = 0  # how long the level has been as it is, saturating
        self._hold_ms = 0  # how long it has been held while a session was live
        self._held = False  # this hold has been reported
        self._stuck = False

    @property
    def stuck(self) -> bool:
        """Whether the button has been held for a minute and has not been released since."""
        return self._stuck

    def passed(self, ms: int) -> None:
        """Let `ms` milliseconds pass at the present level."""
        if self._level_ms < STUCK_MS:
            self._level_ms += ms
        if self.pressed and self._seen and self._level_ms >= STUCK_MS:
            self._stuck = True

    def level(self, pressed: bool) -> bool:
        """Take the level as it is now; return True when this is a press that counts as an act."""
        self._seen = True
        if pressed == self.pressed:
            return False
        edge = pressed and self._level_ms >= RELEASED_MS
        self.pressed = pressed
        self._level_ms = 0
        self._hold_ms = 0
        self._held = False
        self._stuck = False
        return edge

    def held(self, ms: int, live: bool) -> bool:
        """Let `ms` pass for the hold; return True once when it has lasted 2 s while a session was live."""
        if not (self.pressed and live):
            self._hold_ms = 0
            self._held = False
            return False
        if self._held:
            return False
        self._hold_ms += ms
        self._held = self._hold_ms >= HOLD_MS
        return self._held
