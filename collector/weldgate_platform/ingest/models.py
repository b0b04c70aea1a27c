"""Tables of the ingest database: how far each store has come, what is kept verbatim, and what is read off it.

Ids of chips and epochs are integers as on the wire; times are Unix milliseconds, since frames carry no time zone.
"""

from typing import ClassVar

from django.db import models

__all__ = ["Clash", "Kept", "Own", "Presence", "SeenRange", "Session", "Store"]


class Store(models.Model):
    """One collector's store towards one upstream: the highest pack applied, and its digest."""

    store_id = models.CharField(max_length=32)
    upstream = models.CharField(max_length=64)
    collector = models.CharField(max_length=64, db_index=True)
    through = models.BigIntegerField()
    digest = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["collector", "store_id", "upstream"], name="store_once")
        ]

    def __str__(self) -> str:
        return f"{self.collector} {self.store_id} {self.through}"


class SeenRange(models.Model):
    """Numbers of one chip and epoch that came, first to last; ranges neither overlap nor touch."""

    device = models.BigIntegerField()
    epoch = models.BigIntegerField()
    first = models.BigIntegerField()
    last = models.BigIntegerField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["device", "epoch", "first"], name="seen_range_once")
        ]

    def __str__(self) -> str:
        return f"{self.device:016x} {self.first}-{self.last}"


class Kept(models.Model):
    """A durable frame, verbatim: all but telemetry, which stays in the collectors' segments."""

    device = models.BigIntegerField()
    epoch = models.BigIntegerField()
    seq = models.BigIntegerField()
    type = models.PositiveSmallIntegerField()
    at_ms = models.BigIntegerField()
    received_ms = models.BigIntegerField()
    raw = models.BinaryField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["device", "epoch", "seq"], name="kept_once")
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["type", "at_ms"], name="kept_type_at")]

    def __str__(self) -> str:
        return f"{self.device:016x} {self.seq} {self.type:02x}"


class Clash(models.Model):
    """Other bytes under an identity that is kept: evidence, never dropped as a repeat."""

    device = models.BigIntegerField()
    epoch = models.BigIntegerField()
    seq = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    raw = models.BinaryField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["device", "epoch", "seq", "digest"], name="clash_once")
        ]

    def __str__(self) -> str:
        return f"{self.device:016x} {self.seq}"


class Own(models.Model):
    """A record of a collector's own, known by the store's id and its index."""

    store_id = models.CharField(max_length=32)
    index = models.BigIntegerField()
    kind = models.PositiveSmallIntegerField(db_index=True)
    device = models.BigIntegerField(db_index=True)
    received_ms = models.BigIntegerField()
    raw = models.BinaryField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["store_id", "index"], name="own_once")
        ]

    def __str__(self) -> str:
        return f"{self.store_id} {self.index}"


class Presence(models.Model):
    """The latest that is known of a chip: whether it is online, and since when."""

    device = models.BigIntegerField(primary_key=True)
    online = models.BooleanField()
    reason = models.PositiveIntegerField(default=0)
    at_ms = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.device:016x} {'online' if self.online else 'offline'}"


class Session(models.Model):
    """One session as its frames tell it; read off `Kept`, and made anew from there at any time."""

    device = models.BigIntegerField()
    token = models.CharField(max_length=16, db_index=True)  # a page asks by it alone
    epoch = models.BigIntegerField()
    holder = models.CharField(max_length=16, blank=True, db_index=True)
    started_ms = models.BigIntegerField(null=True)
    stopped_ms = models.BigIntegerField(null=True)
    cause = models.PositiveIntegerField(default=0)
    suspended = models.BooleanField(default=False)
    turned_seq = models.BigIntegerField(default=0)  # number of the frame that `suspended` comes from
    arcs = models.PositiveIntegerField(default=0)  # segments that came
    arc_ms = models.BigIntegerField(default=0)  # their sum; the chip's own total once the session is over

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["device", "token"], name="session_once")
        ]

    def __str__(self) -> str:
        return f"{self.device:016x} {self.token}"
