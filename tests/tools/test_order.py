"""`weldgate order`: what is printed, and what is refused before it is signed; test_collector.py hands orders over."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from weldgate_firmware.config import SETTINGS
from weldgate_protocol import cbor, cose, keyset, messages
from weldgate_protocol import order as orders

Run = Callable[..., Result]
CHIP = 410811001


@pytest.fixture
def site(run: Run, tmp_path: Path) -> Path:
    """A site that is not served."""
    folder = tmp_path / "site"
    assert run("init", folder, "--chips", 1).exit_code == 0
    return folder


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["release", "00" * 8], orders.RELEASE),
        (["clear-alarm", "11" * 8, "22" * 8], orders.CLEAR_ALARM),
        (["config", "telemetry_s=10", "heartbeat_s=15"], orders.CONFIG),
        (["revoke", "--token", "33" * 8], orders.REVOCATIONS),
        (["planned-removal", "--for", "4h"], orders.PLANNED_REMOVAL),
    ],
)
def test_orders_are_printed_in_hex_or_json(run: Run, site: Path, arguments: list[str], kind: bytes) -> None:
    """What is not sent is printed, whole."""
    plain = run("order", *arguments, "--chip", CHIP, "--site", site)
    found = json.loads(run("order", *arguments, "--chip", CHIP, "--site", site, "--json").stdout)

    assert plain.exit_code == 0, plain.output
    assert bytes.fromhex(plain.stdout.strip())[:1] == b"\x84"
    assert found["bytes"] == len(found["object"]) // 2, kind


def test_key_set_is_signed_anew(run: Run, site: Path) -> None:
    """With a version above the last, and kept for the chips that are born next."""
    before = keyset.decode((site / "key-set.cose").read_bytes()).version
    printed = run("order", "key-set", "--chip", CHIP, "--site", site).stdout.strip()

    assert (site / "key-set.cose").read_bytes().hex() == printed
    assert keyset.decode(bytes.fromhex(printed)).version > before


@pytest.mark.parametrize(("option", "mode"), [("--soft", orders.MODE_SOFT), ("--now", orders.MODE_NOW)])
def test_signed_lock_needs_no_collector(run: Run, site: Path, option: str, mode: int) -> None:
    """It is printed with the id that its release will name."""
    found = json.loads(run("order", "lock", option, "--signed", "--chip", CHIP, "--site", site, "--json").stdout)
    claims = cbor.decode(cose.parse_sign1(bytes.fromhex(found["object"])).payload)

    assert isinstance(claims, dict)
    assert found["type"] == messages.LOCK
    assert claims[23] == mode
    assert isinstance(claims[16], bytes)


@pytest.mark.parametrize(
    "word",
    [
        "nonsense=1",
        "telemetry_s",
        "telemetry_s=x",
        "telemetry_s=0",
        "telemetry_s=99999999",
        "telemetry_s=²",
        "telemetry_s=--5",
        "telemetry_s=-",
    ],
)
def test_settings_are_checked_as_the_chip_would(run: Run, site: Path, word: str) -> None:
    """An unknown name, no number, out of range: wrong usage, with what is allowed."""
    result = run("order", "config", word, "--chip", CHIP, "--site", site)

    assert result.exit_code == 2
    if word.startswith("nonsense"):
        assert SETTINGS[0][1] in result.stderr


@pytest.mark.parametrize("id_", ["xyz", "00", "00" * 9])
def test_ids_are_sixteen_digits(run: Run, site: Path, id_: str) -> None:
    """Anything else is wrong usage."""
    assert run("order", "release", id_, "--chip", CHIP, "--site", site).exit_code == 2
