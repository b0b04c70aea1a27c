"""A segment's schema: one SQLite file, opened through ``connect``, brought up to date by ordered migrations.

``records`` is the only table that the hot path writes: its ``idx`` is contiguous from 1 and, with the store id, the
identity of the collector's own records. It has no other index on purpose: a device-leading one costs two thirds of
the rate once the table is large (FACTS, SQLite); a segment gets it when it is sealed, and has ``runs`` until then.
``frames`` and ``own_records`` are views for people who open a file with ``sqlite3``. ``segment`` says which rows a file
has, ``highs`` what every line had reached before them; ``meta``, ``packs``, ``cursors``, ``aside``, ``orders``,
``segments`` and ``marks`` are true in the newest segment, and history in the others.

A migration is appended, never edited; each runs in one transaction with its mark (``PRAGMA user_version``), so that a
cut in the middle leaves the version before it. A file of a newer version is refused, never touched.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from weldgate_protocol.reasons import TOOL_STORE, TOOL_STORE_DAMAGED

from ..errors import StoreError

__all__ = [
    "CONFLICT",
    "FRAME",
    "GAP",
    "MIGRATIONS",
    "OPERATOR",
    "OWN",
    "PRESENCE",
    "READABLE",
    "Connect",
    "connect",
    "open_store",
    "prepare",
    "read_store_id",
    "rewrite_log",
    "settle",
    "touch_private",
]

Connect = Callable[[str], sqlite3.Connection]

# records.kind, the same numbers as a pack's items
FRAME = 1
OWN = 2

# records.type of the collector's own, key 1 of their CBOR map
GAP = 1
CONFLICT = 2
PRESENCE = 3
OPERATOR = 4


def _u32(offset: int) -> str:
    """Return SQL that reads a big-endian u32 of ``raw`` at a 1-based offset; SQLite has no function for it."""
    digits = (f"(instr('0123456789ABCDEF', substr(hex(substr(raw, {offset}, 4)), {n}, 1)) - 1)" for n in range(1, 9))
    return " + ".join(f"{digit} * {16 ** (8 - n)}" for n, digit in enumerate(digits, 1))


def _number(offset: int) -> str:
    """Return SQL for the same by one look-up a byte in a table of all bytes, which SQLite parses in half the time."""
    table = bytes(range(256)).hex()
    looked_up = (f"(instr(x'{table}', substr(raw, {offset + n}, 1)) - 1) * {256 ** (3 - n)}" for n in range(4))
    return " + ".join(looked_up)


_FIRST = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO meta VALUES ('store_id', randomblob(16));
CREATE TABLE records (
    idx INTEGER PRIMARY KEY,       -- contiguous from 1
    received_ms INTEGER NOT NULL,  -- Unix, when the collector had it
    kind INTEGER NOT NULL,         -- 1 frame, 2 the collector's own record
    device INTEGER NOT NULL,       -- < 2^63
    epoch INTEGER NOT NULL,        -- u32
    seq INTEGER NOT NULL,          -- frame: its own; gap: the last one declared; conflict: the disputed one; else 0
    type INTEGER NOT NULL,         -- frame: message type; own: 1 gap, 2 conflict, 3 presence, 4 operator
    raw BLOB NOT NULL              -- frame: header, payload and tag; own: CBOR map
);
CREATE TABLE packs (
    upstream TEXT NOT NULL, n INTEGER NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL,  -- records.idx, both included
    digest BLOB NOT NULL,                           -- SHA-256 of the whole pack
    PRIMARY KEY (upstream, n)
) WITHOUT ROWID;
CREATE TABLE cursors (
    upstream TEXT PRIMARY KEY, through INTEGER NOT NULL, boot BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE orders (
    id BLOB NOT NULL, device INTEGER NOT NULL,
    type INTEGER NOT NULL, object BLOB NOT NULL, origin TEXT NOT NULL,
    created_s INTEGER NOT NULL, expires_s INTEGER NOT NULL,
    state INTEGER NOT NULL,        -- 1 waiting, 2 sent, 3 applied, 4 refused, 5 expired
    reason INTEGER NOT NULL, changed_s INTEGER NOT NULL,
    PRIMARY KEY (id, device)
) WITHOUT ROWID;
CREATE VIEW frames AS SELECT
    idx, received_ms, device, printf('%08x', epoch) AS epoch, seq, printf('%02x', type) AS type,
    {_u32(19)} AS time_s,
    datetime({_u32(19)}, 'unixepoch') AS time,
    CASE (instr('0123456789ABCDEF', substr(hex(substr(raw, 1, 1)), 2, 1)) - 1) & 3
        WHEN 0 THEN 'floor' WHEN 1 THEN 'held' WHEN 2 THEN 'synced' END AS quality,
    length(raw) - 34 AS length, substr(raw, 27, length(raw) - 34) AS payload, substr(raw, -8) AS tag, raw
FROM records WHERE kind = 1;
CREATE VIEW own_records AS SELECT
    idx, received_ms, device, printf('%08x', epoch) AS epoch, seq,
    CASE type WHEN 1 THEN 'gap' WHEN 2 THEN 'conflict' WHEN 3 THEN 'presence' WHEN 4 THEN 'operator' ELSE type END
        AS type, raw
FROM records WHERE kind = 2;
"""  # noqa: S608 - only our own offsets are put into it

