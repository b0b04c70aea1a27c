"""A collector on hardware that fails: a disk whose power is cut and whose fsync fails, a clock that jumps.

``python -m weldgate_simulator.soak_hardware CONFIG`` runs the real service, with the store's ``connect`` seam over a
``Disk`` and with its own time of day. ``Hardware`` speaks to it through a socket beside the configuration:

    cut SEED FOLDER     what the platter has now is laid down in FOLDER, and the process is gone
    fail PERMILLE       so many of its fsyncs fail from now on, and forget what they were to write
    clock SECONDS       the time of day is so far from the machine's from now on

``WELDGATE_SOAK_PRAGMA`` is run on every connection: a planted ``PRAGMA synchronous=OFF`` must be found.
"""

import asyncio
import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from weldgate_collector import Service, load_config
from weldgate_simulator.disk import Disk
from weldgate_simulator.disk_seam import disk_seam

__all__ = ["PLANT", "Hardware", "hardware_command", "main"]

PLANT = "WELDGATE_SOAK_PRAGMA"
_SOCKET = "hardware.sock"
_ANSWER_S = 60.0


def hardware_command(pragma: str = "") -> list[str]:
    """Return what runs a collector on such hardware, all but its configuration.

    Args:
        pragma: planted on each connection.
    """
    return ["env", f"{PLANT}={pragma}", sys.executable, "-m", "weldgate_simulator.soak_hardware"]


class Hardware:
    """The hand on the switch, from another process."""

    def __init__(self, folder: Path) -> None:
        """Remember where the configuration is."""
        self._place = folder / _SOCKET

    def cut(self, seed: int, folder: Path) -> None:
        """Cut the power; what the disk has is in ``folder``, and the process is gone."""
        self._ask(f"cut {seed} {folder}")

    def fail(self, permille: int) -> None:
        """Let fsyncs fail."""
        self._ask(f"fail {permille}")

    def clock(self, offset_s: int) -> None:
        """Set the clock."""
        self._ask(f"clock {offset_s}")

    def _ask(self, words: str) -> None:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(_ANSWER_S)
            # The path of a socket is short; its folder's may be long.
            handle = os.open(self._place.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                sock.connect(f"/proc/self/fd/{handle}/{_SOCKET}")
            finally:
                os.close(handle)
            sock.sendall(words.encode() + b"\n")
            while sock.recv(64):
                pass  # till it has been done, or the power is gone


class _Clock:
    """The process's time of day; everything in it asks ``time`` for it."""

    def __init__(self) -> None:
        self.offset_s = 0
        real_s, real_ns = time.time, time.time_ns
        time.time = lambda: real_s() + self.offset_s
        time.time_ns = lambda: real_ns() + self.offset_s * 1_000_000_000


def _failing(draw: random.Random, permille: int) -> Callable[[str], bool]:
    return lambda _name: draw.randrange(1000) < permille


def _serve(place: Path, disk: Disk, clock: _Clock, draw: random.Random) -> None:
    """Do what is asked, for ever."""
    place.unlink(missing_ok=True)
    handle = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"/proc/self/fd/{handle}/{place.name}")
        server.listen()
        while True:
            sock, _ = server.accept()
            with sock:
                what, *words = sock.makefile("r", encoding="utf-8").readline().rstrip("\n").split(maxsplit=2)
                if what == "cut":
                    disk.cut_power(random.Random(int(words[0])), Path(words[1]))  # noqa: S311 - repeatable by its seed
                elif what == "fail":
                    disk.fail_sync = _failing(draw, int(words[0]))
                elif what == "clock":
                    clock.offset_s = int(words[0])
                else:
                    raise ValueError(f"asked to {what!r}")


async def _run(path: Path, disk: Disk) -> None:
    service = Service(load_config(path), open_connection=disk_seam(disk, os.environ.get(PLANT, "")))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.ended.set)
    await service.start()
    await service.ended.wait()
    await service.stop()


def main(arguments: list[str] | None = None) -> int:
    """Run the program; 0 after SIGTERM or SIGINT."""
    (name,) = sys.argv[1:] if arguments is None else arguments
    path = Path(name)
    clock, draw = _Clock(), random.Random(0)  # noqa: S311 - which fsync fails need not repeat
    with Disk(load_config(path).data_dir) as disk:
        if os.environ.get(PLANT):
            disk.shares = (0.0,)  # what was not synced is gone for certain
        threading.Thread(
            target=_serve, args=(path.with_name(_SOCKET), disk, clock, draw), name="hardware", daemon=True
        ).start()
        asyncio.run(_run(path, disk))
    return 0


if __name__ == "__main__":
    sys.exit(main())
