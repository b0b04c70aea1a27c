"""A small line without processes: flash images, a store and a consumer's database that agree, to plant faults in."""

import sqlite3
from contextlib import closing
from pathlib import Path

from weldgate_collector.store.schema import open_store
from weldgate_firmware.spool import SESSION, Spool
from weldgate_protocol import frame, messages
from weldgate_protocol._compat import HmacKey
from weldgate_protocol.collector_record import Record, encode_record
from weldgate_simulator.flash import VirtualFlash
from weldgate_simulator.ledger_flash import identity_of
from weldgate_simulator.upstream import Journal

KEY = HmacKey(bytes(32))
CHIPS, RECORDS = 3, 20
_INSERT = "INSERT INTO records (received_ms, kind, device, epoch, seq, type, raw)"


class LedgerWorld:
    """Three chips with twenty records each, all stored and all delivered."""

    def __init__(self, folder: Path) -> None:
        self.flash = folder / "flash"
        self.flash.mkdir()
        self.store = folder / "store.sqlite3"
        self.consumer = folder / "consumer.sqlite3"
        open_store(self.store).close()
        Journal(self.consumer, bytes(32)).close()
        self.spools: dict[int, Spool] = {}
        self.images: dict[int, VirtualFlash] = {}
        for device in range(1, CHIPS + 1):
            flash = VirtualFlash(6, seed=device)
            spool = Spool(flash, 0, 6, lambda n: bytes([7] * n))
            spool.mount()
            while spool.service(True):
                pass
            self.images[device], self.spools[device] = flash, spool
        with closing(sqlite3.connect(self.store)) as store, closing(sqlite3.connect(self.consumer)) as consumer:
            for device in self.spools:
                for n in range(RECORDS):
                    raw = self.append(device, messages.REFUSAL, {"reason": 5 + n % 2, "via": 1, "count": 1})
                    store.execute(f"{_INSERT} VALUES (1, 1, ?, ?, ?, ?, ?)", (*identity_of(raw), raw[1], raw))
                    consumer.execute("INSERT INTO frames VALUES (?, ?, ?, 1, ?)", (*identity_of(raw), raw))
            store.commit()
            consumer.commit()

    def arguments(self) -> list[str]:
        """Return the ledger's command line."""
        return ["--flash", str(self.flash), "--store", str(self.store), "--consumer", str(self.consumer)]

    def append(self, device: int, type_: int, fields: dict[str | int, object]) -> bytes:
        """Let a chip write a record to its flash."""
        spool = self.spools[device]
        body = frame.encode_body(
            frame.FLAG_DURABLE, type_, device.to_bytes(8, "big"), spool.epoch, spool.next_seq, 1, 2,
            messages.encode(type_, fields),
        )  # fmt: skip
        raw = frame.seal(body, KEY)
        spool.append(raw, SESSION)
        (self.flash / f"{device}.flash").write_bytes(self.images[device].data)
        return raw

    def emit(self, device: int, type_: int, fields: dict[str | int, object]) -> None:
        """Let a chip emit a record that goes all the way."""
        raw = self.append(device, type_, fields)
        self.sql(self.store, f"{_INSERT} VALUES (1, 1, ?, ?, ?, ?, ?)", *identity_of(raw), raw[1], raw)
        self.sql(self.consumer, "INSERT INTO frames VALUES (?, ?, ?, 1, ?)", *identity_of(raw), raw)

    def loosen(self) -> None:
        """Take the consumer's primary key away, so that a row can be planted twice."""
        self.sql(self.consumer, "CREATE TABLE loose AS SELECT * FROM frames")
        self.sql(self.consumer, "DROP TABLE frames")
        self.sql(self.consumer, "ALTER TABLE loose RENAME TO frames")

    def own_gap(self, device: int, first: int, last: int) -> None:
        """Let the collector declare a range lost, stored and delivered."""
        raw = encode_record(Record(1, device.to_bytes(8, "big"), b"\7\7\7\7", first, last))
        self.sql(self.store, f"{_INSERT} VALUES (1, 2, ?, 0, ?, 1, ?)", device, last, raw)
        with closing(sqlite3.connect(self.store)) as connection:
            idx, store_id = connection.execute(
                "SELECT max(idx), (SELECT value FROM meta WHERE key = 'store_id') FROM records"
            ).fetchone()
        self.sql(self.consumer, "INSERT INTO own_records VALUES (?, ?, 1, ?)", store_id, idx, raw)

    @staticmethod
    def sql(path: Path, statement: str, *values: object) -> None:
        """Change a database."""
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(statement, values)
