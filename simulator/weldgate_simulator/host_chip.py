"""A chip on CPython in a thread of its own: what stands in where no MicroPython can be had."""

import asyncio
import contextlib
import threading

from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_INTERPRETER
from weldgate_simulator.board import Board
from weldgate_simulator.chip import Chip

__all__ = ["HostChip"]


class HostChip:
    """A chip in a thread, with the handle of an `InterpreterChip`.

    Args:
        board: on a `HostClock`.

    Attributes:
        lock: held by whoever touches the board from another thread; the chip itself does not take it, since its
            board is touched in single steps only.
        log: empty; a failure is told by `stop`.
    """

    def __init__(self, board: Board) -> None:
        self.board = board
        self.lock = threading.RLock()
        self.log: list[str] = []
        self._chip = Chip(board)
        self._loop: asyncio.AbstractEventLoop
        self._thread = threading.Thread(target=self._run, name="host-chip", daemon=True)
        self._task: asyncio.Task[None] | None = None
        self._failed: BaseException | None = None

    def start(self) -> None:
        """Power the chip up."""
        self._loop = asyncio.new_event_loop()
        self._thread.start()

    def stop(self) -> None:
        """End the chip and its thread.

        Raises:
            LocalError: TOOL_INTERPRETER; it had failed before.
        """
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join()
        failed = self.failed
        if failed is not None:
            raise LocalError(TOOL_INTERPRETER, f"the chip on CPython failed: {failed!r}")

    @property
    def failed(self) -> BaseException | None:
        """What ended the thread, else the last error that ended the chip's app, which then was started again."""
        return self._failed or self._chip.failed

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._task = self._loop.create_task(self._chip.run())
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            self._failed = error
        finally:
            self._loop.close()
