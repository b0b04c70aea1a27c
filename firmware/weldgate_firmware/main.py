"""Chip entry point: build the board, run the app; whatever ends it restarts the module with the relay open."""

import asyncio
import gc

from weldgate_firmware import app
from weldgate_firmware.board import DEFAULT_WIRING, Board, PartitionFlash
from weldgate_firmware.storage import Storage
from weldgate_protocol.errors import ConfigError

COLLECT_S = 0.25  # garbage is collected at known times, in about 10 ms, not in the middle of something


async def _run(board: Board, running: "app.App | None", error: "ConfigError | None") -> None:
    collecting = asyncio.create_task(_collect())
    try:
        if error is not None:
            await app.run_nameless(board, error)
        elif running is not None:
            await running.run()
    finally:
        collecting.cancel()


async def _collect() -> None:
    while True:
        gc.collect()
        await asyncio.sleep(COLLECT_S)


def run() -> None:
    """Run until something ends it, then restart."""
    gc.threshold(-1)  # type: ignore[attr-defined]  # set by boot.py for the imports; from here on `_collect` does it
    flash = PartitionFlash()
    storage = Storage(flash, Board.random)
    identity = running = error = None
    try:
        identity = app.load_identity(storage)
    except ConfigError as missing:
        error = missing
    board = Board(flash, identity.wiring if identity is not None else DEFAULT_WIRING)
    board.no_interrupt_key()
    try:
        if identity is not None:
            running = app.App(board, identity, storage)
            running.boot()
        asyncio.run(_run(board, running, error))
    finally:
        board.reset()
