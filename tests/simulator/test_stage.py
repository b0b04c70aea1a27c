"""What the stage lays out before anything runs."""

from pathlib import Path

from weldgate_collector import list_chips
from weldgate_issuer import Issuer
from weldgate_simulator.stage import FIRST_DEVICE, Stage


def test_every_chip_is_known_to_the_collector(tmp_path: Path) -> None:
    """The interpreter's and the fleet's, and nobody else."""
    stage = Stage(tmp_path, 3, 1, 1, 1, None)

    known = {int(device) for device, _ in list_chips(stage.line.chips_file)}

    assert known == {FIRST_DEVICE, *stage.devices}
    assert len(known) == 4


def test_site_can_be_opened_by_others(tmp_path: Path) -> None:
    """The fleet's process derives the same keys from it."""
    stage = Stage(tmp_path, 1, 1, 1, 1, None)
    device = stage.device.to_bytes(8, "big")

    assert Issuer.open(stage.site).chip_secrets(device).up == stage.issuer.chip_secrets(device).up


def test_draws_repeat_with_the_seed(tmp_path: Path) -> None:
    """The same seed brings the same welders."""
    stages = [Stage(tmp_path / str(n), 1, seed, 1, 1, None) for n, seed in enumerate((5, 5, 6))]

    drawn = [stage.holder() for stage in stages]

    assert drawn[0] == drawn[1] != drawn[2]
