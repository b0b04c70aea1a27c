"""A program that prepares, says ``ready``, starts when a line comes on its input, and ends with one line of JSON.

The load generators and the ends of a bridge are such: what they prepare is then in nobody's figures.
"""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_CONNECTION, TOOL_TIMEOUT

__all__ = ["Ready", "pipes", "ready_program"]


class Ready:
    """Such a program, once it has prepared.

    Attributes:
        pid: its process id.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.pid = process.pid
        self._stdin, self._stdout = pipes(process)

    def go(self) -> None:
        """Let it start."""
        self._stdin.write("go\n")
        self._stdin.flush()

    def result(self) -> dict[str, Any]:
        """Wait for its end and return what it says then.

        Raises:
            LocalError: TOOL_CONNECTION, it says nothing.
        """
        line = self._stdout.readline()
        if not line:
            raise LocalError(TOOL_CONNECTION, "a program of the load gave up; see standard error")
        found: dict[str, Any] = json.loads(line)
        return found


@contextmanager
def ready_program(command: Sequence[str]) -> Iterator[Ready]:
    """Run a program that has prepared and waits; it is killed in the end.

    Raises:
        LocalError: TOOL_TIMEOUT, it did not get ready.
    """
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            if pipes(process)[1].readline() != "ready\n":
                raise LocalError(TOOL_TIMEOUT, "a program of the load did not get ready; see standard error")
            yield Ready(process)
        finally:
            process.kill()


def pipes(process: "subprocess.Popen[str]") -> tuple[IO[str], IO[str]]:
    """Return a process's standard input and output.

    Raises:
        LocalError: TOOL_CONNECTION, it has none.
    """
    if process.stdin is None or process.stdout is None:
        raise LocalError(TOOL_CONNECTION, "a process without pipes")
    return process.stdin, process.stdout
