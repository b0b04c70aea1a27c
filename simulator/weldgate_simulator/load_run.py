"""The load of the bench: many chips at once, as fast as acks allow or at a steady rate, with a ledger of all acks.

    python -m weldgate_simulator.load_run --collector HOST:PORT --chips-file FILE --frames N --ledger FILE

Everything is encoded and signed beforehand; then ``ready`` goes to standard output, and the clock starts with a line
on standard input. Each chip keeps at most ``--window`` frames unacknowledged, 32 as the chip's own program does. With
``--rate`` frames go one by one, chip after chip, each when it is due; without it as many as acks allow. With
``--broker`` the same frames are publishes. One chip sends one frame with a wrong tag as well (``--flip``).
"""

import argparse
import gc
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from weldgate_collector import Chip, read_chips
from weldgate_protocol.errors import LocalError, WeldgateError
from weldgate_protocol.reasons import TOOL_TIMEOUT

from .load import percentile
from .load_chip import LoadChip, Wrap, plain
from .load_media import Medium, MqttMedium, TcpMedium, raise_limit

__all__ = ["WINDOW", "LoadRun", "main"]

WINDOW = 32  # what the chip's program has in flight (weldgate_firmware.link)
_HELLOS = 100  # conversations that may be on their way at once
_QUIET_S = 60.0
_FEW = 8  # frames: below so many it is not worth a socket call yet, when more can be sent soon


class LoadRun:
    """All chips of one run.

    Attributes:
        chips: in their places.
        late_s: with a rate, how much later than due each frame left.
    """

    def __init__(self, chips: list[Chip], frames: int, window: int, wrap: Wrap = plain, flip: bool = True) -> None:
        """Encode and sign everything.

        Args:
            chips: who sends.
            frames: by each.
            window: unacknowledged frames of each.
            wrap: of the medium.
            flip: whether the first one sends one frame with a wrong tag.
        """
        middle = frames // 2 + 1
        self.chips = [
            LoadChip(chip, frames, wrap, middle if flip and not place else 0) for place, chip in enumerate(chips)
        ]
        self.late_s: list[float] = []
        self._window = window
        self._frames = frames
        self._open = len(self.chips)

    def join(self, medium: Medium) -> None:
        """Let everybody say hello and prove itself.

        Raises:
            LocalError: the collector does not let everybody in.
        """
        begun = online = 0
        quiet_s = time.monotonic()
        while online < len(self.chips):
            while begun < min(len(self.chips), online + _HELLOS):
                medium.open(begun)
                medium.send(begun, self.chips[begun].hello())
                begun += 1
            for place, data in medium.poll(1.0):
                quiet_s = time.monotonic()
                if answer := self.chips[place].take(data):
                    medium.send(place, answer)
                    online += 1
            self._heard(quiet_s)

    def flat_out(self, medium: Medium) -> None:
        """Send as acks allow, until all is acknowledged.

        Raises:
            LocalError: nothing is acknowledged any more.
        """
        chips, window, frames = self.chips, self._window, self._frames
        for place, chip in enumerate(chips):
            medium.send(place, chip.due(min(frames, window)))
        quiet_s = time.monotonic()
        while self._open:
            for place, data in medium.poll(1.0):
                quiet_s = time.monotonic()
                chip = chips[place]
                before = chip.acknowledged
                chip.take(data)
                if chip.acknowledged == frames:
                    self._open -= before < frames
                    continue
                last = min(frames, chip.acknowledged + window)
                if last - chip.sent >= _FEW or (last == frames > chip.sent):
                    medium.send(place, chip.due(last))
            self._heard(quiet_s)

    def steady(self, medium: Medium, rate: float) -> None:
        """Send one frame after the other at a rate, chip after chip, until all is acknowledged.

        Args:
            medium: the way.
            rate: frames a second, of all chips together.

        Raises:
            LocalError: nothing is acknowledged any more.
        """
        chips, window = self.chips, self._window
        count, total = len(chips), len(chips) * self._frames
        for chip in chips:
            chip.timed = True
        began_s = quiet_s = time.monotonic()
        number = 0
        while self._open:
            now_s = time.monotonic()
            due = min(total, int((now_s - began_s) * rate))
            while number < due:
                place = number % count
                chip = chips[place]
                if chip.sent - chip.acknowledged >= window:
                    break  # held back: this one is late, and so are those behind it
                self.late_s.append(time.monotonic() - began_s - (number + 1) / rate)
                medium.send(place, chip.due(chip.sent + 1))
                number += 1
            next_s = began_s + (number + 1) / rate - time.monotonic() if number < total else 1.0
            for place, data in medium.poll(min(max(next_s, 0.001), 1.0)):
                quiet_s = time.monotonic()
                chip = chips[place]
                before = chip.acknowledged
                chip.take(data)
                self._open -= before < chip.acknowledged == self._frames
            self._heard(quiet_s)

    @staticmethod
    def _heard(quiet_s: float) -> None:
        if time.monotonic() - quiet_s > _QUIET_S:
            raise LocalError(TOOL_TIMEOUT, f"the load heard nothing for {_QUIET_S:.0f} s")


