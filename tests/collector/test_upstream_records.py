"""The engine of record upstreams: poison set aside, carriers that fail in any way, a store with another id, kills."""

import asyncio
import sqlite3
import sys
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).parents[1] / "contracts"))  # tests are no package; the world stands there

import pytest
from upstream_world import Store, presence_row, wait_until

from weldgate_collector import Reader, Service, list_segments, load_config, request
from weldgate_collector.upstream import row_source
from weldgate_collector.upstream.base import Surroundings
from weldgate_collector.upstream.carrier import Refused, Settled, UndeliveredError
from weldgate_collector.upstream.document import Row
from weldgate_collector.upstream.packing import renew_store
from weldgate_collector.upstream.records import Pace, RecordUpstream
from weldgate_collector.upstream.row_source import RowSource


class Far:
    """A carrier whose far end does what a test says."""

    def __init__(self) -> None:
        self.got: list[int] = []
        self.stores: list[bytes] = []
        self.poison: set[int] = set()
        self.turn_raises: Exception | None = None
        self.open_raises: Exception | None = None
        self.offer_raises: Exception | None = None
        self.opened = 0
        self._pending: list[Row] = []

    def begin(self, store_id: bytes) -> None:
        self.stores.append(store_id)

    def open(self) -> None:
        self.opened += 1
        self._pending.clear()
        if self.open_raises is not None:
            raise self.open_raises

    def room(self) -> int:
        return 100 - len(self._pending)

    def offer(self, rows: list[Row], more: bool) -> list[Refused]:
        if self.offer_raises is not None:
            raise self.offer_raises
        self._pending += [row for row in rows if row.idx not in self.poison]
        return [Refused(row.idx, "poison") for row in rows if row.idx in self.poison]

    def turn(self) -> Settled:
        if self.turn_raises is not None:
            raise self.turn_raises
        done = [row.idx for row in self._pending]
        self._pending.clear()
        self.got += done
        return Settled(done, [])

    def fileno(self) -> int:
        return -1

    def wants_write(self) -> bool:
        return False

    def wait_s(self) -> float:
        return 0.0 if self._pending else 1.0

    def close(self) -> None:
        pass


def start(store: Store, far: Far, tries: int = 2) -> RecordUpstream:
    """Start an upstream with this far end."""
    around = Surroundings("site", b"", store.folder.joinpath, lambda _: "", store.writer, store.reader, lambda *_: None)
    upstream = RecordUpstream("u", far, Pace(1_000, tries, 0.05), around, lambda _row: True)
    store.upstreams.append(upstream)
    upstream.start()
    return upstream


def test_poison_is_set_aside_with_its_bytes_and_the_rest_goes_on(tmp_path: Path) -> None:
    """Tried so often, then kept beside the store with the reason; nothing else waits for it."""
    far = Far()
    far.poison = {3, 50}
    with Store(tmp_path) as store:
        upstream = start(store, far, tries=3)
        store.frames(100)
        wait_until(lambda: len(far.got) == 98)
        store.drained(upstream)
        status = upstream.status()
        with store.reader() as reader:
            aside = reader.aside()
            stored = {record.idx: record.raw for record in reader.records()}

    assert sorted(far.got) == sorted(set(range(1, 101)) - {3, 50})
    assert (status.aside, status.trouble) == (2, "")
    assert [(one.upstream, one.idx, one.tries, one.reason) for one in aside] == [
        ("u", 3, 3, "poison"),
        ("u", 50, 3, "poison"),
    ]
    assert all(one.raw == stored[one.idx] for one in aside)


def test_poison_stays_aside_over_a_restart(tmp_path: Path) -> None:
    """The cursor is behind it; it is not tried again, and still counted."""
    far = Far()
    far.poison = {2}
    with Store(tmp_path) as store:
        store.frames(3)
        store.drained(start(store, far))
    far.poison = set()
    with Store(tmp_path) as store:
        store.frames(1)
        upstream = start(store, far)
        store.drained(upstream)

        assert upstream.status().aside == 1
    assert far.got.count(2) == 0
    assert far.got[-1] == 4


