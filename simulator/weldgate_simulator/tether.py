"""Runs a command that ends with its parent, even when the parent is killed with -9.

``python tether.py PARENT COMMAND…`` asks the kernel for SIGTERM at the parent's death and becomes COMMAND. Only Linux
knows how to ask; elsewhere the command runs without a tether. It is started by path, so that nothing else is imported.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

__all__ = ["main", "tethered"]

_PR_SET_PDEATHSIG = 1  # prctl(2); kept over execve for programs without set-user-ID


def tethered(command: Sequence[str]) -> list[str]:
    """Return the command line that runs a command tethered to this process.

    Start it from a thread that lives as long as the process: the kernel watches the thread that started it.
    """
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def main(arguments: Sequence[str]) -> None:
    """Tie this process to its parent and become the command; 1 when the parent is dead already."""
    parent, *command = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(parent):
            sys.exit(1)  # it died before the kernel was asked
    os.execvp(command[0], command)  # noqa: S606 - a list made by `tethered`, never a shell


if __name__ == "__main__":
    main(sys.argv[1:])