def main(arguments: list[str] | None = None) -> int:
    """Run the program; prints one JSON object.

    Returns:
        The exit code: 0, or 1 with a sentence on standard error.
    """
    parser = argparse.ArgumentParser(prog="weldgate_simulator.load_run", description=(__doc__ or "").split("\n")[0])
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--collector", help="HOST:PORT, by TCP")
    where.add_argument("--broker", help="HOST:PORT, by MQTT")
    parser.add_argument("--name", default="line", help="the collector's, in topics")
    parser.add_argument("--chips-file", required=True, type=Path, help="the collector's own file of chips")
    parser.add_argument("--frames", type=int, default=1_000, help="by each chip")
    parser.add_argument("--window", type=int, default=WINDOW, help="unacknowledged frames of each chip")
    parser.add_argument("--rate", type=float, default=0.0, help="frames a second; 0 = as acks allow")
    parser.add_argument("--sources", type=int, default=0, help="local addresses to come from")
    parser.add_argument("--flip", action="store_true", help="send one frame with a wrong tag as well")
    parser.add_argument("--ledger", type=Path, help="where what was acknowledged is written, a line a chip")
    options = parser.parse_args(arguments)
    host, _, port = (options.collector or options.broker).rpartition(":")
    try:
        chips = list(read_chips(options.chips_file))
        raise_limit()
        medium: Medium
        if options.collector:
            run = LoadRun(chips, options.frames, options.window, flip=options.flip)
            medium = TcpMedium(host, int(port), options.sources)
        else:
            medium = MqttMedium(host, int(port), [chip.device for chip in chips], options.name)
            run = LoadRun(chips, options.frames, options.window, medium.wrap, options.flip)
        try:
            return _run(run, medium, options.rate, options.ledger)
        finally:
            medium.close()
    except (WeldgateError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _run(run: LoadRun, medium: Medium, rate: float, ledger: Path | None) -> int:
    run.join(medium)
    gc.collect()
    gc.freeze()  # what was encoded beforehand is not looked through again while the clock runs
    print("ready", flush=True)
    sys.stdin.readline()
    began_s, cpu_s = time.monotonic(), time.process_time()
    if rate:
        run.steady(medium, rate)
    else:
        run.flat_out(medium)
    seconds = time.monotonic() - began_s
    cpu_s = time.process_time() - cpu_s
    entries = [chip.entry for chip in run.chips]
    if ledger is not None:
        ledger.write_text("".join(json.dumps(entry._asdict()) + "\n" for entry in entries), encoding="utf-8")
    total = sum(entry.acknowledged for entry in entries)
    result = {
        "frames": total, "began_s": began_s, "seconds": round(seconds, 3), "frames_per_s": round(total / seconds),
        "cpu_s": round(cpu_s, 3), "ack_ms": _told(second for chip in run.chips for second in chip.latencies_s),
        "late_ms": _told(run.late_s), "orders": [(chip.device, *order) for chip in run.chips for order in chip.orders],
    }  # fmt: skip
    print(json.dumps(result), flush=True)
    return 0


def _told(seconds: Iterable[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    if not ordered:
        return {}
    percents = {"p50": 50, "p99": 99, "max": 100}
    return {name: round(percentile(ordered, percent) * 1000, 2) for name, percent in percents.items()}


if __name__ == "__main__":
    sys.exit(main())