def test_far_end_that_refuses_everything_is_no_poison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many records set aside the upstream stands still and says so; nothing more leaves the line."""
    monkeypatch.setattr(row_source, "ASIDE_MAX", 5)
    monkeypatch.setattr("weldgate_collector.upstream.records.ASIDE_MAX", 5)
    far = Far()
    far.poison = set(range(1, 21))
    with Store(tmp_path) as store:
        upstream = start(store, far, tries=1)
        store.frames(20)
        wait_until(lambda: "5 records are refused" in upstream.status().trouble, upstream.status)
        with store.reader() as reader:
            assert len(reader.aside()) == 5
        assert upstream.status().waiting_rows >= 15


@pytest.mark.parametrize("where", ["open_raises", "turn_raises", "offer_raises"])
@pytest.mark.parametrize("error", [OSError("gone"), RuntimeError("a mistake"), KeyError("x")])
def test_carrier_that_raises_is_tried_for_ever(tmp_path: Path, where: str, error: Exception) -> None:
    """Whatever it is: told, tried again, nothing lost, the thread lives."""
    far = Far()
    setattr(far, where, error)
    with Store(tmp_path) as store:
        store.frames(10)
        upstream = start(store, far)
        wait_until(lambda: far.opened >= 3)
        wait_until(lambda: str(error) in upstream.status().trouble, upstream.status)
        assert upstream.alive
        setattr(far, where, None)
        store.drained(upstream)
        wait_until(lambda: upstream.status().trouble == "")

    assert sorted(set(far.got)) == list(range(1, 11))


def test_undelivered_stays_told_until_something_is_delivered(tmp_path: Path) -> None:
    """A new connection alone proves nothing."""
    far = Far()
    far.turn_raises = UndeliveredError("nobody gets it")
    with Store(tmp_path) as store:
        store.frames(1)
        upstream = start(store, far)
        wait_until(lambda: upstream.status().undelivered)
        far.turn_raises = OSError("gone")
        wait_until(lambda: "gone" in upstream.status().trouble)
        assert upstream.status().undelivered
        far.turn_raises = None
        store.drained(upstream)

        assert not upstream.status().undelivered
        assert upstream.status().trouble == ""


def test_kill_between_delivery_and_cursor_repeats_and_loses_nothing(tmp_path: Path) -> None:
    """The far end had rows whose cursor was never stored: they come again, under the same numbers."""
    far = Far()
    store = Store(tmp_path)
    store.frames(50)
    upstream = start(store, far)
    store.drained(upstream)
    upstream._save_cursor = lambda final=False: True  # type: ignore[method-assign]  # as if killed before it could
    store.frames(50)
    store.drained(upstream)
    store.stop()

    with Store(tmp_path) as again:
        again.drained(start(again, far))
    assert sorted(set(far.got)) == list(range(1, 101))
    assert 50 <= len(far.got) - 100 <= 100


def test_store_with_another_id_is_sent_from_the_beginning(tmp_path: Path) -> None:
    """As with packs: rows may stand for others now."""
    far = Far()
    with Store(tmp_path) as store:
        store.frames(20)
        upstream = start(store, far)
        store.drained(upstream)
        old = far.stores[0]
        store.writer.submit(lambda connection: renew_store(connection, old)).result(20)
        store.frames(1)
        wait_until(lambda: len(far.got) >= 41, upstream.status)

    assert far.got[20:].count(1) == 1
    assert len(set(far.stores)) == 2


def test_operator_has_what_is_set_aside_forgotten(tmp_path: Path) -> None:
    """Over the control socket, recorded, and one more may be set aside after that."""
    (tmp_path / "collector.toml").write_text(
        '[collector]\nname = "t"\n[[upstream]]\nname = "u"\nkind = "file"\nfolder = "out"\ntries = 1\n'
        '[upstream.record.map]\nx = { "$from" = "$.message", "$times" = 0.5 }\n',
        "utf-8",
    )
    config = load_config(tmp_path / "collector.toml")
    (tmp_path / "chips.jsonl").touch(0o600)

    async def scene() -> Any:
        service = Service(config)
        await service.start()
        try:
            service.writer.put([presence_row()])
            upstreams: Any = lambda: service.health()["upstreams"]  # noqa: E731 - read again each time
            await asyncio.to_thread(wait_until, lambda: upstreams()["u"]["aside"] == 1)
            asked = {"do": "forget-aside", "upstream": "u"}
            answer = await asyncio.to_thread(request, config.control_socket, asked)
            other = await asyncio.to_thread(request, config.control_socket, {**asked, "upstream": "v"})
            await asyncio.to_thread(
                wait_until, lambda: upstreams()["u"]["aside"] == 1
            )  # what was recorded, refused too
            return answer, other
        finally:
            await service.stop()

    answer, other = asyncio.run(scene())
    with Reader(config.data_dir) as reader:
        aside = [one.idx for one in reader.aside()]

    assert answer["forgotten"] == 1
    assert not other["ok"]
    assert aside == [2]


def test_cursor_lies_where_the_others_do(tmp_path: Path) -> None:
    """Whoever asks which row an upstream has reached, retention above all, asks one way."""
    with Store(tmp_path) as store:
        upstream = start(store, Far())
        store.frames(7)
        store.drained(upstream)
        store.end(upstream)
        with store.reader() as reader:
            assert reader.cursors() == [("u", 7, 7)]


def test_rows_that_are_gone_are_jumped_over(tmp_path: Path) -> None:
    """An optional upstream goes on behind what retention deleted."""
    far = Far()
    with Store(tmp_path) as store:
        store.frames(10)
        connection = sqlite3.connect(list_segments(store.folder)[0].path)
        with connection:
            connection.execute("DELETE FROM records WHERE idx <= 4")
        connection.close()
        store.drained(start(store, far))

    assert far.got == list(range(5, 11))


def test_order_s_result_is_no_affair_of_it(tmp_path: Path) -> None:
    """Orders come by other ways."""
    order: Any = None
    with Store(tmp_path) as store:
        start(store, Far()).report(order)


class Held:
    """A writer that keeps what it is asked for."""

    committed = 0

    def __init__(self) -> None:
        self.works: list[Callable[[sqlite3.Connection], bool]] = []

    def submit(self, work: Callable[[sqlite3.Connection], bool]) -> Future[bool]:
        self.works.append(work)
        return Future()


def test_refusal_under_an_old_store_id_sets_nothing_aside(tmp_path: Path) -> None:
    """A commit may take long; meanwhile another upstream renews the store, and all of it goes out again."""
    held = Held()
    with Store(tmp_path) as store:
        writer = cast("Any", held)
        around = Surroundings("site", b"", store.folder.joinpath, lambda _: "", writer, store.reader, lambda *_: None)
        upstream = RecordUpstream("u", Far(), Pace(10, 1, 0.05), around, lambda _row: True)
        with store.reader() as reader:
            upstream._begin(RowSource(reader, "u"))
            old = reader.store_id()
        upstream._let_go([(Row(1, 0, 1, b"x"), 1, "poison")])

        store.writer.submit(lambda connection: renew_store(connection, old)).result(20)
        with store.reader() as reader:
            upstream._begin(RowSource(reader, "u"))
        taken = store.writer.submit(held.works[0]).result(20)
        upstream.stop()

    assert not taken
