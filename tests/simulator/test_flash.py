"""The virtual flash does what NOR flash does, and breaks as it breaks."""

from pathlib import Path

import pytest

from weldgate_simulator.flash import ERASE_MS, PROGRAM_MS, FileFlash, PowerCut, VirtualFlash


def test_program_clears_bits_and_sets_none() -> None:
    """A program is an AND; bits it was asked to set are counted as lost."""
    flash = VirtualFlash(1, 64)
    flash.program(0, b"\xf0\x0f")
    flash.program(0, b"\x3c\x0f")

    assert bytes(flash.data[:3]) == b"\x30\x0f\xff"
    assert (flash.lost_bits, flash.programs, flash.programmed_bytes) == (1, 2, 4)


def test_erase_sets_one_sector_and_is_counted() -> None:
    """An erase sets its sector to FF, no other, and wear is counted a sector."""
    flash = VirtualFlash(3, 64, bytearray(192))
    flash.erase(1)

    assert bytes(flash.data) == bytes(64) + b"\xff" * 64 + bytes(64)
    assert flash.erases == [0, 1, 0]


def test_each_operation_is_charged_to_the_clock() -> None:
    """A program blocks for 3 ms and an erase for 400 ms, also when it fails."""
    spent: list[int] = []
    flash = VirtualFlash(2, 64, charge=spent.append)
    flash.program(0, b"\0")
    flash.erase(0)
    flash.broken = [1]
    with pytest.raises(OSError, match="5"):
        flash.erase(1)

    assert spent == [PROGRAM_MS, ERASE_MS, ERASE_MS]


def test_cut_in_a_program_leaves_whole_half_and_untouched_bytes() -> None:
    """Bytes before the cut are programmed, the one at the cut holds some of its zeros, those behind none."""
    for seed in range(50):
        flash = VirtualFlash(1, 64, seed=seed)
        flash.cut_after(2)
        with pytest.raises(PowerCut):
            flash.program(0, b"\x12\x34\x56\x78")

        assert bytes(flash.data[:2]) == b"\x12\x34"
        assert flash.data[2] & 0x56 == 0x56
        assert flash.data[3] == 0xFF


def test_cut_in_an_erase_leaves_part_of_the_sector() -> None:
    """Quarters before the cut are FF, the one at the cut is anything, those behind are as they were."""
    seen = set()
    for seed in range(20):
        flash = VirtualFlash(1, 64, bytearray(64), seed=seed)
        flash.cut_after(1)
        with pytest.raises(PowerCut):
            flash.erase(0)

        assert bytes(flash.data[:16]) == b"\xff" * 16
        assert bytes(flash.data[32:]) == bytes(32)
        seen.add(bytes(flash.data[16:32]))
    assert len(seen) == 20


def test_same_seed_breaks_alike() -> None:
    """Two flashes with one seed are left with the same bytes by the same cut."""
    left = []
    for _ in range(2):
        flash = VirtualFlash(1, 64, bytearray(64), seed=5)
        flash.cut_after(2)
        with pytest.raises(PowerCut):
            flash.erase(0)
        left.append(bytes(flash.data))

    assert left[0] == left[1]


def test_failures_are_raised_and_end() -> None:
    """The next so many operations fail, then flash works again."""
    flash = VirtualFlash(1, 64)
    flash.fail_programs = flash.fail_erases = 1
    with pytest.raises(OSError, match="5"):
        flash.program(0, b"\0")
    with pytest.raises(OSError, match="5"):
        flash.erase(0)
    flash.erase(0)
    flash.program(0, b"\0")

    assert flash.data[0] == 0


def test_outside_is_an_error() -> None:
    """Reads, programs and erases outside the partition are errors, not other bytes."""
    flash = VirtualFlash(1, 64)
    with pytest.raises(OSError, match="5"):
        flash.read(60, bytearray(5))
    with pytest.raises(OSError, match="5"):
        flash.program(-1, b"\0")
    with pytest.raises(OSError, match="5"):
        flash.erase(1)


def test_file_keeps_what_every_operation_left(tmp_path: Path) -> None:
    """What was programmed, erased or cut stands in the file, and the next opening finds it."""
    path = tmp_path / "flash.bin"
    flash = FileFlash(str(path), 2, 64)
    flash.program(3, b"\x55")
    flash.cut_after(1)
    with pytest.raises(PowerCut):
        flash.program(70, b"\x11\x22\x33")
    flash.close()

    again = FileFlash(str(path), 2, 64)
    assert bytes(again.data) == path.read_bytes() == bytes(flash.data)
    assert (again.data[3], again.data[70], again.data[72]) == (0x55, 0x11, 0xFF)
    again.close()


def test_file_of_another_size_is_refused(tmp_path: Path) -> None:
    """A file that is no such flash is not overwritten."""
    path = tmp_path / "flash.bin"
    path.write_bytes(b"something else")

    with pytest.raises(OSError, match="14 bytes, a flash of 128 was wanted"):
        FileFlash(str(path), 2, 64)
    assert path.read_bytes() == b"something else"
