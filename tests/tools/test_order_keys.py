"""`weldgate order key-set` and `rekey`: for all chips and in time; the collector's list before the chip."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from weldgate_collector import read_chips
from weldgate_issuer import Issuer
from weldgate_protocol import cbor, cose, keys, keyset
from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_BAD_INPUT, TOOL_NOT_FOUND

Run = Callable[..., Result]
CHIP = 410811001
DEVICE = CHIP.to_bytes(8, "big")
DAY_S = 86_400


@pytest.fixture
def site(run: Run, tmp_path: Path) -> Path:
    """A site of two chips that is not served."""
    folder = tmp_path / "site"
    assert run("init", folder, "--chips", 2).exit_code == 0
    return folder


def end_in(site: Path, days: int) -> None:
    """Let the site's key set end so many days from now."""
    issuer = Issuer.open(site / "issuer")
    data = issuer.issue_key_set(issued_s=int(time.time()), life_s=days * DAY_S + 3600)
    (site / "key-set.cose").write_bytes(data)


def test_a_set_is_signed_anew_only_when_it_is_due(run: Run, site: Path) -> None:
    """61 days before its end nothing happens, 60 days before it a new set is signed and kept."""
    end_in(site, 61)
    before = (site / "key-set.cose").read_bytes()
    early = run("order", "key-set", "--all", "--due", "60d", "--site", site)
    assert (early.exit_code, early.stdout) == (0, "")
    assert "61 days left" in early.stderr
    assert (site / "key-set.cose").read_bytes() == before

    end_in(site, 59)
    due = run("order", "key-set", "--all", "--due", "60d", "--site", site)
    now = keyset.decode((site / "key-set.cose").read_bytes())

    assert due.exit_code == 0
    assert due.stdout.strip() == (site / "key-set.cose").read_bytes().hex()
    assert now.expires_s > time.time() + 300 * DAY_S


def test_it_says_for_whom(run: Run, site: Path) -> None:
    """One chip or all of them, not neither and not both; a list without chips is told."""
    assert run("order", "key-set", "--site", site).exit_code == 2
    assert run("order", "key-set", "--site", site, "--all", "--chip", CHIP).exit_code == 2
    (site / "chips.jsonl").write_text("")
    result = run("order", "key-set", "--site", site, "--all")

    assert isinstance(result.exception, LocalError)
    assert result.exception.code == TOOL_NOT_FOUND


def rekeyed(run: Run, site: Path) -> dict[int, object]:
    """Rekey the chip and return the order's claims."""
    result = run("order", "rekey", "--chip", CHIP, "--site", site, "--json")
    assert result.exit_code == 0, result.output
    claims = cbor.decode(cose.parse_sign1(bytes.fromhex(json.loads(result.stdout)["object"])).payload)
    assert isinstance(claims, dict)
    return claims  # type: ignore[return-value]


def test_rekey_brings_the_next_generation(run: Run, site: Path) -> None:
    """M-KEY-04, M-KEY-05: the order holds the next keys, wrapped; the list holds both generations of them."""
    issuer = Issuer.open(site / "issuer")
    old, new = issuer.chip_secrets(DEVICE, 0), issuer.chip_secrets(DEVICE, 1)
    claims = rekeyed(run, site)
    held = next(chip for chip in read_chips(site / "chips.jsonl") if chip.device == str(CHIP))
    order_id, wrapped = claims[7], claims[9]
    assert isinstance(order_id, bytes)
    assert isinstance(wrapped, bytes)

    assert claims[18] == 1
    assert keys.unwrap(old.seal, order_id, 1, wrapped) == new.up + new.down + new.seal
    assert (held.generation, held.up, held.down) == (1, new.up.hex(), new.down.hex())
    assert (held.previous_up, held.previous_down) == (old.up.hex(), old.down.hex())


def test_rekey_waits_until_the_one_before_is_done(run: Run, site: Path) -> None:
    """Between two generations another is refused; once the old keys are forgotten it goes on."""
    rekeyed(run, site)
    again = run("order", "rekey", "--chip", CHIP, "--site", site)
    assert isinstance(again.exception, LocalError)
    assert again.exception.code == TOOL_BAD_INPUT

    assert "generation 1 alone" in run("order", "rekey", "--forget", "--chip", CHIP, "--site", site).output
    held = next(chip for chip in read_chips(site / "chips.jsonl") if chip.device == str(CHIP))
    assert (held.generation, held.previous_up, held.previous_down) == (1, "", "")
    assert (
        json.loads(run("order", "rekey", "--forget", "--chip", CHIP, "--site", site, "--json").stdout)["generation"]
        == 1
    )
    assert rekeyed(run, site)[18] == 2


def test_rekey_of_an_unknown_chip(run: Run, site: Path) -> None:
    """A chip that the list does not name is told, and nothing is signed."""
    result = run("order", "rekey", "--chip", 5, "--site", site)

    assert isinstance(result.exception, LocalError)
    assert result.exception.code == TOOL_NOT_FOUND
