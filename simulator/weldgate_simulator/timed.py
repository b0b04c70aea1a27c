"""How fast a busy chip reacts, in virtual time with each operation charged what it costs on an ESP32.

    python -m weldgate_simulator.timed [--step MS] [--json]

A lock arrives at every `step` milliseconds of ten seconds (`timed_script`); the simulation goes on in a fork of the
process for each moment, so that the ten seconds run once. Current past the open relay and a hanging program likewise.
"""

import argparse
import json
import os
import sys
import tempfile
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from weldgate_firmware.meter import dc_hall_1000a
from weldgate_firmware.spool import RECORD
from weldgate_firmware.storage import Storage
from weldgate_issuer import Issuer, token_text
from weldgate_protocol import messages
from weldgate_protocol.errors import LocalError
from weldgate_protocol.frame import encode_body
from weldgate_protocol.reasons import TOOL_INTERPRETER
from weldgate_simulator import build, files, provision, timed_script
from weldgate_simulator.arc import Envelope, Phase, Stretch, Welder
from weldgate_simulator.flash import VirtualFlash
from weldgate_simulator.interpreter import Interpreter
from weldgate_simulator.timed_board import SAMPLES
from weldgate_simulator.timed_chip import SECTORS

__all__ = ["Reaction", "bypass_to_alarm", "in_interpreter", "lock_to_open", "main", "world"]

_DEVICE = (7).to_bytes(8, "big")
_NOW_S = 1_795_500_000
_OWED = 5_000  # records that the collector has not got; the others' sectors may be erased
_CLEAN = 20  # sectors erased by now, fewer than the chip wants: it erases on while its relay is open
_LITTLE = 180  # bytes left in the last sector: the next records wrap around
_EXTENSIONS = 12
_CHECKED_MS = 2_000  # of the bypass: current that begins at every moment of these
_MODULES = ("__init__", "flash", "timed_board", "timed_chip", "timed_script")


class Reaction(NamedTuple):
    """How long it took, by the moment at which it began."""

    worst_ms: int
    at_ms: int
    moments: int
    closed_moments: int
    unfed_ms: int


def world() -> tuple[dict[str, Any], bytes]:
    """Make a chip that owes 5,000 records, whose ring is about to wrap, and the tokens it will be shown.

    Returns:
        What `timed_script.Script` reads, and the flash image.
    """
    issuer = Issuer.generate(_NOW_S)
    flash = VirtualFlash(SECTORS)
    identity = provision.identity_of(issuer, _DEVICE, "10.0.0.1", 7000)
    provision.provision(flash, identity, issuer.issue_key_set(issued_s=_NOW_S), lambda count: b"ring"[:count])
    storage = Storage(flash, lambda count: b"ring"[:count])
    storage.mount()
    spool = storage.spool
    ring: Any = spool._ring  # where its head stands is nobody else's affair
    while ring.head != ring.count - 1 or ring.write_at < ring.sectors.size - _LITTLE:
        body = encode_body(8, messages.REFUSAL, _DEVICE, spool.epoch, spool.next_seq, _NOW_S, 0, _REFUSAL)
        spool.append(body + bytes(8), RECORD, True)
    spool.ack(spool.highest - _OWED)
    while spool.clean < _CLEAN:
        storage.service(True)
    storage.save_acked()
    tokens = [
        issuer.issue_token(device=_DEVICE, holder=bytes(8), issued_s=_NOW_S - 60 + number)
        for number in range(_EXTENSIONS + 1)
    ]
    made = {
        "now_s": _NOW_S,
        "text": token_text(tokens[0]),
        "tokens": [one.hex() for one in tokens[1:]],
        "waves": [list(_wave(*currents)) for currents in ((0, 0), (180_000, 0), (0, 40_000))],
    }
    return made, bytes(flash.data)


_REFUSAL = messages.encode(messages.REFUSAL, {"reason": 5, "via": 3, "count": 1})


def _wave(arc_ma: int, bypass_ma: int) -> "array[int]":
    """Return a tick's samples at a constant current."""
    welder = Welder(dc_hall_1000a())
    welder.play(Envelope([Stretch(0, Phase.ARC, arc_ma)], 1_000), 0)
    welder.bypass_ma = bypass_ma
    samples = array("H", bytes(2 * SAMPLES))
    welder.fill(samples, 0, 0, SAMPLES, bool(arc_ma))
    return samples


