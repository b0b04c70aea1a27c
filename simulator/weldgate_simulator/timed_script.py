"""Ten seconds of a busy chip, and a lock at any moment of them: what `timed_chip` is put through, in both interpreters.

The relay is open at first, with sectors being erased ahead while 5,000 records go back to the collector. A token is
scanned; the session starts; arcs burn and are recorded; tokens that extend the session keep coming, so that a signature
is being verified nearly all the time. Run as a program it reads its world from a file and prints one number a moment.
"""

import json
import sys
from array import array

from weldgate_protocol import messages
from weldgate_simulator.timed_chip import TimedChip

__all__ = ["BYPASS_MS", "SCAN_MS", "START_MS", "WINDOW_MS", "Script", "bypass_to_alarm_us", "lock_to_open_us", "serve"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

START_MS = 2_000  # of the window; the chip is online by then
WINDOW_MS = 10_000
SCAN_MS = 3_200  # the token is shown
LOAD_MS = 5_500  # arcs and further tokens from here on
ARC_MS = 800  # as long as an arc burns,
PAUSE_MS = 2_200  # and as long as it is out, so that it is recorded
TOKEN_MS = 700
BYPASS_MS = 3_000  # current past the open relay, at the earliest
_LONGEST_MS = 3_000  # nothing takes so long


class Script:
    """A chip and what happens to it, by virtual time.

    Args:
        world: flash, tokens and waves, see `timed.world`.
        data: the flash image, taken over.
        scan: whether the token is shown at all.
    """

    def __init__(self, world: "dict[str, Any]", data: bytearray, scan: bool = True) -> None:
        self.chip = TimedChip(data, world["now_s"])
        self.waves = [array("H", wave) for wave in world["waves"]]
        self.chip.board.change(self.waves[0], 0)
        self._tokens = [bytes.fromhex(one) for one in world["tokens"]]
        self._text = world["text"].encode()
        self._scan = scan
        self._arc = False
        self._sent = 0

    def run_until(self, ms: int) -> None:
        """Run to that millisecond, or as far beyond as the part takes that runs then."""
        while self.chip.now_us < ms * 1000:
            self.chip.run_until(min(self.chip.now_us // 10_000 * 10 + 10, ms) * 1000)
            self._happen(self.chip.now_us // 1000)

    def _happen(self, now_ms: int) -> None:
        chip = self.chip
        if not self._scan:
            return
        if now_ms >= SCAN_MS and self._text:
            chip.board.scanned += self._text + b"\r"
            self._text = b""
        if now_ms < LOAD_MS:
            return
        arc = (now_ms - LOAD_MS) % (ARC_MS + PAUSE_MS) < ARC_MS and chip.board.closed
        if arc != self._arc:
            self._arc = arc
            chip.board.change(self.waves[1 if arc else 0], chip.now_us)
        if self._sent < len(self._tokens) and now_ms >= LOAD_MS + TOKEN_MS * self._sent:
            chip.send(messages.TOKEN, {"token": self._tokens[self._sent]})
            self._sent += 1


def lock_to_open_us(script: Script, at_us: int) -> int:
    """Let a lock arrive at `at_us` and return how long after it the pin was last seen closed; 0: it was open.

    Raises:
        ValueError: the lock was never taken.
    """
    chip = script.chip
    chip.lock_now(at_us)
    end_ms = chip.now_us // 1000 + _LONGEST_MS
    while not chip.locked or chip.board.closed:
        if chip.now_us >= end_ms * 1000:
            raise ValueError("the lock was not taken")
        script.run_until(chip.now_us // 1000 + 1)
    return max(0, chip.board.closed_us - at_us)


def bypass_to_alarm_us(script: Script, at_us: int) -> int:
    """Let a current flow past the open relay from `at_us` on and return how long it took to become an alarm.

    Raises:
        ValueError: it never did.
    """
    chip = script.chip
    chip.board.change(script.waves[2], at_us)
    end_ms = chip.now_us // 1000 + _LONGEST_MS
    while not chip.latched:
        if chip.now_us >= end_ms * 1000:
            raise ValueError("no alarm")
        script.run_until(chip.now_us // 1000 + 1)
    return chip.now_us - at_us


def serve() -> None:
    """Print the reaction to a lock for every so many milliseconds of the window: world's file, first, step."""
    with open(sys.argv[1]) as file:
        world = json.load(file)
    with open(sys.argv[2], "rb") as file:
        image = file.read()
    for ms in range(START_MS + int(sys.argv[3]), START_MS + WINDOW_MS, int(sys.argv[4])):
        script = Script(world, bytearray(image))
        script.chip.collecting = True
        script.run_until(ms)
        print(ms, lock_to_open_us(script, ms * 1000))


if __name__ == "__main__":
    serve()