# Version 1 was the whole store in one file; it becomes the first segment.
_SECOND = """
CREATE TABLE segment (           -- one row: this file
    first INTEGER NOT NULL,      -- idx of its first row
    last INTEGER,                -- of its last one, once another segment follows
    oldest_ms INTEGER, newest_ms INTEGER,  -- bounds of received_ms, once sealed
    sealed INTEGER NOT NULL      -- 1: indexed, never written again
);
INSERT INTO segment VALUES (1, NULL, NULL, NULL, 0);
CREATE TABLE highs (             -- highest seq stored or declared of each line, before this segment's first row
    device INTEGER NOT NULL, epoch INTEGER NOT NULL, high INTEGER NOT NULL,
    PRIMARY KEY (device, epoch)
) WITHOUT ROWID;
CREATE TABLE segments (          -- the segments before this one
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL,
    oldest_ms INTEGER, newest_ms INTEGER  -- NULL until it is sealed
);
CREATE TABLE marks (             -- what befell the store: rows lost, a restore
    kind TEXT NOT NULL,          -- 'lost' rows first to last; 'deleted' by retention; 'restored' after row last
    at_ms INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, text TEXT NOT NULL
);
"""

_ASIDE = """
CREATE TABLE aside (               -- records that an upstream could not deliver, with their bytes
    upstream TEXT NOT NULL, idx INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, tries INTEGER NOT NULL, reason TEXT NOT NULL,
    kind INTEGER NOT NULL, received_ms INTEGER NOT NULL, raw BLOB NOT NULL,  -- as in records
    PRIMARY KEY (upstream, idx, received_ms)  -- after a restore an idx may stand for another record
) WITHOUT ROWID;
"""

# Each connection parses a segment's whole schema, and a chip's day opens dozens: the first `frames` took twice as long.
_RUNS = f"""
CREATE TABLE runs (                -- rows first to last in the order of their chips; gone once there is an index
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL,
    places BLOB NOT NULL           -- u16 little-endian each: idx - first, by (device, idx)
);
DROP VIEW frames;
CREATE VIEW frames AS
WITH timed AS (SELECT *, {_number(19)} AS time_s FROM records WHERE kind = 1)
SELECT
    idx, received_ms, device, printf('%08x', epoch) AS epoch, seq, printf('%02x', type) AS type,
    time_s, datetime(time_s, 'unixepoch') AS time,
    CASE (instr('0123456789ABCDEF', substr(hex(substr(raw, 1, 1)), 2, 1)) - 1) & 3
        WHEN 0 THEN 'floor' WHEN 1 THEN 'held' WHEN 2 THEN 'synced' END AS quality,
    length(raw) - 34 AS length, substr(raw, 27, length(raw) - 34) AS payload, substr(raw, -8) AS tag, raw
FROM timed;
"""  # noqa: S608 - only our own offsets are put into it

MIGRATIONS: tuple[str, ...] = (_FIRST, _SECOND, _ASIDE, _RUNS)
READABLE = 2  # a segment of this version or a later one can be read as it is; only the newest must be up to date

_CHECKPOINT_PAGES = (
    4_000  # 16 MB of WAL: fewer, larger checkpoints (FACTS: twice the rate of SQLite's default of 1,000)
)

_COPY_BYTES = 1 << 20


