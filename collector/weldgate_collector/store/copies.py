"""Backup while the collector runs, and restore while it doesn't.

A backup is a folder with ``segments`` in it, a store like any other. Sealed segments never change, so a second backup
into the same folder copies only what is new. A restored store draws a new id, since rows that came after the backup had
numbers that will be given again; upstreams get everything once more, chips refill what they still hold, and the
collector declares what they don't.
"""

import os
import shutil
import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

from weldgate_protocol.reasons import TOOL_NOT_FOUND, TOOL_STORE

from ..errors import StoreError
from .lock import take_folder
from .newest import OpenSegment, draw_store_id, mark, open_segment
from .reader import Reader
from .schema import READABLE, Connect, connect, open_store, touch_private
from .segments import (
    LEGACY_NAME,
    RESTORING,
    Segment,
    list_segments,
    remove_database,
    segment_folder,
    store_folder,
    sync_folder,
)

__all__ = ["Copied", "backup_store", "join_store", "restore_store"]


_NEWEST = ("meta", "cursors", "packs", "orders", "aside", "marks")  # tables that are true in the newest segment


class Copied(NamedTuple):
    """What a backup or restore did: segments copied, segments there in all, and the last row."""

    copied: int
    segments: int
    last: int


def backup_store(place: Path, target: Path, open_connection: Connect = connect) -> Copied:
    """Copy a store, running or not, to a folder; consistent as of one commit near the end.

    Args:
        place: the store.
        target: where ``segments`` is made or brought up to date.
        open_connection: the ``connect`` seam.

    Raises:
        StoreError: there is no store, or ``target`` holds another one.
    """
    folder = store_folder(place)
    with Reader(place, open_connection) as reader:
        store_id = reader.store_id()
    segment_folder(target).mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_other(target, store_id, folder, open_connection)
    copied = 0
    while True:
        segments = list_segments(folder)
        for segment in segments:
            copied += _copy(segment, target, open_connection)
        if list_segments(folder)[-1:] == segments[-1:]:
            break  # no new segment was begun meanwhile
    sync_folder(segment_folder(target))
    with Reader(target, open_connection) as reader:
        return Copied(copied, len(reader.segments()), reader.last_index())


def restore_store(backup: Path, place: Path, open_connection: Connect = connect) -> Copied:
    """Put a backup in a store's place; what is there now is set aside beside it, never removed.

    Args:
        backup: the folder of a backup; it stays as it is.
        place: the data folder of a collector that does not run.
        open_connection: the ``connect`` seam.

    Raises:
        StoreError: there is no backup, it is damaged, or the collector runs.
    """
    folder = store_folder(place)
    source = list_segments(store_folder(backup))
    if not source:
        raise StoreError(TOOL_NOT_FOUND, f"{backup}: no backup is there")
    folder.mkdir(parents=True, exist_ok=True)
    handle = take_folder(folder)
    try:
        incoming = folder / RESTORING
        shutil.rmtree(incoming, ignore_errors=True)
        incoming.mkdir(mode=0o700)
        for segment in source:
            _durable_copy(segment.path, incoming / segment.path.name)
        newest = Segment(source[-1].first, incoming / source[-1].path.name)
        last = _renew(newest, open_connection)
        sync_folder(incoming)
        _set_aside(folder)
        incoming.rename(segment_folder(folder))
        sync_folder(folder)
    finally:
        os.close(handle)
    return Copied(len(source), len(source), last)


