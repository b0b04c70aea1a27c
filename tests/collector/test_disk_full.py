"""When the disk ends: acks are withheld, chips are held back, it is told, and it goes on by itself; nothing is lost."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from weldgate_collector import MemoryLink, Reader, Service, add_chips, check_store, connect, load_config
from weldgate_collector.hub import Limits
from weldgate_collector.store import Row, Writer
from weldgate_collector.store.keeper import Keeper, Retention

EPOCH = 0xA0000001
NOW_MS = 1_780_000_000_000


class Room:
    """The ``connect`` seam with a limit of pages on every file."""

    def __init__(self) -> None:
        self.pages = 1 << 30

    def __call__(self, path: str) -> sqlite3.Connection:
        connection = connect(path)
        connection.execute(f"PRAGMA max_page_count={self.pages}")
        return connection


def test_full_store_withholds_acks_and_holds_chips_back(house: Any, talker: Any, eventually: Any) -> None:
    """What can't be stored is not acknowledged, its chip is no longer read from; with room again all of it is there."""
    room = Room()

    async def scene() -> None:
        async with house(Limits(backlog_rows=20), seam=room) as home:
            chip = talker(1)
            await chip.come_online(home.link)
            chip.send(*[chip.frame(seq) for seq in range(1, 11)])
            await chip.acked(10)
            room.pages = 1
            home.writer._appender._segment.connection.execute("PRAGMA max_page_count=1")
            for seq in range(11, 201):
                chip.send(chip.frame(seq))
            await eventually(lambda: "full" in home.writer.trouble)
            await eventually(lambda: bool(home.hub._held_back))
            acked = chip.conversation.acked
            assert acked < 200
            assert home.writer.committed == len(home.records())

            room.pages = 1 << 30
            await chip.acked(200)
            assert home.writer.trouble == ""
            assert not home.hub._held_back
            assert [record.seq for record in home.records(kind=1)] == list(range(1, 201))

    asyncio.run(scene())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a small tmpfs needs root; the limit of pages above is the same test without it")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", place], check=False)
    if done.returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def frame(seq: int) -> Row:
    """Return the row of a frame whose header says what its columns say."""
    head = b"\x2a\x45" + (7).to_bytes(8, "big") + EPOCH.to_bytes(4, "big") + seq.to_bytes(4, "big")
    return (NOW_MS + seq, 1, 7, EPOCH, seq, 0x45, head + bytes(8) + b"\xa1\x01\x02" + b"T" * 8)


def test_real_disk_fills_and_gets_room_again(small_disk: Path) -> None:
    """On a file system that is full to the last byte nothing is reported; the alarm was raised before."""
    seen: list[int] = []
    changed = threading.Condition()

    def on_commit(index: int) -> None:
        with changed:
            seen.append(index)
            changed.notify_all()

    def told(_text: str, now_ms: int) -> Row:
        return (now_ms, 2, 0, 0, 0, 4, b"\xa0")

    writer = Writer(small_disk, 1, 1000, on_commit, segment_rows=4_000)
    keeper = Keeper(writer, Retention(min_free_bytes=2 << 20), told)
    writer.start()
    keeper.one_pass()
    assert not keeper.status.low_space
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1 << 20))
    keeper.one_pass()
    assert keeper.status.low_space

    count = 0
    while "full" not in writer.trouble:
        writer.put([frame(seq) for seq in range(count + 1, count + 1_001)])
        count += 1_000
        with changed:
            changed.wait_for(lambda: writer.backlog == 0 or bool(writer.trouble), 0.05)
    reported = writer.committed
    with Reader(small_disk) as reader:
        assert reader.last_index() == reported
    ballast.unlink()
    writer.put([frame(seq) for seq in range(count + 1, count + 1_001)])
    with changed:
        assert changed.wait_for(lambda: seen[-1] == count + 1_000, 30)
    writer.stop()
    keeper.stop()

    assert writer.trouble == ""
    with Reader(small_disk) as reader:
        assert [row.seq for row in reader.records()] == list(range(1, count + 1_001))
    assert [finding for report in check_store(small_disk) for finding in report.findings] == []


def test_health_says_so(tmp_path: Path, talker: Any, eventually: Any) -> None:
    """A supervisor sees it: not ok, why, and the metrics."""
    path = tmp_path / "collector.toml"
    path.write_text('[collector]\nname = "t"\n[store]\nmin_free_mb = 1000000000\n', "utf-8")
    config = load_config(path)
    add_chips(config.chips_file, [_known()])
    room = Room()

    async def scene() -> None:
        link = MemoryLink()
        service = Service(config, (link,), room)
        await service.start()
        try:
            chip = talker(1)
            await chip.come_online(link)
            room.pages = 1
            service.writer._appender._segment.connection.execute("PRAGMA max_page_count=1")
            chip.send(*[chip.frame(seq) for seq in range(1, 200)])
            await eventually(lambda: bool(service.writer.trouble))
            await eventually(lambda: service.keeper.status.low_space)
            assert service.health()["ok"] is False
            assert "full" in str(service.health()["store"])
            text = service._refreshed().text().decode()
            assert "weldgate_store_trouble 1.0" in text
            assert "weldgate_store_low_space 1.0" in text
            room.pages = 1 << 30
            await chip.acked(199)
            assert service.health()["ok"] is True
        finally:
            await service.stop()

    asyncio.run(scene())


def _known() -> Any:
    from tests.collector.conftest import known  # the scripted chip's keys

    return known(1)
