"""The detector's arithmetic stays within the chip's small integers, which only a 31-bit count can show."""

from array import array
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weldgate_firmware.meter import AC_RMS, DC_MEAN, Meter, SensorProfile, ac_ct_100a, dc_hall_1000a
from weldgate_firmware.sense import ARC_STRUCK, Sense

SMALL = 1 << 30  # MicroPython on 32 bits: a small integer holds -2^30 .. 2^30 - 1; anything larger is on the heap


class Narrow(int):
    """An integer that fails when a result needs the heap on the chip, and makes its results narrow too."""


def _narrow(name: str) -> Callable[..., Any]:
    """Return the operation `name` of int with a narrow result."""
    plain = getattr(int, name)

    def operation(self: int, *others: int) -> Any:
        result = plain(self, *others)
        if result is NotImplemented:
            return result
        if not -SMALL <= result < SMALL:
            raise OverflowError(f"{name} of {int(self)} and {[int(other) for other in others]} is {result}")
        return Narrow(result)

    return operation


for _name in ("add", "sub", "mul", "floordiv", "mod", "rshift", "lshift"):
    for _side in ("__%s__", "__r%s__"):
        setattr(Narrow, _side % _name, _narrow(_side % _name))
setattr(Narrow, "__neg__", _narrow("__neg__"))  # noqa: B010 - like its fellows


def extremes() -> list[SensorProfile]:
    """Return the shipped profiles and those at the edges of what a profile may be."""
    edges = [
        SensorProfile(mode=mode, bias=bias, gain=32767, on_ma=30000, samples_per_tick=31, rail_low=0, rail_high=4095)
        for mode in (AC_RMS, DC_MEAN)
        for bias in (1, 2048, 4094)
    ]
    return [dc_hall_1000a(), ac_ct_100a(), *edges]


def feed(detector: Sense, samples: list[int]) -> int:
    """Feed samples as narrow integers and return what happened."""
    narrow = cast("array[int]", [Narrow(sample) for sample in samples])
    return detector.feed(narrow, len(samples), True)


def test_narrow_integers_catch_an_overflow() -> None:
    """The instrument works: a product that needs 31 bits is caught, from either side."""
    with pytest.raises(OverflowError):
        Narrow(1 << 15) * (1 << 15)
    with pytest.raises(OverflowError):
        (1 << 29) + Narrow(1 << 29)
    assert type(-Narrow(5) + 3) is Narrow


@pytest.mark.parametrize("number", range(len(extremes())))
def test_longest_swings_need_no_heap(number: int) -> None:
    """Square waves of every duty from rail to rail, two seconds each, overflow nowhere and do strike."""
    profile = extremes()[number]
    size = profile.samples_per_tick * 2
    happened = 0
    for low in range(0, size + 1, 3):
        detector = Sense(Meter(profile))
        for _ in range(20):
            happened |= feed(detector, [0] * low + [65535] * (size - low))

    assert happened & ARC_STRUCK


@given(
    number=st.integers(0, len(extremes()) - 1),
    samples=st.lists(st.one_of(st.sampled_from([0, 65535]), st.integers(0, 65535)), max_size=400),
)
def test_any_samples_need_no_heap(number: int, samples: list[int]) -> None:
    """Whatever the samples and the profile, no intermediate value leaves the small integers."""
    detector = Sense(Meter(extremes()[number]))

    feed(detector, samples)

    assert 0 <= detector.current_ma < SMALL