def join_store(place: Path, target: Path, open_connection: Connect = connect) -> Copied:
    """Write all segments into one SQLite file, indexed by line and by time, for tools that open one file.

    Args:
        place: the store; it may be in use.
        target: the file; it must not be there.
        open_connection: the ``connect`` seam.

    Raises:
        StoreError: there is no store, or ``target`` is there.
    """
    if target.exists():
        raise StoreError(TOOL_STORE, f"{target}: is there already; name a new file")
    part = target.with_name(target.name + ".part")
    remove_database(part)
    joined = 0
    with Reader(place, open_connection) as reader:
        connection = open_store(part, open_connection)
        try:
            connection.execute("PRAGMA synchronous=OFF")  # a copy; it gets its name when it is whole
            segments = reader.segments()  # asked once: the folder may be looked at anew at any time
            for segment in segments:
                connection.execute("ATTACH ? AS one", (f"{segment.path.absolute().as_uri()}?mode=ro",))
                for table in ("records", *(_NEWEST if segment == segments[-1] else ())):
                    connection.execute(f"INSERT OR REPLACE INTO {table} SELECT * FROM one.{table}")  # noqa: S608 - ours
                connection.execute("DETACH one")
                joined += 1
            connection.execute("UPDATE segment SET first = ?", (reader.first_index(),))
            connection.execute("CREATE INDEX by_line ON records (device, epoch, seq, kind, type)")
            connection.execute("CREATE INDEX by_time ON records (received_ms)")
            rows: int | None = connection.execute("SELECT max(idx) FROM records").fetchone()[0]
        finally:
            connection.close()
    _sync_file(part)
    part.rename(target)
    return Copied(joined, joined, rows or 0)


def _renew(newest: Segment, open_connection: Connect) -> int:
    """Give a restored store its new id and write down up to which row it is the old one."""
    opened: OpenSegment = open_segment(newest.path, open_connection)
    connection = opened.connection
    try:
        last = opened.last_index()
        connection.execute("BEGIN IMMEDIATE")
        draw_store_id(connection)
        mark(connection, "restored", last + 1, last, "restored from a backup")
        # It may have been followed by another one when it was copied; here nothing does.
        connection.execute("UPDATE segment SET last = NULL, sealed = 0")
        connection.execute("DROP INDEX IF EXISTS by_line")
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
    finally:
        connection.close()
    return last


def _set_aside(folder: Path) -> None:
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    for path in (segment_folder(folder), folder / LEGACY_NAME):
        if path.exists():
            aside = path.with_name(f"{path.name}.before-{stamp}")
            number = 1
            while aside.exists():
                number += 1
                aside = path.with_name(f"{path.name}.before-{stamp}-{number}")
            path.rename(aside)


def _copy(segment: Segment, target: Path, open_connection: Connect) -> int:
    """Copy one segment by SQLite's own online backup, which sees one commit whole; 1 when it was copied."""
    to = segment_folder(target) / segment.path.name
    if to.exists() and _is_sealed(to, open_connection):
        return 0
    part = to.with_name(to.name + ".part")
    part.unlink(missing_ok=True)
    try:
        source = open_store(segment.path, open_connection, may_migrate=False, oldest=READABLE)
    except sqlite3.OperationalError:
        if segment.path.exists():
            raise
        return 0  # retention took it meanwhile
    try:
        touch_private(part)
        copy = sqlite3.connect(part)
        try:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
        finally:
            copy.close()
    finally:
        source.close()
    _sync_file(part)
    part.rename(to)
    return 1


def _is_sealed(path: Path, open_connection: Connect) -> bool:
    try:
        connection = open_store(path, open_connection, may_migrate=False, oldest=READABLE)
    except (sqlite3.Error, StoreError):
        return False
    try:
        return bool(connection.execute("SELECT sealed FROM segment").fetchone()[0])
    finally:
        connection.close()


def _refuse_other(target: Path, store_id: bytes, folder: Path, open_connection: Connect) -> None:
    if target.resolve() == folder.resolve():
        raise StoreError(TOOL_STORE, f"{target}: is the store itself")
    if list_segments(target):
        with Reader(target, open_connection) as reader:
            if reader.store_id() != store_id:
                raise StoreError(TOOL_STORE, f"{target}: holds the backup of another store; name an empty folder")


def _durable_copy(source: Path, target: Path) -> None:
    touch_private(target)
    shutil.copyfile(source, target)
    _sync_file(target)


def _sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
