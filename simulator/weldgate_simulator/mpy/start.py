"""Start the firmware in the real interpreter: stand-ins in place and kept fed, then ``main`` as on the chip."""

import asyncio
import gc
import sys

import micropython

from . import esp32, machine, network

STEP_S = 0.004  # under half a tick, so that a press or a lock waits for the tick and not for this


async def _keep_stepping() -> None:
    while True:
        machine.step()
        await asyncio.sleep(STEP_S)


sys.modules["machine"] = machine
sys.modules["esp32"] = esp32
sys.modules["network"] = network
machine.step()
tasks = [asyncio.create_task(_keep_stepping())]
micropython.kbd_intr(-1)  # as boot.py does on the chip
gc.threshold(8192)  # type: ignore[attr-defined]  # as boot.py does on the chip, and why is told there

from weldgate_firmware import main  # noqa: E402 - only now do the modules exist that it imports

main.run()