def connect(path: str, factory: type[sqlite3.Connection] = sqlite3.Connection) -> sqlite3.Connection:
    """Open a segment: the one seam through which every connection to the store goes.

    Args:
        path: the database file, or its URI.
        factory: the class of connection, for a seam that watches or fails it.

    Returns:
        A connection with ``synchronous=FULL``, transactions by hand, usable from one thread at a time. The journal's
        mode is the file's own: WAL in the open segment, none left behind in a sealed one.
    """
    connection = sqlite3.connect(
        path,
        timeout=20.0,
        isolation_level=None,
        check_same_thread=False,
        factory=factory,
        cached_statements=64,
        uri=path.startswith("file:"),
    )
    try:
        prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def prepare(connection: sqlite3.Connection) -> None:
    """Set what every connection to the store has, whatever opened it."""
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")


def rewrite_log(path: Path) -> None:
    """Write a database's log once more, the same bytes at the same place, and sync it; before it is opened.

    Of a log whose fsync failed, or whose writer was killed, the page cache may hold what the disk has not, and a sync
    writes nothing, since the kernel counts those pages as clean. SQLite would copy them into the database; were the
    power cut in the middle of that, what the disk has of the log would be played back over newer pages. No lock is
    lost by this: SQLite keeps none on a log.
    """
    log = Path(f"{path}-wal")
    if not log.exists():
        return
    with log.open("r+b", buffering=0) as file:
        offset = 0
        while content := os.pread(file.fileno(), _COPY_BYTES, offset):
            offset += os.pwrite(file.fileno(), content, offset)
        os.fsync(file.fileno())


def settle(connection: sqlite3.Connection) -> bool:
    """Make durable all that the database shows, however it came to be there; False when a reader is in the way.

    After a kill, or a failed fsync, the log may hold a commit that never reached the disk, and SQLite plays it back. A
    second fsync proves nothing, since the kernel forgets pages whose fsync failed. So the pages are written anew, into
    the database itself; and then a new header over the log, since what the disk has of the old one would be played
    back over them.
    """
    busy, in_log, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy or in_log < 0:  # -1: there is no write-ahead log
        return False
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.execute(f"PRAGMA user_version={version}")
    return True


def read_store_id(connection: sqlite3.Connection) -> bytes:
    """Return the store's id, 16 bytes."""
    found: bytes = connection.execute("SELECT value FROM meta WHERE key = 'store_id'").fetchone()[0]
    return found


def touch_private(path: Path) -> None:
    """Make a file that nobody but its owner reads, since tokens wait in a store; its logs get the same mode."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def open_store(
    path: Path, open_connection: Connect = connect, may_migrate: bool = True, oldest: int | None = None
) -> sqlite3.Connection:
    """Open a database through the seam and bring it to the newest schema.

    Args:
        path: the database file; made when it isn't there.
        open_connection: the ``connect`` seam.
        may_migrate: False = the file must be there and of the newest schema; only its one writer changes a store.
        oldest: with that, the oldest schema that will do; the newest when it is left out.

    Raises:
        StoreError: the file is of a newer version than this program, or no database of ours.
        sqlite3.OperationalError: this machine can't open it now (disk full, locked, I/O error).
    """
    # "rw" makes no file: a segment that vanished between two looks must not come back empty.
    try:
        if may_migrate and not path.exists():
            touch_private(path)
        connection = open_connection(str(path) if may_migrate else f"{path.absolute().as_uri()}?mode=rw")
        try:
            _migrate(connection, path, may_migrate, len(MIGRATIONS) if oldest is None else oldest)
        except BaseException:
            connection.close()
            raise
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise StoreError(TOOL_STORE_DAMAGED, f"{path}: {error}; run `weldgate store salvage`") from error
    return connection


def _migrate(connection: sqlite3.Connection, path: Path, may_migrate: bool, oldest: int) -> None:
    """Run the migrations that are missing, one transaction each."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise StoreError(TOOL_STORE, f"{path}: schema {version}, at most {len(MIGRATIONS)}: a newer weldgate made it")
    if not may_migrate:
        if version < oldest:
            raise StoreError(TOOL_STORE, f"{path}: schema {version}, {oldest} is wanted; start the collector once")
        return
    for number in range(version, len(MIGRATIONS)):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in _statements(MIGRATIONS[number]):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={number + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _statements(script: str) -> list[str]:
    """Split a script into statements; ``executescript`` would commit first, and so break the one transaction."""
    statements: list[str] = []
    held = ""
    for line in script.splitlines(keepends=True):
        held += line
        if sqlite3.complete_statement(held):
            statements.append(held.strip())
            held = ""
    return statements
