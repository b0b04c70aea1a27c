"""Writing a plan, whole or not at all, and taking a load back."""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext_lazy as _

from weldgate_platform.accounts.models import User
from weldgate_platform.audit.log import record
from weldgate_platform.sealed import open_sealed, seal
from weldgate_platform.sheets.models import Change, Load
from weldgate_platform.sheets.target import RowFault, Target

__all__ = ["apply", "undo"]

_BATCH = 500  # rows a statement
_UPDATE_BATCH = 200  # an update names every row and field: larger ones cost more to build than they save
_COLUMN = "sheets.Change.before"


def apply(load: Load, target: Target, by: User) -> None:
    """Write what a dry run planned, in one transaction with the list of what was changed.

    Args:
        load: the checked load; becomes applied.
        target: fresh from `checking.check`, without a bad row.
        by: who decided it.
    """
    with transaction.atomic():
        changes: list[Change] = []
        for model in target.models:
            made = [one for one in target.plan.made if isinstance(one, model)]
            model._default_manager.bulk_create(made, batch_size=_BATCH)
            changes += [Change(load=load, model=model._meta.label, object=one.pk) for one in made]
        for one, before in target.plan.changed.items():
            sealed = seal(json.dumps(before, cls=DjangoJSONEncoder).encode(), _COLUMN)
            changes.append(Change(load=load, model=one._meta.label, object=one.pk, before=sealed))
        for (model, names), rows in _grouped(target).items():
            model._default_manager.bulk_update(rows, names, batch_size=_UPDATE_BATCH)
        Change.objects.bulk_create(changes, batch_size=_BATCH)
        load.state, load.content = Load.State.APPLIED, b""
        load.save(update_fields=["state", "content"])
        record(by, "sheet.apply", load, file=load.file_name, sha256=load.digest, counts=load.counts)


def undo(load: Load, by: User) -> None:
    """Take an applied load back: what it made is deleted, what it changed is as it was.

    Raises:
        RowFault: a later load touched the same rows, or something else refers to them by now; nothing is undone.
    """
    with transaction.atomic():
        load = Load.objects.select_for_update().get(pk=load.pk)
        if load.state != Load.State.APPLIED:
            raise RowFault("", _("It was not applied, or was taken back already."))
        own = load.changes.values("model", "object")
        later = Change.objects.filter(load__pk__gt=load.pk, load__state=Load.State.APPLIED)
        touched = {(one["model"], one["object"]) for one in own} & set(later.values_list("model", "object"))
        if touched:
            raise RowFault("", _("A later load changed the same rows: take that one back first."))
        made: dict[str, list[int]] = defaultdict(list)
        for change in load.changes.order_by("-pk").iterator(_BATCH):
            if change.before is None:
                made[change.model].append(change.object)
            else:
                _restore(change)
        try:
            for label in made:  # the order of making, backwards: what refers goes before what it refers to
                for part in _parts(made[label]):
                    apps.get_model(label)._default_manager.filter(pk__in=part).delete()
        except ProtectedError as error:
            raise RowFault("", _("Something else refers to what it made: an install record, a role.")) from error
        load.state = Load.State.UNDONE
        load.save(update_fields=["state"])
        record(by, "sheet.undo", load, file=load.file_name, sha256=load.digest)


def _grouped(target: Target) -> dict[tuple[type[models.Model], tuple[str, ...]], list[Any]]:
    """Return changed objects by their model and the fields that changed."""
    groups: dict[tuple[type[models.Model], tuple[str, ...]], list[Any]] = defaultdict(list)
    for one, before in target.plan.changed.items():
        names = tuple(sorted(one._meta.get_field(name).name for name in before))
        groups[type(one), names].append(one)
    return groups


def _restore(change: Change) -> None:
    model = apps.get_model(change.model)
    before = json.loads(open_sealed(bytes(change.before or b""), _COLUMN))
    values = {name: model._meta.get_field(name).to_python(value) for name, value in before.items()}
    model._default_manager.filter(pk=change.object).update(**values)


def _parts(numbers: list[int]) -> Iterable[list[int]]:
    for start in range(0, len(numbers), _BATCH):
        yield numbers[start : start + _BATCH]
