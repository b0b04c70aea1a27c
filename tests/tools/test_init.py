"""`weldgate init`: what it makes, what it leaves alone."""

import json
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from weldgate_collector import check, list_chips, load_config
from weldgate_firmware.app import load_identity
from weldgate_firmware.storage import PARTITION_SECTORS, Storage
from weldgate_issuer import Issuer, read_backup
from weldgate_protocol.cose import ES256, SM2_SM3
from weldgate_protocol.errors import LocalError, WeldgateError
from weldgate_protocol.reasons import TOOL_BAD_INPUT, TOOL_EXISTS
from weldgate_simulator.flash import VirtualFlash
from weldgate_tools.site import Site

Run = Callable[..., Result]


def test_site_is_complete_and_closed_to_others(run: Run, tmp_path: Path) -> None:
    """Keys, configuration, chips and flash; secrets are the owner's alone."""
    folder = tmp_path / "county"
    result = run("init", folder, "--chips", 2, "--port", 17460)
    site = Site(folder)

    assert result.exit_code == 0, result.output
    assert load_config(site.config).tcp is not None
    assert len(list_chips(site.chips_file)) == 2
    assert any("2 chips" in line for line in check(site.config))
    for path in [site.key, site.chips_file, site.config, *site.images.glob("*.flash"), *site.issuer.glob("*.pem")]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert "weldgate serve" in result.stderr


def test_site_may_sign_by_sm2(run: Run, tmp_path: Path) -> None:
    """The suite is that of every issuer key; the root keys stay with ES256, and so does a site that did not ask."""
    for name, more in (("sm2", ("--suite", "sm2")), ("plain", ())):
        result = run("init", tmp_path / name, "--chips", 0, *more)
        assert result.exit_code == 0, result.exception

    algs = {name: {key.alg for key in Issuer.open(tmp_path / name / "issuer").keys} for name in ("sm2", "plain")}

    assert algs == {"sm2": {SM2_SM3}, "plain": {ES256}}
    assert {root.alg for root in Issuer.open(tmp_path / "sm2" / "issuer").roots.values()} == {ES256}


def test_demo_chip_is_born_with_the_sites_keys(run: Run, tmp_path: Path) -> None:
    """The flash holds the identity that the issuer derives, and where to call."""
    run("init", tmp_path / "s", "--chips", 1, "--port", 17460)
    image = next((tmp_path / "s" / "chips").glob("*.flash"))
    flash = VirtualFlash(PARTITION_SECTORS, data=bytearray(image.read_bytes()))

    identity = load_identity(Storage(flash, lambda count: bytes(count)))

    assert identity.k_up == Issuer.open(tmp_path / "s" / "issuer").chip_secrets(identity.device).up
    assert identity.port == 17460


def test_nothing_is_overwritten(run: Run, tmp_path: Path) -> None:
    """A second init changes nothing and says what stands in its way."""
    run("init", tmp_path / "s")
    before = {path: path.read_bytes() for path in (tmp_path / "s").rglob("*") if path.is_file()}

    result = run("init", tmp_path / "s")

    assert isinstance(result.exception, LocalError)
    assert result.exception.code == TOOL_EXISTS
    assert before == {path: path.read_bytes() for path in (tmp_path / "s").rglob("*") if path.is_file()}


def test_backup_brings_the_keys_back(run: Run, tmp_path: Path) -> None:
    """What the backup holds signs what the site signs."""
    (tmp_path / "phrase").write_text("a long enough phrase\n")
    arguments = ["--backup", tmp_path / "b", "--passphrase-file", tmp_path / "phrase", "--json"]
    result = run("init", tmp_path / "s", *arguments)

    restored = read_backup(tmp_path / "b", "a long enough phrase")

    assert json.loads(result.stdout)["backup"] == str(tmp_path / "b")
    assert restored.root_secret == Issuer.open(tmp_path / "s" / "issuer").root_secret
    again = run("init", tmp_path / "other", *arguments)
    assert isinstance(again.exception, LocalError)
    assert not (tmp_path / "other").exists()


