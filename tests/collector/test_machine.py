"""What the machine gives: limits, memory, disk."""

import os
import resource
from pathlib import Path

from weldgate_collector import machine


def test_limit_of_open_files_bounds_the_connections() -> None:
    """Some are kept for everything else."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1_000, hard))
    try:
        assert machine.connections_allowed() == 1_000 - machine.FILES_SPARE
        assert machine.raise_file_limit() == machine.file_limit() >= 1_000
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_memory_and_disk(tmp_path: Path) -> None:
    """Figures of this process and folder; what is not there counts as nothing."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "file").write_bytes(os.urandom(100_000))

    assert machine.resident_bytes() > 1_000_000
    assert machine.disk_free_bytes(tmp_path) > 0
    assert machine.disk_free_bytes(tmp_path / "none") == 0
    assert machine.store_bytes(tmp_path) >= 0
    assert machine.store_bytes(tmp_path / "none") == 0
