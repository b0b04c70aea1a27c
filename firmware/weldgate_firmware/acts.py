"""The start button: which press is a local act, which hold is a stop, which button somebody taped down.

A press counts as an act only as an edge: seen released for 200 ms at least, then pressed. What was pressed at boot, or
is held, never counts. Between two samples nobody looked: that time belongs to a level only if both ends show it, and
of a long gap (flash that blocks for 400 ms) a release is credited with no more than a few ticks, so that a contact that
bounces under a held thumb makes no act. Time comes in as milliseconds passed; nothing here keeps a timestamp, so ticks
may wrap as they like.
"""

from weldgate_protocol._compat import const

RELEASED_MS = const(200)  # DESIGN 4, S2
SEEN_MS = const(50)  # the most that one pair of samples proves of a release
HOLD_MS = const(2000)  # DESIGN 4, S3: the welder's own stop
STUCK_MS = const(60000)  # no thumb is that patient


class Button:
    """Follows the button's level and says what it amounts to."""

    def __init__(self) -> None:
        self.pressed = True  # until seen released: a button held at boot is no edge
        self._seen = False  # the level has been sampled since boot
        self._released_ms = 0  # seen released so long, saturating
        self._pressed_ms = 0  # pressed so long, saturating
        self._hold_ms = 0  # how long it has been held while a session was live
        self._held = False  # this hold has been reported

    @property
    def stuck(self) -> bool:
        """Whether the button has been held for a minute and has not been released since."""
        return self._pressed_ms >= STUCK_MS

    def sample(self, pressed: bool, ms: int) -> bool:
        """Take the level as it is now, `ms` after the last sample; return True when this is a press that is an act."""
        if self._seen and pressed == self.pressed:
            if pressed:
                self._pressed_ms = min(self._pressed_ms + ms, STUCK_MS)
            else:
                self._released_ms = min(self._released_ms + min(ms, SEEN_MS), RELEASED_MS)
            return False
        edge = pressed and self._released_ms >= RELEASED_MS
        self._seen = True
        self.pressed = pressed
        self._released_ms = 0
        self._pressed_ms = 0
        self._hold_ms = 0
        self._held = False
        return edge

    def held(self, ms: int, live: bool) -> bool:
        """Let `ms` pass for the hold; return True once when it has lasted 2 s while a session was live."""
        if not (self.pressed and live):
            self._hold_ms = 0
            self._held = False
            return False
        if self._held:
            return False
        if self._pressed_ms:  # not what passed before the press was seen
            self._hold_ms += ms
        self._held = self._hold_ms >= HOLD_MS
        return self._held
