"""Faults: the consumer killed, restored from an older copy, wiped; a collector's store copied back unnoticed."""

import asyncio
import secrets
import shutil
from pathlib import Path

import pytest

from weldgate_simulator.line import Line, wait_for
from weldgate_simulator.load import Load, make_chips

FRAMES = 400


def copy_database(path: Path, to: Path) -> None:
    """Copy a database of a process that is not running, with its log."""
    for suffix in ("", "-wal"):
        source = path.with_name(path.name + suffix)
        target = to.with_name(to.name + suffix)
        target.unlink(missing_ok=True)
        if source.exists():
            shutil.copy(source, target)
    to.with_name(to.name + "-shm").unlink(missing_ok=True)


@pytest.mark.broker
def test_consumer_killed_restored_and_wiped_ends_with_everything_once(tmp_path: Path) -> None:
    """Whatever the consumer forgot is sent again from there, and nothing is counted twice."""
    chips = make_chips(9, secrets.token_bytes(32))
    loads = [Load(chips[number : number + 3], FRAMES) for number in (0, 3, 6)]
    copy = tmp_path / "copy.sqlite3"

    with Line(tmp_path, chips) as line:
        asyncio.run(loads[0].run("127.0.0.1", line.port))
        wait_for("the first part", lambda: line.delivered_count() == 3 * FRAMES)
        line.kill_consumer()
        copy_database(line.journal, copy)
        asyncio.run(loads[1].run("127.0.0.1", line.port))
        line.start_consumer()
        wait_for("the second part after a kill", lambda: line.delivered_count() == 6 * FRAMES)

        line.kill_consumer()
        copy_database(copy, line.journal)
        line.start_consumer()
        wait_for("the second part again after a restore", lambda: line.delivered_count() == 6 * FRAMES)

        line.kill_consumer()
        line.wipe_consumer()
        asyncio.run(loads[2].run("127.0.0.1", line.port))
        line.start_consumer()
        wait_for("everything after a wipe", lambda: line.delivered_count() == 9 * FRAMES)
        counts, delivered = line.counts(), line.delivered()

    assert (counts["doubled"], counts["conflicts"]) == (0, 0)
    assert {raw for *_, raw in delivered} == {raw for load in loads for sender in load.senders for raw in sender.raws}


@pytest.mark.broker
def test_store_copied_back_unnoticed_starts_again_under_a_new_id(tmp_path: Path) -> None:
    """An older copy of the collector's store shows by its digests; all of it is sent again, under a new store id."""
    chips = make_chips(6, secrets.token_bytes(32))
    first, second = Load(chips[:3], FRAMES), Load(chips[3:], FRAMES)
    copy = tmp_path / "copy"

    with Line(tmp_path, chips) as line:
        asyncio.run(first.run("127.0.0.1", line.port))
        wait_for("the first part", lambda: line.delivered_count() == 3 * FRAMES)
        line.stop_collector()
        shutil.copytree(line.store / "segments", copy)
        line.start_collector()
        asyncio.run(second.run("127.0.0.1", line.port))
        wait_for("the second part", lambda: line.delivered_count() == 6 * FRAMES)
        before = line.store_id()

        line.kill_collector()
        shutil.rmtree(line.store / "segments")
        shutil.copytree(copy, line.store / "segments")
        line.start_collector()
        third = Load(chips[:1], 50)
        asyncio.run(third.run("127.0.0.1", line.port))
        wait_for("a new store id", lambda: line.store_id() != before)
        wait_for("what came after the copy", lambda: line.delivered_count() == 6 * FRAMES + 50)
        counts = line.counts()

    assert counts["conflicts"] == 0
