"""`weldgate collector` and `weldgate order` without and with a running collector."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import Result

from weldgate_collector import Service, load_config
from weldgate_firmware.config import SETTINGS
from weldgate_protocol import order as orders
from weldgate_protocol.errors import LocalError, WeldgateError
from weldgate_protocol.reasons import TOOL_BAD_INPUT, TOOL_CONNECTION, TOOL_NOT_FOUND

Run = Callable[..., Result]
CHIP = 410811001


@pytest.fixture
def site(run: Run, tmp_path: Path) -> Path:
    """A site without an upstream, on free ports."""
    folder = tmp_path / "site"
    assert run("init", folder, "--chips", 2).exit_code == 0
    config = folder / "collector.toml"
    text = config.read_text(encoding="utf-8").split("# What is stored")[0]
    config.write_text(text.replace("port = 7460", "port = 0").replace("port = 9464", "port = 0"), encoding="utf-8")
    return folder


@contextmanager
def running(site: Path) -> Iterator[None]:
    """Run the site's collector in a thread."""
    loop = asyncio.new_event_loop()
    service = Service(load_config(site / "collector.toml"))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(service.start(), loop).result(20)
        yield
        asyncio.run_coroutine_threadsafe(service.stop(), loop).result(20)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_check_says_what_it_found(run: Run, site: Path) -> None:
    """The file, the chips, the store."""
    assert "2 chips" in run("collector", "check", site).stdout
    assert json.loads(run("collector", "check", site / "collector.toml", "--json").stdout)["ok"] is True


def test_check_names_key_and_line(run: Run, site: Path) -> None:
    """A misspelt key is told with its line."""
    config = site / "collector.toml"
    config.write_text(config.read_text(encoding="utf-8").replace("throttle_s", "throtle_s"), encoding="utf-8")

    result = run("collector", "check", site)

    assert isinstance(result.exception, WeldgateError)
    assert "throtle_s" in result.exception.message
    assert "line" in result.exception.message


def test_missing_site_is_a_clear_error(run: Run, tmp_path: Path) -> None:
    """The next step is in it."""
    result = run("collector", "check", tmp_path)

    assert isinstance(result.exception, LocalError)
    assert result.exception.code == TOOL_NOT_FOUND


def test_chips_are_listed_added_imported_and_removed(run: Run, site: Path, tmp_path: Path) -> None:
    """The whole life of an entry, and never a key on the screen."""
    assert run("collector", "chips", "add", 7, 8, "--site", site).exit_code == 0
    listed = run("collector", "chips", "list", "--site", site, "--json").stdout
    assert [row["device"] for row in json.loads(listed)] == ["7", "8", str(CHIP), str(CHIP + 1)]
    secret = json.loads((site / "chips.jsonl").read_text(encoding="utf-8").splitlines()[0])["up"]
    assert secret not in run("collector", "chips", "list", "--site", site).output

    (tmp_path / "batch.csv").write_text(f"device,generation,up,down\n9,1,{'a' * 64},{'b' * 64}\n")
    (tmp_path / "batch.jsonl").write_text(
        json.dumps({"device": "10", "generation": 0, "up": "c" * 64, "down": "d" * 64})
    )
    for name in ("batch.csv", "batch.jsonl"):
        assert run("collector", "chips", "import", tmp_path / name, "--site", site).exit_code == 0

    assert run("collector", "chips", "remove", 9, "--site", site, input="n\n").exit_code != 0
    assert run("collector", "chips", "remove", 9, "--yes", "--site", site).exit_code == 0
    devices = [row["device"] for row in json.loads(run("collector", "chips", "list", "--site", site, "--json").stdout)]
    assert "9" not in devices
    assert "10" in devices
    again = run("collector", "chips", "remove", 9, "--yes", "--site", site)
    assert isinstance(again.exception, LocalError)


@pytest.mark.parametrize(
    "text",
    [
        "device,generation,up\n9,1,aa\n",
        "device,generation,up,down\n9,x,aa,bb\n",
        "{\n",
        "device,generation,up,down\n9,1,aa,bb\n",
    ],
)
def test_bad_import_changes_nothing_and_tells_no_key(run: Run, site: Path, tmp_path: Path, text: str) -> None:
    """The row is named, its content is not."""
    (tmp_path / "bad").write_text(text)
    before = (site / "chips.jsonl").read_bytes()

    result = run("collector", "chips", "import", tmp_path / "bad", "--site", site)

    assert isinstance(result.exception, WeldgateError)
    assert (site / "chips.jsonl").read_bytes() == before
    assert "aa" not in result.exception.message.replace(str(tmp_path), "")


def test_bad_import_is_bad_input(run: Run, site: Path, tmp_path: Path) -> None:
    """A missing column is told by name and row."""
    (tmp_path / "bad").write_text("device,generation,up\n9,1,aa\n")

    result = run("collector", "chips", "import", tmp_path / "bad", "--site", site)

    assert isinstance(result.exception, LocalError)
    assert result.exception.code == TOOL_BAD_INPUT
    assert "row 1" in result.exception.message


def test_nobody_answers(run: Run, site: Path) -> None:
    """A collector that does not run is told as that."""
    result = run("collector", "status", site)

    assert isinstance(result.exception, LocalError)
    assert result.exception.code == TOOL_CONNECTION


def test_status_and_orders_of_a_running_collector(run: Run, site: Path) -> None:
    """Status for people and programs; token, order and lock wait for a chip that is not online."""
    with running(site):
        status = json.loads(run("collector", "status", site, "--json").stdout)
        assert (status["ok"], status["chips_online"]) == (True, 0)
        assert "0 chips online" in run("collector", "status", site).stdout

        text = run("token", "issue", "--chip", CHIP, "--holder", "zhang3", "--site", site).stdout.strip()
        found = json.loads(run("order", "token", text, "--chip", CHIP, "--site", site, "--json").stdout)
        assert (found["state"], found["online"]) == ("waiting", False)
        lock = run("order", "lock", "--soft", "--chip", CHIP, "--site", site)
        assert "not online" in lock.stdout
        assert run("order", "lock", "--chip", CHIP, "--site", site).exit_code == 2
        sent = run("order", "release", "00" * 8, "--chip", CHIP, "--site", site, "--send")
        assert "waiting" in sent.stdout
        stranger = run("order", "lock", "--now", "--chip", 99, "--site", site)
        assert isinstance(stranger.exception, LocalError)
    operators = run("store", "frames", site, "--json").stdout
    assert "locks, mode 1" in operators


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["release", "00" * 8], orders.RELEASE),
        (["clear-alarm", "11" * 8, "22" * 8], orders.CLEAR_ALARM),
        (["config", "telemetry_s=10", "heartbeat_s=15"], orders.CONFIG),
        (["revoke", "--token", "33" * 8], orders.REVOCATIONS),
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
    """With a version above the last."""
    assert run("order", "key-set", "--chip", CHIP, "--site", site).exit_code == 0


@pytest.mark.parametrize(
    "word", ["nonsense=1", "telemetry_s", "telemetry_s=x", "telemetry_s=0", "telemetry_s=99999999"]
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
