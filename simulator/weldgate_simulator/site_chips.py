"""A site's demo chips: ``python -m weldgate_simulator.site_chips FOLDER`` runs each flash image in it as one chip.

They run on CPython in real time, with the identity that their flash holds, until SIGTERM. Somebody stands at each
machine: whoever is given a token by the collector presses the button a moment later and welds a little.
"""

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from weldgate_firmware import gate
from weldgate_firmware.meter import dc_hall_1000a
from weldgate_firmware.storage import PARTITION_SECTORS
from weldgate_simulator.arc import model
from weldgate_simulator.board import Board
from weldgate_simulator.chip import Chip
from weldgate_simulator.clock import HostClock
from weldgate_simulator.flash import FileFlash

__all__ = ["main", "run_chips"]

LOOK_S = 0.2
PRESS_S = 0.4


async def _stand_by(chip: Chip, board: Board, seed: int) -> None:
    """Press the button when a token waits, then weld."""
    while True:
        await asyncio.sleep(LOOK_S)
        app = chip.app
        if app is None or app.driver.state != gate.ARMED:
            continue
        board.button_down = True
        await asyncio.sleep(PRESS_S)
        board.button_down = False
        if board.relay_closed:
            board.play(model(seed))


async def run_chips(images: list[Path]) -> None:
    """Run one chip for each image until cancelled; what a chip writes goes into its file."""
    tasks = []
    flashes = []
    for seed, path in enumerate(images, 1):
        flash = FileFlash(str(path), PARTITION_SECTORS)
        flashes.append(flash)
        board = Board(HostClock(), dc_hall_1000a(), flash, seed=seed)
        chip = Chip(board)
        tasks.append(asyncio.create_task(chip.run()))
        tasks.append(asyncio.create_task(_stand_by(chip, board, seed)))
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for flash in flashes:
            flash.close()


async def _until_told(images: list[Path]) -> None:
    running = asyncio.current_task()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        if running is not None:
            loop.add_signal_handler(number, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await run_chips(images)


def main(arguments: list[str]) -> int:
    """Run the images of a folder; 2 when there are none."""
    images = sorted(Path(arguments[0]).glob("*.flash")) if arguments else []
    if not images:
        print("no flash images there: weldgate init makes some", file=sys.stderr)
        return 2
    asyncio.run(_until_told(images))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