def _forked(call: Callable[[], int]) -> int:
    """Return what a call returns, without what it changes.

    Raises:
        RuntimeError: it failed.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, str(call()).encode())
        except BaseException as error:
            os.write(writer, f"{type(error).__name__}: {error}".encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        text = answer.read().decode()
    os.waitpid(child, 0)
    if not text.isdigit():
        raise RuntimeError(text)
    return int(text)


def _moments(script: timed_script.Script, first_ms: int, end_ms: int, step_ms: int) -> Iterator[int]:
    """Run from moment to moment; yield the first of those that fall into one part, for none can interrupt it."""
    for ms in range(first_ms, end_ms, step_ms):
        if ms * 1000 > script.chip.now_us:
            script.run_until(ms)
            yield ms


def lock_to_open(made: dict[str, Any], image: bytes, step_ms: int = 1) -> Reaction:
    """Return the longest time from a lock's last byte until the pin is open for good, over ten seconds.

    Args:
        made: of `world`.
        image: of `world`.
        step_ms: between two moments.

    Raises:
        RuntimeError: the chip failed, or no session was live.
    """
    script = timed_script.Script(made, bytearray(image))
    board = script.chip.board
    worst = at = closed = moments = 0
    end = timed_script.START_MS + timed_script.WINDOW_MS
    for ms in _moments(script, timed_script.START_MS, end, step_ms):
        us = _forked(lambda ms=ms: timed_script.lock_to_open_us(script, ms * 1000))  # type: ignore[misc]
        moments += 1
        closed += us > 0
        if us > worst:
            worst, at = us, ms
    if not script.chip.live:
        raise RuntimeError("no session was live at the end of the ten seconds")
    return Reaction(-(-worst // 1000), at, moments, closed, board.unfed_us // 1000)


def bypass_to_alarm(made: dict[str, Any], image: bytes, step_ms: int = 1) -> Reaction:
    """Return the longest time from a current past the open relay until the alarm is latched; arguments as above.

    Raises:
        RuntimeError: the alarm did not come.
    """
    script = timed_script.Script(made, bytearray(image), scan=False)
    worst = at = moments = 0
    begin = timed_script.BYPASS_MS
    for ms in _moments(script, begin, begin + _CHECKED_MS, step_ms):
        us = _forked(lambda ms=ms: timed_script.bypass_to_alarm_us(script, ms * 1000))  # type: ignore[misc]
        moments += 1
        if us > worst:
            worst, at = us, ms
    return Reaction(-(-worst // 1000), at, moments, 0, script.chip.board.unfed_us // 1000)


def in_interpreter(chip: Interpreter, made: dict[str, Any], image: bytes, first_ms: int, step_ms: int) -> Reaction:
    """Return the same for locks, measured in the real interpreter, where each moment begins anew.

    Raises:
        LocalError: TOOL_INTERPRETER; the program does not compile, or failed.
    """
    app = build.build_app(chip.arch)
    package = "weldgate_simulator"
    folder = files.package(package)
    sources = {package if name == "__init__" else f"{package}.{name}": folder / f"{name}.py" for name in _MODULES}
    compiled = build.build_files(sources, files.build_folder() / "mpy" / f"{chip.arch}-timed", chip.arch)
    if app.errors or compiled.errors:
        raise LocalError(TOOL_INTERPRETER, "\n".join(app.errors + compiled.errors))
    with tempfile.TemporaryDirectory() as name:
        paths = (Path(name, "world.json"), Path(name, "flash"))
        paths[0].write_text(json.dumps(made), encoding="utf-8")
        paths[1].write_bytes(image)
        words = ["-m", "weldgate_simulator.timed_script", *map(str, paths), str(first_ms), str(step_ms)]
        done = chip.run(words, heap="16m", paths=[app.folder, compiled.folder], timeout_s=1_200)
    pairs = [tuple(map(int, line.split())) for line in done.stdout.decode(errors="replace").splitlines()]
    if done.returncode != 0 or not pairs or b"Traceback" in done.stderr:
        raise LocalError(TOOL_INTERPRETER, f"the timed chip failed: {done.stderr.decode(errors='replace')[-800:]}")
    at, worst = max(pairs, key=lambda pair: pair[1])
    return Reaction(-(-worst // 1000), at, len(pairs), sum(us > 0 for _, us in pairs), 0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program."""
    parser = argparse.ArgumentParser(prog="weldgate_simulator.timed", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--step", type=int, default=1, help="milliseconds between two moments")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    made, image = world()
    lock = lock_to_open(made, image, options.step)
    bypass = bypass_to_alarm(made, image, options.step)
    told = {"lock_to_open": lock._asdict(), "bypass_to_alarm": bypass._asdict()}
    print(json.dumps(told, indent=None if options.json else 1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
