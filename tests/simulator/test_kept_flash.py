"""The flash that forgets nothing that was emitted, and takes nothing without power."""

from pathlib import Path

import pytest

from weldgate_simulator.kept_flash import KeptFlash


def test_erased_ring_sector_is_kept() -> None:
    """What stood in it is in the image, behind the partition."""
    flash = KeptFlash(sectors=4)
    flash.program(4096, b"WGS1 and so on")

    flash.erase(1)

    image = flash.image()
    assert len(image) == 5 * 4096
    assert image[4096 : 2 * 4096] == b"\xff" * 4096
    assert image[4 * 4096 :].startswith(b"WGS1 and so on")


def test_other_sectors_are_not_kept() -> None:
    """Objects and the log are no emitted records."""
    flash = KeptFlash(sectors=4)
    flash.program(0, b"WGO1")

    flash.erase(0)

    assert len(flash.image()) == 4 * 4096


def test_without_power_nothing_is_written(tmp_path: Path) -> None:
    """A program or an erase that comes too late leaves the flash as it was."""
    flash = KeptFlash(sectors=4)
    flash.program(0, b"\x0f")
    flash.off = True

    for late in (lambda: flash.program(1, b"\x00"), lambda: flash.erase(0)):
        with pytest.raises(OSError, match="no power"):
            late()

    flash.save(tmp_path / "1.flash")
    assert (tmp_path / "1.flash").read_bytes() == b"\x0f" + b"\xff" * (4 * 4096 - 1)
