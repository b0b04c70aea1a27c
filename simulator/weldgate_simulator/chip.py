"""One chip on CPython: the firmware's app on a simulated board, in this process and in real time.

It starts again after a reset and when power comes back, as the module does. Sockets are the host's own.
"""

import asyncio
import contextlib

from weldgate_firmware import app
from weldgate_firmware.storage import Storage
from weldgate_simulator.board import Board, BoardReset

__all__ = ["Chip"]

WATCH_S = 0.05  # how often the board's deadlines are looked at


class Chip:
    """A board with its firmware.

    Args:
        board: on a `HostClock`; its flash holds the identity.

    Attributes:
        app: the running firmware, None without power.
        starts: how often it has booted.
        failed: what the last error was that ended the app, None for none.
    """

    def __init__(self, board: Board) -> None:
        self.board = board
        self.app: app.App | None = None
        self.starts = 0
        self.failed: Exception | None = None

    async def run(self) -> None:
        """Run for ever, through resets and power cuts, until cancelled."""
        while True:
            self.board.watch()
            if self.board.powered:
                await self._one_life()
            else:
                await asyncio.sleep(WATCH_S)

    async def _one_life(self) -> None:
        """Boot and run until the board stops; an error that ends the app restarts the board, as on the chip."""
        board = self.board
        running: asyncio.Task[None] | None = None
        try:
            storage = Storage(board.flash, board.random)
            self.starts += 1
            self.app = app.App(board, app.load_identity(storage), storage)
            self.app.boot()
            running = asyncio.create_task(self.app.run())
            while not running.done():
                await asyncio.wait([running], timeout=WATCH_S)
                if board.watch():
                    break
            if running.done():
                await running
        except BoardReset:
            return
        except Exception as error:  # `main` resets the module in its `finally`
            self.failed = error
            with contextlib.suppress(BoardReset):
                board.reset()
            await asyncio.sleep(WATCH_S)  # one that fails at each boot leaves time to others
        finally:
            self.app = None
            if running is not None:
                running.cancel()
                with contextlib.suppress(BoardReset, asyncio.CancelledError, Exception):
                    await running
