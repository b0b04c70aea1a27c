"""Fitting a chip to a machine and taking it off: the two acts that write install records."""

from datetime import datetime

from django.db import transaction

from weldgate_platform.accounts.models import User
from weldgate_platform.audit.log import record
from weldgate_platform.registry.models import Chip, Install, Machine
from weldgate_protocol import reasons
from weldgate_protocol.errors import LocalError

__all__ = ["FittingError", "fit", "take_off"]


class FittingError(LocalError):
    """A chip or a machine that cannot be fitted as it is; `code` is a number of the register."""


def fit(chip: Chip, machine: Machine, by: User, at: datetime, seal_number: str = "") -> Install:
    """Put a chip on a machine.

    Args:
        chip: from stock.
        machine: in use, with a gate and without a chip.
        by: the installer.
        at: when.
        seal_number: of the lead seal, where there is one.

    Raises:
        FittingError: PLATFORM_MACHINE_OUT_OF_USE; PLATFORM_NOT_FITTABLE, either side has its counterpart already, or
            the machine has nothing to switch.
    """
    with transaction.atomic():
        chip = Chip.objects.select_for_update().get(pk=chip.pk)
        machine = Machine.objects.select_for_update().get(pk=machine.pk)
        if machine.status == Machine.Status.RETIRED:
            raise FittingError(reasons.PLATFORM_MACHINE_OUT_OF_USE, f"machine {machine.code} is out of use")
        if machine.gate == Machine.Gate.NONE:
            raise FittingError(reasons.PLATFORM_NOT_FITTABLE, f"machine {machine.code} has nothing to switch")
        if chip.state != Chip.State.STOCK:
            raise FittingError(reasons.PLATFORM_NOT_FITTABLE, f"chip {chip} is {chip.state}, only one in stock can be")
        if machine.install_now() is not None:
            raise FittingError(reasons.PLATFORM_NOT_FITTABLE, f"machine {machine.code} has a chip")
        done = Install.objects.create(chip=chip, machine=machine, fitted=at, fitted_by=by, seal_number=seal_number)
        chip.state = Chip.State.FITTED
        chip.save(update_fields=["state"])
        record(by, "chip.fit", machine, chip=str(chip), seal=seal_number)
    return done


def take_off(install: Install, by: User, at: datetime, reason: str, state: Chip.State = Chip.State.STOCK) -> None:
    """Take a chip off its machine.

    Args:
        install: the record that ends.
        by: who takes it off.
        at: when.
        reason: why; the registry keeps no removal without one.
        state: what becomes of the chip.

    Raises:
        FittingError: PLATFORM_NOT_FITTABLE, it was taken off before, or no reason is given.
    """
    with transaction.atomic():
        install = Install.objects.select_for_update().get(pk=install.pk)
        if install.removed is not None or not reason.strip():
            raise FittingError(reasons.PLATFORM_NOT_FITTABLE, "taken off already" if reason.strip() else "no reason")
        install.removed, install.removed_by, install.reason = at, by, reason.strip()
        install.save(update_fields=["removed", "removed_by", "reason"])
        Chip.objects.filter(pk=install.chip_id).update(state=state)
        record(by, "chip.take-off", install.machine, chip=str(install.chip), reason=reason.strip())
