"""`weldgate collector` without and with a running collector."""

import json
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from weldgate_collector import load_config
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


@pytest.mark.parametrize("name", ["batch.csv", "batch.jsonl"])
def test_import_keeps_the_key_of_the_generation_before(run: Run, site: Path, tmp_path: Path, name: str) -> None:
    """Without it the collector would refuse what the chip has spooled under that key."""
    keys = {"up": "a" * 64, "down": "b" * 64, "previous_up": "c" * 64, "previous_down": "d" * 64}
    row = {"device": "9", "generation": 1, **keys}
    text = ",".join(row) + "\n" + ",".join(map(str, row.values())) if name.endswith("csv") else json.dumps(row)
    (tmp_path / name).write_text(text, encoding="utf-8")

    assert run("collector", "chips", "import", tmp_path / name, "--site", site).exit_code == 0

    kept = [json.loads(line) for line in (site / "chips.jsonl").read_text(encoding="utf-8").splitlines()]
    assert row in kept


def test_add_keeps_the_keys_of_the_generation_before(run: Run, site: Path) -> None:
    """A chip that a rekey has not reached speaks under them, and has frames spooled under them."""
    run("collector", "chips", "add", 9, "--site", site)
    first = _line(site, "9")
    assert run("collector", "chips", "add", 9, "--generation", 1, "--site", site).exit_code == 0

    second = _line(site, "9")
    assert (second["previous_up"], second["previous_down"]) == (first["up"], first["down"])
    assert (first["previous_up"], first["previous_down"]) == ("", "")


def _line(site: Path, device: str) -> dict[str, Any]:
    lines = [json.loads(line) for line in (site / "chips.jsonl").read_text(encoding="utf-8").splitlines()]
    return next(line for line in lines if line["device"] == device)


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


def test_status_and_orders_of_a_running_collector(
    run: Run, site: Path, running: Callable[[Path], AbstractContextManager[None]]
) -> None:
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


INFINITE = b'{"device": "9", "generation": Infinity, "up": "aa", "down": "bb"}\n'


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b'{"device": 9}\n[1]\n', b"[" * 100_000, b"{" + b"[" * 100_000, INFINITE]
)
def test_any_bytes_are_a_typed_error(run: Run, site: Path, tmp_path: Path, content: bytes) -> None:
    """No text, no rows, nested without end."""
    (tmp_path / "bad").write_bytes(content)

    result = run("collector", "chips", "import", tmp_path / "bad", "--site", site)

    assert isinstance(result.exception, WeldgateError)


def test_half_an_answer_is_no_answer(run: Run, site: Path) -> None:
    """A collector that is stopped while it speaks is told as not answering."""
    socket_path = load_config(site / "collector.toml").control_socket
    socket_path.parent.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(socket_path))
        server.listen()

        def hang_up() -> None:
            with server.accept()[0] as connection:
                connection.recv(100)

        thread = threading.Thread(target=hang_up)
        thread.start()
        result = run("collector", "status", site)
        thread.join()

    assert isinstance(result.exception, LocalError)
    assert result.exception.code == TOOL_CONNECTION
