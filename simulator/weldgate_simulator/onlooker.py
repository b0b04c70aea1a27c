"""How the scenario sees that something is so: waits with a deadline, records at the consumer, the relay of one chip.

An onlooker asks the databases at the far end of the line and looks at the board from outside. What is not so in time,
or is otherwise than it must be, is an error that says what was waited for or what was found.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from weldgate_protocol import messages, reasons
from weldgate_protocol.errors import LocalError
from weldgate_simulator.ledger_flash import read_image
from weldgate_simulator.line import wait_for
from weldgate_simulator.stage import Stage
from weldgate_simulator.witness import Arrived

__all__ = ["WAIT_S", "Onlooker", "Progress", "ScenarioError"]

WAIT_S = 45.0


class ScenarioError(LocalError):
    """Something was not as it must be."""


class Progress(Protocol):
    """Who is told how far it has come."""

    def begin(self, text: str) -> None:
        """Take note that a step begins."""

    def waiting(self, text: str) -> None:
        """Take note of what is being waited for."""

    def done(self, text: str) -> None:
        """Take note that the step begun last is done, and of what was seen."""


class Onlooker:
    """Watches one stage.

    Args:
        stage: entered.
        progress: who is told.
        patience_s: how long anything is waited for.
    """

    def __init__(self, stage: Stage, progress: Progress, patience_s: float = WAIT_S) -> None:
        self.stage = stage
        self._patience_s = patience_s
        self._progress = progress
        self._moves = 0

    @contextmanager
    def step(self, text: str) -> Iterator[Callable[[str], None]]:
        """Make a step; what is given to the yielded function is what was seen."""
        said = [text]
        self._progress.begin(text)
        yield lambda seen: said.__setitem__(0, seen)
        self._progress.done(said[0])

    def until(self, what: str, true: Callable[[], bool], times: int = 1) -> None:
        """Wait until it is so.

        Args:
            what: what is waited for, in words.
            true: whether it is so.
            times: how many times the usual patience.

        Raises:
            LineError: it was not so in time.
            ScenarioError: a process of the line has ended meanwhile.
        """

        def alive_and_true() -> bool:
            ended = self.stage.line.ended()
            if ended:
                raise ScenarioError(reasons.TOOL_LEDGER, f"{ended} ended while waiting for {what}")
            return true()

        self._progress.waiting(what)
        wait_for(what, alive_and_true, times * self._patience_s)

    def record(self, type_: int, fits: Callable[[dict[Any, Any]], bool], device: int = 0) -> Arrived:
        """Wait until the consumer has a record that fits, and return it.

        Args:
            type_: message type.
            fits: judges its fields.
            device: whose; 0 for the interpreter's chip.
        """
        whose = device or self.stage.device
        found: list[Arrived] = []

        def there() -> bool:
            found[:] = [one for one in self.stage.witness.arrived(type_, whose) if fits(one.fields)]
            return bool(found)

        self.until(f"{messages.MESSAGES[type_][0]} of chip {whose} at the consumer", there)
        return found[0]

    def refused(self, reason: int, device: int = 0) -> None:
        """Wait for a refusal's record and see that the relay is open."""
        self.record(messages.REFUSAL, lambda fields: fields["reason"] == reason, device)
        if not device:
            self.must(not self.closed(), f"refused with {reason}, and the relay is closed")

    def applied(self, devices: tuple[int, ...]) -> None:
        """Wait for every chip's word that its order was carried out."""
        wanted = set(devices)

        def there() -> bool:
            results = self.stage.witness.arrived(messages.ORDER_RESULT)
            return wanted <= {one.device for one in results if one.fields["result"] == 0}

        self.until("every chip's word that its configuration holds", there)

    def spooled(self) -> dict[tuple[int, int], bytes]:
        """Return what the interpreter's chip holds in flash and the collector has not got, (epoch, seq) -> bytes."""
        stored = self.stage.witness.seqs("store", self.stage.device)
        rows = read_image(self.stage.image())
        return {row.identity[1:]: row.raw for row in rows if row.identity[1:] not in stored}

    def now_ms(self) -> int:
        """Return the time of the interpreter's chip's board."""
        with self.stage.world() as board:
            return board.clock.now_ms()

    def closed(self) -> bool:
        """Tell whether the relay is closed."""
        with self.stage.world() as board:
            return board.relay_closed

    def before_start(self) -> None:
        """See that the relay is open, and count from here how often it moves."""
        with self.stage.world() as board:
            self.must(not board.relay_closed, "the relay is closed before a start")
            self._moves = len(board.relay_changes)

    def still_closed(self) -> None:
        """See that the relay has been closed since the start, without a break."""
        with self.stage.world() as board:
            moves = list(board.relay_changes)[self._moves :]
            self.must(board.relay_closed and len(moves) == 1, f"the relay moved in a session: {moves}")

    def must(self, so: bool, otherwise: str) -> None:
        """Fail the scenario when it is not so.

        Raises:
            ScenarioError: with what was found.
        """
        if not so:
            raise ScenarioError(reasons.TOOL_LEDGER, otherwise)
