"""Which database a table is in: what is ingested has a file of its own, so that its writer holds nobody's page up."""

from typing import Any

from django.db.models import Model

__all__ = ["INGEST", "IngestRouter"]

INGEST = "ingest"  # both the alias and the label of the one app that is there


class IngestRouter:
    """Sends the app `ingest` to the alias `ingest`, and everything else to `default`."""

    def db_for_read(self, model: type[Model], **_hints: Any) -> str:
        """Return the alias that a model is read from."""
        return INGEST if model._meta.app_label == INGEST else "default"

    def db_for_write(self, model: type[Model], **_hints: Any) -> str:
        """Return the alias that a model is written to."""
        return self.db_for_read(model)

    def allow_relation(self, one: Model, other: Model, **_hints: Any) -> bool:
        """Allow a relation inside one database alone."""
        # By the instances: the signed-in user of a request is a stand-in until it is looked at.
        return (one._meta.app_label == INGEST) == (other._meta.app_label == INGEST)

    def allow_migrate(self, db: str, app_label: str, **_hints: Any) -> bool:
        """Make a table where it is looked for."""
        return (db == INGEST) == (app_label == INGEST)
