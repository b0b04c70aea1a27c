"""A tethered process ends with its parent, however that ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from weldgate_simulator import tether
from weldgate_simulator.line import wait_for

PARENT = """
import subprocess, sys
from weldgate_simulator.tether import tethered
child = subprocess.Popen(tethered([sys.executable, "-c", "import signal; signal.pause()"]), start_new_session=True)
print(child.pid, flush=True)
child.wait()
"""


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_child_ends_with_a_killed_parent() -> None:
    """Kill -9 of the parent leaves nobody behind."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert _alive(pid)

        parent.kill()

    wait_for("the child to end", lambda: not _alive(pid), 20)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_parent_that_is_dead_already_starts_nothing(tmp_path: Path) -> None:
    """A parent that died before the kernel was asked is noticed."""
    made = tmp_path / "made"
    command = tether.tethered([sys.executable, "-c", f"open({str(made)!r}, 'w')"])
    command[command.index(str(os.getpid()))] = "1"  # not our parent, as if it were gone

    done = subprocess.run(command, check=False)

    assert done.returncode == 1
    assert not made.exists()


def test_command_takes_its_place() -> None:
    """Same process, its output, its exit code, its signals."""
    program = "import os, sys; print(os.getpid()); sys.exit(7)"
    with subprocess.Popen(tether.tethered([sys.executable, "-c", program]), stdout=subprocess.PIPE, text=True) as done:
        assert done.stdout is not None
        assert int(done.stdout.read()) == done.pid
    assert done.returncode == 7
    waiting = [sys.executable, "-c", "import signal; print(1, flush=True); signal.pause()"]
    with subprocess.Popen(tether.tethered(waiting), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
    assert process.returncode == -signal.SIGTERM
