"""The support bundle holds what a helper needs, and no key byte, token or secret of the site."""

import base64
import json
import tarfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from click.testing import Result

from weldgate_collector import read_chips, write_secret
from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_BAD_INPUT
from weldgate_tools import bundle
from weldgate_tools.bundle import Scrubber, write_bundle

Run = Callable[..., Result]
PASSWORD = b"correct horse battery"
TOKEN = "WG1:6BFOXN*TS0BI$ZD4QS*0 8LA.36%LC"


def unpacked(path: Path) -> dict[str, bytes]:
    """Return the files of a bundle."""
    with tarfile.open(path) as archive:
        return {
            member.name.removeprefix("weldgate-bundle/"): archive.extractfile(member).read()  # type: ignore[union-attr]
            for member in archive.getmembers()
        }


def secrets_of(site: Path) -> list[bytes]:
    """Return every secret of a site, raw."""
    chips = list(read_chips(site / "chips.jsonl"))
    found = [
        bytes.fromhex(text)
        for chip in chips
        for text in (chip.up, chip.down, chip.previous_up, chip.previous_down)
        if text
    ]
    found.append(bytes.fromhex((site / "collector.key").read_text("ascii").strip()))
    found += [path.read_bytes().strip() for path in (site / "issuer").iterdir() if path.suffix in (".secret", ".pem")]
    return [*found, PASSWORD, TOKEN.encode()]


def test_bundle_of_a_running_site_has_no_secret(
    run: Run, bare_site: Path, running: Callable[[Path], AbstractContextManager[None]], tmp_path: Path
) -> None:
    """Not raw, not as hex in either case, not in base64; though all of them stand in the site's log."""
    config = bare_site / "collector.toml"
    config.write_text(f"# password: {PASSWORD.decode()}\n" + config.read_text("utf-8"), "utf-8")
    config.write_text(
        config.read_text("utf-8") + '\n[[upstream]]\nname = "p"\nport = 9\npassword_file = "p.secret"\n', "utf-8"
    )
    write_secret(bare_site / "p.secret", PASSWORD + b"\n")
    hidden = secrets_of(bare_site)
    lines = [
        form for secret in hidden for form in (secret.hex(), secret.hex().upper(), secret.decode("utf-8", "ignore"))
    ]
    (bare_site / "collector.log").write_text("started\n" + "\n".join(lines) + "\nended\n", "utf-8")
    target = tmp_path / "help.tar.gz"
    with running(bare_site):
        result = run("collector", "bundle", target, bare_site)

    assert result.exit_code == 0, result.output
    assert target.stat().st_mode & 0o777 == 0o600
    files = unpacked(target)
    assert json.loads(files["status.json"])["store"] == "ok"
    assert b"weldgate_uptime_seconds" in files["metrics.txt"]
    assert [chip["generation"] for chip in json.loads(files["chips.json"])] == [0, 0]
    assert json.loads(files["configuration.json"])["upstream"][0]["password_file"] == "p.secret"
    assert {finding["what"] for finding in json.loads(files["doctor.json"])} >= {"disk", "collector", "python"}
    assert b"started" in files["logs/collector.log"]
    whole = b"\n".join([*(name.encode() for name in files), *files.values()])
    for secret in hidden:
        for form in (secret, secret.hex().encode(), secret.hex().upper().encode(), base64.b64encode(secret)):
            assert form not in whole


def test_secret_of_a_foreign_upstream_is_taken_out() -> None:
    """A kind that somebody else brings may have its secrets in the configuration itself."""
    told = bundle._told({
        "upstream": [{"name": "a", "api_key": "hunter2", "Token": "t", "password_file": "p.secret", "port": 5}],
        "password": "", "collector": {"key_file": "collector.key"},
    })  # fmt: skip

    assert told == {
        "upstream": [
            {"name": "a", "api_key": "[removed]", "Token": "[removed]", "password_file": "p.secret", "port": 5}
        ],
        "password": "", "collector": {"key_file": "collector.key"},
    }  # fmt: skip


def test_bundle_of_a_broken_site_says_what_is_broken(bare_site: Path, tmp_path: Path) -> None:
    """No collector runs, the configuration is wrong: each part says so, and the rest is there."""
    config = bare_site / "collector.toml"
    config.write_text(config.read_text("utf-8").replace("throttle_s", "throtle_s"), "utf-8")
    write_bundle(bare_site, tmp_path / "b.tar.gz")
    files = unpacked(tmp_path / "b.tar.gz")

    assert b"unknown key `links.throtle_s`" in files["configuration.txt"]
    assert b"throtle_s" in files["status.txt"]
    assert "versions.json" in files


def test_existing_file_is_not_overwritten(run: Run, bare_site: Path, tmp_path: Path) -> None:
    """Nor is a bundle written half."""
    (tmp_path / "b.tar.gz").write_bytes(b"mine")
    result = run("collector", "bundle", tmp_path / "b.tar.gz", bare_site)

    assert isinstance(result.exception, LocalError)
    assert result.exception.code == TOOL_BAD_INPUT
    assert (tmp_path / "b.tar.gz").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("key " + "ab" * 32 + " end", "key [removed] end"),
        ("x " + TOKEN, "x [removed]"),
        ("a\n-----BEGIN PRIVATE KEY-----\nMIG=\n-----END PRIVATE KEY-----\nb", "a\n[removed]\nb"),
        ("cut -----BEGIN PRIVATE KEY-----\nMIG=", "cut [removed]"),
        ("the words a b c", "the [removed] c"),
        ("order 0123456789abcdef", "order 0123456789abcdef"),
    ],
)
def test_scrubber(text: str, clean: str) -> None:
    """Shapes and this site's own words go; ids stay."""
    assert Scrubber([b"words a b\n", b""]).clean(text) == clean
