"""Files that are read again by themselves: a bad one is told once, and by the health until it is mended."""

from pathlib import Path

import pytest
import structlog

from weldgate_collector.chips import Chip, Chips, add_chips, write_secret
from weldgate_collector.links.tls import Certificates
from weldgate_collector.renewal import Renewal
from weldgate_simulator.certificates import Authority

CHIP = Chip("7", 0, "ab" * 32, "cd" * 32)


@pytest.mark.parametrize("harm", ["wrong", "missing", "open to others"])
def test_bad_file_of_chips_is_told_once_and_until_it_is_mended(tmp_path: Path, harm: str) -> None:
    """Looked at each second for days, it is one line in the log; what was known stays."""
    path = tmp_path / "chips.jsonl"
    add_chips(path, [CHIP])
    chips = Chips(path)
    renewal = Renewal(chips, None)
    assert renewal.look() is False
    if harm == "wrong":
        write_secret(path, b"{}\n")
    elif harm == "missing":
        path.unlink()
    else:
        path.chmod(0o644)

    with structlog.testing.capture_logs() as told:
        assert [renewal.look() for _ in range(5)] == [False] * 5
    assert [line["event"] for line in told] == ["chips_not_reloaded"]
    assert str(path) in renewal.trouble
    assert len(chips) == 1

    path.unlink(missing_ok=True)
    add_chips(path, [CHIP, Chip("8", 0, "ab" * 32, "cd" * 32)])
    assert renewal.look() is True
    assert (renewal.trouble, len(chips)) == ("", 2)


def test_mode_alone_mends_it(tmp_path: Path) -> None:
    """Nothing but the mode changed, and that is seen."""
    path = tmp_path / "chips.jsonl"
    add_chips(path, [CHIP])
    renewal = Renewal(Chips(path), None)
    path.chmod(0o644)
    renewal.look()
    assert renewal.trouble

    path.chmod(0o600)
    renewal.look()

    assert renewal.trouble == ""


def test_certificate_that_does_not_fit_is_told_until_it_does(tmp_path: Path) -> None:
    """Key and certificate are written one after the other; in between the old pair serves, and that is said."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("collector")
    certificates = Certificates(certificate, key)
    renewal = Renewal(Chips(_chips(tmp_path)), certificates)
    before = certificates.context
    text = key.read_text("utf-8")
    key.write_text("no key", "utf-8")

    renewal.look()
    assert str(key) in certificates.trouble
    assert certificates.context is before

    key.write_text(text, "utf-8")
    renewal.look()
    assert certificates.trouble == ""
    assert certificates.context is not before


def _chips(folder: Path) -> Path:
    add_chips(folder / "chips.jsonl", [CHIP])
    return folder / "chips.jsonl"