def test_passphrase_is_asked_twice(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the terminal, hidden, twice the same."""
    monkeypatch.setattr("weldgate_tools.init._at_terminal", lambda: True)
    phrase = "a long enough phrase\n"
    result = run("init", tmp_path / "s", "--backup", tmp_path / "b", input=phrase * 2)

    assert result.exit_code == 0, result.output
    assert read_backup(tmp_path / "b", phrase.strip())


@pytest.mark.parametrize("option", ["--backup", "--restore"])
def test_passphrase_without_a_terminal_is_one_sentence(tmp_path: Path, option: str) -> None:
    """Nobody can be asked: what to do is told in one line, nothing is read from the pipe, nothing is made."""
    if option == "--restore":
        (tmp_path / "b").write_bytes(b"sealed")
    command = [sys.executable, "-m", "weldgate_tools.cli", "init", "s", option, "b"]

    done = subprocess.run(
        command,
        cwd=tmp_path,
        input="a long enough phrase\n" * 2,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 4
    assert done.stderr.startswith(f"error {TOOL_BAD_INPUT}: ")
    assert "--passphrase-file" in done.stderr
    assert "Warning" not in done.stderr
    assert not (tmp_path / "s").exists()


def test_empty_passphrase_file(run: Run, tmp_path: Path) -> None:
    """An empty file is no passphrase."""
    (tmp_path / "phrase").touch()
    result = run("init", tmp_path / "s", "--backup", tmp_path / "b", "--passphrase-file", tmp_path / "phrase")

    assert isinstance(result.exception, LocalError)
    assert result.exception.code == TOOL_BAD_INPUT


def test_site_is_restored_from_its_backup(run: Run, tmp_path: Path) -> None:
    """The same keys in another folder; chips in the field go on with them."""
    (tmp_path / "phrase").write_text("a long enough phrase\n")
    phrase = ["--passphrase-file", tmp_path / "phrase"]
    run("init", tmp_path / "s", "--backup", tmp_path / "b", *phrase)

    result = run("init", tmp_path / "again", "--restore", tmp_path / "b", *phrase)

    assert result.exit_code == 0, result.output
    first, second = (Issuer.open(tmp_path / name / "issuer") for name in ("s", "again"))
    assert second.root_secret == first.root_secret
    assert second.root_publics == first.root_publics
    assert run("init", tmp_path / "x", "--restore", tmp_path / "b", "--backup", tmp_path / "c").exit_code == 2


@pytest.mark.parametrize("arguments", [["--name", 'a"b'], ["--name", "x" * 33], ["--area", "1" * 40]])
def test_wrong_value_makes_nothing(run: Run, tmp_path: Path, arguments: list[str]) -> None:
    """What the configuration or the keys can't hold is told before anything is there."""
    result = run("init", tmp_path / "s", *arguments)

    assert isinstance(result.exception, WeldgateError)
    assert not (tmp_path / "s").exists()


def test_short_passphrase_leaves_no_half_a_site(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second try with a longer one finds nothing in its way."""
    monkeypatch.setattr("weldgate_tools.init._at_terminal", lambda: True)
    arguments = ["init", tmp_path / "s", "--backup", tmp_path / "b"]
    assert isinstance(run(*arguments, input="short\nshort\n").exception, WeldgateError)

    assert run(*arguments, input="a long enough phrase\n" * 2).exit_code == 0


@pytest.mark.parametrize("arguments", [["--chips", -1], ["--port", 0], ["--port", 70000]])
def test_bad_input_is_wrong_usage(run: Run, tmp_path: Path, arguments: list[object]) -> None:
    """Ranges are told before anything is made."""
    assert run("init", tmp_path / "s", *arguments).exit_code == 2
    assert not (tmp_path / "s").exists()
