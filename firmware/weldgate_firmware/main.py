"""Chip entry point: build the board, run the app; whatever ends it restarts the module with the relay open."""

import asyncio
import gc

from weldgate_firmware import app
from weldgate_firmware.board import DEFAULT_WIRING, Board, PartitionFlash
from weldgate_firmware.storage import Storage
from weldgate_protocol.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

COLLECT_S = 0.25  # garbage is collected at known times, in about 10 ms, not in the middle of something


async def _run(part: "Coroutine[Any, Any, None]") -> None:
    """Collect garbage as long as `part` runs; this ends, and the module restarts, with whichever of the two ends."""
    running = asyncio.create_task(part)
    try:
        while not running.done():
            gc.collect()
            await asyncio.sleep(COLLECT_S)
        await running
    finally:
        running.cancel()


def run() -> None:
    """Run until something ends it, then restart.

    Raises:
        Exception: something failed before there was a board: no pin was driven. The caller restarts the module.
    """
    gc.threshold(-1)  # type: ignore[attr-defined]  # set by boot.py for the imports; from here on `_run` does it
    flash = PartitionFlash()
    storage = Storage(flash, Board.random)
    identity = None
    try:
        identity = app.load_identity(storage)
    except ConfigError as missing:
        error = missing
    board = Board(flash, identity.wiring if identity is not None else DEFAULT_WIRING)
    try:
        if identity is None:
            asyncio.run(_run(app.run_nameless(board, error)))
        else:
            running = app.App(board, identity, storage)
            running.boot()
            asyncio.run(_run(running.run()))
    finally:
        board.reset()
