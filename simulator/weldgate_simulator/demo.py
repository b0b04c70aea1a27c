"""The whole demo: stage, scenario, graceful end, and then the ledger, a program of its own that trusts none of them."""

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from weldgate_protocol.errors import LocalError, WeldgateError
from weldgate_protocol.reason_texts import TEXTS
from weldgate_protocol.reasons import (
    TOOL_CONNECTION,
    TOOL_DISK_FULL,
    TOOL_EXISTS,
    TOOL_INTERPRETER,
    TOOL_LEDGER,
    TOOL_NOT_FOUND,
    TOOL_PERMISSIONS,
)
from weldgate_simulator import files, interpreter
from weldgate_simulator.onlooker import Progress
from weldgate_simulator.passing import passing_folder
from weldgate_simulator.scenario import RUN, Scenario
from weldgate_simulator.stage import Stage

__all__ = ["TRACE", "DemoError", "Options", "perform"]

TRACE = files.find(files.TRACE)
ROUND_S = 30  # of the demo's seconds for one round of the fleet's welders
_SHORT_S = 45  # below it welders burn one electrode a session, else two
_TAIL_LINES = 8


class Options(NamedTuple):
    """What is asked for.

    Attributes:
        seconds: about how long; it sets how often the welders start, since the scenario itself goes by conditions.
        seed: of all that is drawn.
        chips: on CPython, beside the one in the interpreter.
        keep: folder for databases, images and logs; None removes them.
        interpreter: whether to look for MicroPython.
    """

    seconds: int = 60
    seed: int = 1
    chips: int = 50
    keep: Path | None = None
    interpreter: bool = True


class DemoError(LocalError):
    """The demo did not hold.

    Attributes:
        document: what was seen up to there.
        logs: the ends of the logs, for whoever has to find out.
    """

    def __init__(self, code: int, message: str, document: dict[str, Any], logs: str = "") -> None:
        super().__init__(code, message)
        self.document = document
        self.logs = logs


class _Timed:
    """Passes progress on and keeps each step with its time."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._started_s = self._began_s = time.monotonic()
        self.steps: list[dict[str, Any]] = []
        self.waited_for = ""

    def begin(self, text: str) -> None:
        self._began_s = time.monotonic()
        self._progress.begin(text)

    def waiting(self, text: str) -> None:
        self.waited_for = text
        self._progress.waiting(text)

    def done(self, text: str) -> None:
        now_s = time.monotonic()
        took_s = round(now_s - self._began_s, 2)
        self.steps.append({"step": text, "at_s": self.seconds(), "took_s": took_s})
        self._progress.done(text)

    def seconds(self) -> float:
        return round(time.monotonic() - self._started_s, 2)


def perform(options: Options, progress: Progress) -> dict[str, Any]:
    """Perform the demo; every process and thread has ended when this returns or raises.

    Args:
        options: how long, how many, whence.
        progress: who is told.

    Returns:
        The document that ``--json`` prints; everything held.

    Raises:
        DemoError: something did not hold, or did not come in time.
    """
    timed = _Timed(progress)
    document: dict[str, Any] = {"ok": False, "interpreter": "", "chips": options.chips + 1, **_asked(options)}
    if files.missing():
        sentence = "this installation lacks files that the demo needs: " + ", ".join(files.missing())
        raise DemoError(TOOL_NOT_FOUND, sentence, document)
    said: list[str] = []
    found = interpreter.find(said.append) if options.interpreter else None
    if found is None:
        sentence = "MicroPython could not be had, so the first chip runs on CPython: " + "; ".join(
            said or ["not asked"]
        )
        progress.waiting(sentence)
        document["interpreter_missing"] = sentence
        if os.environ.get("CI") == "true":
            raise DemoError(TOOL_INTERPRETER, sentence, document)
    try:
        with _folder(options.keep) as folder:
            stage = _play(options, folder, found, timed, document)
            _judge(stage, timed, document)
    finally:
        document["steps"], document["took_s"] = timed.steps, timed.seconds()
    document["ok"] = True
    return document


def _asked(options: Options) -> dict[str, Any]:
    return {"seconds": options.seconds, "seed": options.seed, "kept": str(options.keep) if options.keep else None}


def _play(
    options: Options, folder: Path, found: interpreter.Interpreter | None, timed: _Timed, document: dict[str, Any]
) -> Stage:
    """Set up, perform, take down."""
    rounds = max(1, options.seconds // ROUND_S)
    arcs = 1 if options.seconds < _SHORT_S else 2
    timed.begin("broker, collector and consumer start")
    stage = Stage(folder, options.chips, options.seed, rounds, arcs, found)
    document["interpreter"] = stage.interpreter_name
    try:
        with stage:
            timed.done(f"broker on port {stage.line.broker.port}, collector on {stage.line.port}, consumer: up")
            Scenario(stage, TRACE, timed, rounds).play()
            timed.begin("all processes end")
    except (WeldgateError, OSError) as error:
        code = error.code if isinstance(error, WeldgateError) else _code_of(error)
        document["failed"] = str(error)
        raise DemoError(code, str(error), document, _tails(stage)) from error
    document["heap_bytes"] = stage.heap_bytes
    timed.done("all processes ended")
    return stage


def _judge(stage: Stage, timed: _Timed, document: dict[str, Any]) -> None:
    """Run the ledger and take its word."""
    timed.begin("ledger")
    done = subprocess.run(
        [
            sys.executable, "-m", "weldgate_simulator.ledger", "--flash", str(stage.flash),
            "--store", str(stage.line.store), "--consumer", str(stage.line.journal),
            "--trace", str(TRACE), "--run", RUN, "--device", str(stage.device),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.stdout:
        document |= json.loads(done.stdout)
        document["refusal_names"] = {number: TEXTS[int(number)][0] for number in document["refusals"]}
    if done.returncode:
        document["failed"] = "; ".join(document.get("troubles", [])) or done.stderr.strip()
        raise DemoError(TOOL_LEDGER, f"the ledger does not hold: {document['failed']}", document, _tails(stage))
    timed.done(
        f"ledger: emitted {document['emitted']} = stored {document['stored']} = delivered {document['delivered']}, "
        f"0 lost, 0 doubled, contiguous for {document['chips']} chips"
    )


def _code_of(error: OSError) -> int:
    """Return the reason that fits what the machine refused; the ledger has not spoken yet."""
    if isinstance(error, FileNotFoundError):
        return TOOL_NOT_FOUND
    if isinstance(error, PermissionError):
        return TOOL_PERMISSIONS
    return TOOL_DISK_FULL if error.errno == errno.ENOSPC else TOOL_CONNECTION


def _tails(stage: Stage) -> str:
    """Return the ends of all logs."""
    parts = []
    for path in sorted(stage.folder.glob("**/*.log")):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
        if lines:
            parts.append("\n".join([f"--- {path.relative_to(stage.folder)}", *lines]))
    chip = stage.chip_log()
    if chip:
        parts.append("\n".join([f"--- chip {stage.device}", *chip[-_TAIL_LINES:]]))
    return "\n".join(parts)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Give an empty folder, and remove it unless it is to be kept; what a killed demo left is removed as well.

    Raises:
        LocalError: TOOL_EXISTS, something is in it.
    """
    if keep is None:
        with passing_folder("weldgate-demo-") as folder:
            yield folder
        return
    if keep.exists() and any(keep.iterdir()):
        raise LocalError(TOOL_EXISTS, f"{keep} is not empty; name another folder, or remove it")
    keep.mkdir(parents=True, exist_ok=True)
    yield keep.resolve()
