"""What systemd hears, over a real datagram socket."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from weldgate_collector import add_chips, entry
from weldgate_collector.notify import Notifier

pytestmark = pytest.mark.skipif(not hasattr(socket, "SOCK_CLOEXEC"), reason="Linux")


@pytest.mark.parametrize("abstract", [False, True])
def test_messages_arrive(tmp_path: Path, abstract: bool) -> None:
    """At a path, and at an abstract name."""
    name = f"@weldgate-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if abstract else name)
        notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "30000000"}, 1)
        notifier.ready()
        notifier.alive("3 chips online")
        notifier.reloading()
        notifier.stopping()
        heard = [manager.recv(200).decode() for _ in range(4)]

    assert heard[:2] == ["READY=1", "WATCHDOG=1\nSTATUS=3 chips online"]
    assert heard[2].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert heard[3] == "STOPPING=1"
    assert notifier.watchdog_s == 30.0


def test_without_a_manager_nothing_is_sent() -> None:
    """Nor where it is gone, nor where the watchdog is meant for another process."""
    Notifier({}, 1).ready()
    Notifier({"NOTIFY_SOCKET": "/nowhere/at/all"}, 1).ready()
    assert Notifier({"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "2"}, 1).watchdog_s == 0.0
    assert Notifier({"WATCHDOG_USEC": "soon"}, 1).watchdog_s == 0.0


def test_program_says_that_it_is_ready_alive_and_stopping(tmp_path: Path) -> None:
    """A whole collector under a manager that listens."""
    config = tmp_path / "collector.toml"
    config.write_text('[collector]\nname = "t"\n', "utf-8")
    add_chips(tmp_path / "chips.jsonl", [])
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        process = subprocess.Popen(
            [sys.executable, "-m", "weldgate_collector", str(config)],
            env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"},
            stderr=subprocess.DEVNULL,
        )
        try:
            heard = [manager.recv(500).decode() for _ in range(4)]
            process.send_signal(signal.SIGHUP)
            last = ""
            while not last.startswith("RELOADING=1\nMONOTONIC_USEC="):
                last = manager.recv(500).decode()
            while last != "READY=1":
                last = manager.recv(500).decode()
            process.send_signal(signal.SIGTERM)
            while last != "STOPPING=1":
                last = manager.recv(500).decode()
        finally:
            process.terminate()
            assert process.wait(20) == 0

    assert heard[0] == "READY=1"
    assert {text.split("\n")[0] for text in heard[1:]} == {"WATCHDOG=1"}
    assert "0 chips online" in heard[1]


def test_service_that_stands_still_is_not_fed() -> None:
    """The loop may turn and the service not: its rounds count, and systemd starts it again when they end."""
    looks, late_s, fed = [0], [0.0], [0]

    class Manager(Notifier):
        def alive(self, status: str) -> None:
            fed[0] += 1

    class Standing:
        @property
        def ticked_s(self) -> float:
            looks[0] += 1
            return asyncio.get_running_loop().time() - late_s[0]

        writer = SimpleNamespace(trouble="disk full", backlog=2)
        hub = SimpleNamespace(online=1)

    async def scene() -> list[int]:
        service: Any = Standing()
        beats = asyncio.create_task(entry._beat(service, Manager({"WATCHDOG_USEC": "3000"}, 1)))
        found = []
        async with asyncio.timeout(20):
            for late in (0.0, entry._ROUNDS_LATE_S + 1, 0.0):
                late_s[0], fed[0], until = late, 0, looks[0] + 3
                while looks[0] < until:
                    await asyncio.sleep(0)
                found.append(fed[0])
        beats.cancel()
        return found

    good, late, again = asyncio.run(scene())

    assert late == 0
    assert min(good, again) > 0
