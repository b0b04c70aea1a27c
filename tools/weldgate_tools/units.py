"""What people type and read: durations, times of day in Asia/Shanghai, chip numbers."""

import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

__all__ = ["CHIP", "DURATION", "MOMENT", "device_bytes", "device_text", "moment_text", "seconds_text"]

ZONE = ZoneInfo("Asia/Shanghai")
_DURATION = re.compile(r"(\d+)\s*(s|m|h|d)?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, None: 1}
_DEVICE_MAX = (1 << 63) - 1
_MOMENT_MAX_S = 0xFFFFFFFF  # a frame's time has 32 bits (SPEC section 3)
_DURATION_MAX_S = 100 * 366 * 86400  # beyond it somebody slipped on a key


class _Duration(click.ParamType[int]):
    """`90`, `90s`, `30m`, `8h`, `3d` -> seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return seconds."""
        if isinstance(value, int):
            return value
        match = _DURATION.fullmatch(str(value).strip())
        if match is None:
            self.fail(f"{value!r} is no duration; write 90s, 30m, 8h or 3d", param, ctx)
        seconds = int(match[1]) * _SECONDS[match[2]]
        if seconds > _DURATION_MAX_S:
            self.fail(f"{value!r} is longer than 100 years", param, ctx)
        return seconds


class _Moment(click.ParamType[int]):
    """`2026-11-24`, `2026-11-24T08:00` (Asia/Shanghai), Unix seconds, or `2h` for two hours ago -> Unix seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return Unix seconds."""
        if isinstance(value, int):
            return value
        found = _moment(str(value).strip())
        if found is None:
            self.fail(f"{value!r} is no time; write 2026-11-24, 2026-11-24T08:00, Unix seconds, or 2h", param, ctx)
        if not 0 <= found <= _MOMENT_MAX_S:
            self.fail(f"{value!r} is not between 1970 and 2106", param, ctx)
        return found


def _moment(text: str) -> int | None:
    """Return the Unix seconds that a text means, None when it means none."""
    match = _DURATION.fullmatch(text)
    if match is not None:
        if match[2] is None:
            return int(text)
        return int(datetime.now(UTC).timestamp()) - int(match[1]) * _SECONDS[match[2]]
    try:
        found = datetime.fromisoformat(text)
        return int((found if found.tzinfo else found.replace(tzinfo=ZONE)).timestamp())
    except (ValueError, OverflowError):  # year 1, west of Greenwich: before what a datetime can say
        return None


class _Chip(click.ParamType[bytes]):
    """A chip's number as decimal text -> 8 bytes."""

    name = "chip"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """Return the id's 8 bytes."""
        if isinstance(value, bytes):
            return value
        device = device_bytes(str(value))
        if device is None:
            self.fail(f"{value!r} is no chip number; decimal digits, at most 2^63 - 1", param, ctx)
        return device


DURATION = _Duration()
MOMENT = _Moment()
CHIP = _Chip()


def device_bytes(text: str) -> bytes | None:
    """Return a chip's 8 bytes from its decimal text, None when it is none."""
    if not text.isascii() or not text.isdigit() or int(text) > _DEVICE_MAX:
        return None
    return int(text).to_bytes(8, "big")


def device_text(device: bytes | int) -> str:
    """Return a chip's number as text, which JSON carries unharmed."""
    return str(device if isinstance(device, int) else int.from_bytes(device, "big"))


def moment_text(unix_s: float, milliseconds: bool = False) -> str:
    """Return a time in Asia/Shanghai, `2026-11-24T16:00:00+08:00`; beyond the year 9999 its Unix seconds."""
    try:
        return datetime.fromtimestamp(unix_s, ZONE).isoformat(timespec="milliseconds" if milliseconds else "seconds")
    except (ValueError, OverflowError, OSError):
        return f"{unix_s:.0f} s"


def seconds_text(seconds: float) -> str:
    """Return a duration for people: `2 h 05 min`, `3 min 20 s`, `10.98 s`."""
    if seconds < 60:
        return f"{seconds:g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
