"""One chip, one machine, one code at a time; the past is kept."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from weldgate_platform.accounts.roles import Role
from weldgate_platform.audit.models import Entry
from weldgate_platform.registry.fitting import FittingError, fit, take_off
from weldgate_platform.registry.models import Chip, Install, Machine
from weldgate_protocol import reasons

NOW = timezone.now()


def test_chip_is_fitted_once(county, fitted) -> None:
    """Neither on a second machine nor a second one on this; the log has the first."""
    installer, spare = county.user(Role.INSTALLER), Chip.objects.create(device=0x11)

    for chip, machine in ((fitted.chip, county.there.machine), (spare, county.here.machine)):
        with pytest.raises(FittingError) as caught:
            fit(chip, machine, installer, NOW)
        assert caught.value.code == reasons.PLATFORM_NOT_FITTABLE
    assert Entry.objects.filter(action="chip.fit").count() == Install.objects.count() == 1
    assert Machine.objects.fitted().get() == county.here.machine


def test_database_itself_holds_one_to_one(county, fitted) -> None:
    """Whatever writes it."""
    for chip, machine in ((fitted.chip, county.there.machine), (Chip.objects.create(device=1), county.here.machine)):
        with pytest.raises(IntegrityError), transaction.atomic():
            Install.objects.create(chip=chip, machine=machine, fitted_by=fitted.fitted_by)


def test_taken_off_chip_can_be_fitted_again_and_the_history_stays(county, fitted) -> None:
    """Only with a reason, and only once."""
    installer = fitted.fitted_by
    with pytest.raises(FittingError):
        take_off(fitted, installer, timezone.now(), " ")
    take_off(fitted, installer, timezone.now(), "更换机器")
    with pytest.raises(FittingError):
        take_off(fitted, installer, timezone.now(), "更换机器")

    again = fit(fitted.chip, county.there.machine, installer, timezone.now())

    assert [one.machine for one in fitted.chip.installs.order_by("fitted")] == [county.here.machine, again.machine]
    assert Machine.objects.fitted().get() == county.there.machine


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"status": "retired"}, reasons.PLATFORM_MACHINE_OUT_OF_USE),
        ({"gate": "none", "supply": "engine"}, reasons.PLATFORM_NOT_FITTABLE),
    ],
)
def test_machine_that_takes_no_chip(county, change, code: int) -> None:
    """Out of use, or nothing to switch."""
    Machine.objects.filter(pk=county.here.machine.pk).update(**change)

    with pytest.raises(FittingError) as caught:
        fit(Chip.objects.create(device=1), county.here.machine, county.user(Role.INSTALLER), NOW)

    assert caught.value.code == code


@pytest.mark.parametrize("change", [{"supply": "engine"}, {"supply": "battery"}, {"process": "gas"}])
def test_what_has_no_mains_has_no_gate(county, change) -> None:
    """Gas, engine and battery machines are in the registry, with a gate of none."""
    with pytest.raises(IntegrityError), transaction.atomic():
        Machine.objects.filter(pk=county.here.machine.pk).update(**change)

    Machine.objects.filter(pk=county.here.machine.pk).update(gate="none", **change)
