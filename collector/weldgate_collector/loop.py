"""The event loop that a collector runs on: it rests a moment between two looks at its sockets.

A chip's frame comes by itself, and at some thousand a second each would wake this process: falling asleep and waking
cost more than the frame does. So the loop asks for events at most every 2 ms, and then gets several at once, as a
network card does with its interrupts. Where nothing came for longer nobody waits; where there is more to do than time
the loop never rests. Acks wait for a commit of 25 ms in any case (`store.commit_ms`).
"""

import asyncio
import select
import selectors
import time

__all__ = ["RestingSelector", "new_loop"]

_REST_S = 0.002


def _rest(seconds: float) -> None:
    """Wait; by ``select``, since under libfaketime, which the soak moves clocks by, ``time.sleep`` does not return."""
    select.select((), (), (), seconds)


class RestingSelector(selectors.DefaultSelector):
    """The machine's best selector, which looks at most every ``_REST_S`` when its caller has nothing else to do."""

    def __init__(self) -> None:
        super().__init__()
        self._looked_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As any selector; of the time it may wait, the first part passes before it looks."""
        if timeout is None or timeout > 0:
            rest_s = self._looked_s + _REST_S - time.monotonic()
            if rest_s > 0:
                if timeout is not None:
                    rest_s = min(rest_s, timeout)
                    timeout -= rest_s
                _rest(rest_s)
        found = super().select(timeout)
        self._looked_s = time.monotonic()
        return found


def new_loop() -> asyncio.AbstractEventLoop:
    """Return a loop."""
    return asyncio.SelectorEventLoop(RestingSelector())
