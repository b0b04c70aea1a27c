"""`weldgate frame decode`: every vector, captures with noise, tags by a site's keys."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from tests.tools.conftest import CHIP, Tape

from weldgate_collector import Chip, add_chips
from weldgate_issuer import Issuer
from weldgate_protocol import messages
from weldgate_protocol._compat import HmacKey
from weldgate_protocol.conversation_chip import ChipConversation
from weldgate_protocol.conversation_collector import CollectorConversation
from weldgate_protocol.errors import LocalError
from weldgate_protocol.frame import FLAG_PARITY, seal, to_wire
from weldgate_protocol.keys import ChipKeys
from weldgate_tools.frame import decode_capture, read_input
from weldgate_tools.frame_keys import Keys, site_keys

Run = Callable[..., Result]
CASES: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors" / "frame.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_every_vector_is_taken_apart_or_refused_with_its_number(case: dict[str, Any]) -> None:
    """What the vectors say of bytes, the command says too."""
    data = bytes.fromhex(case["hex"])
    if "matches" in case:  # about tags: raw frames, taken as a store keeps them
        found = list(decode_capture(data, Keys()))
        assert "error" in found[0] or found[0]["tag"] == data[-8:].hex()
        return
    found = list(decode_capture(b"\x7e" + data + b"\x7e", Keys()))

    if "expect" in case:
        assert len(found) == 1
        assert found[0]["tag"] == case["expect"]["fields"]["tag"]
        assert found[0]["crc"] == "right"
    elif b"\x7e" not in data and data:
        assert found[0]["error"] == case["error"]


def test_stored_frame_without_delimiters_is_read(run: Run, site: Path) -> None:
    """A raw frame, as a store keeps it, has no CRC and says so."""
    row = Tape(Issuer.open(site / "issuer"), CHIP).row(messages.REFUSAL, {"reason": 9, "via": 4, "count": 1})
    found = json.loads(run("frame", "decode", row[6].hex(), "--site", site, "--json").stdout)

    assert found[0]["crc"] == "none"
    assert found[0]["tag_state"] == "right"
    assert found[0]["fields"]["reason"]["text"] == "TOKEN_USED"


def test_stored_frame_may_hold_a_delimiters_byte(site: Path) -> None:
    """Unstuffed bytes are no stream: 7E in a payload or tag cuts nothing."""
    tape = Tape(Issuer.open(site / "issuer"), CHIP)
    raw = tape.row(messages.REFUSAL, {"reason": 0x7E7E, "via": 1, "count": 1})[6]

    found = list(decode_capture(raw, Keys(site_keys(site))))

    assert [(row["message"], row["crc"], row["tag_state"]) for row in found] == [("refusal", "none", "right")]


def test_noise_between_frames_is_reported_with_its_place(run: Run, site: Path, tmp_path: Path) -> None:
    """Frames on either side of garbage are found, and the garbage is named."""
    tape = Tape(Issuer.open(site / "issuer"), CHIP)
    one, two = (to_wire(tape.row(messages.POWER_OFF, {})[6]) for _ in range(2))
    (tmp_path / "capture.bin").write_bytes(b"\x00noise" + one + b"junk\x7d\x05" + two)

    result = run("frame", "decode", tmp_path / "capture.bin", "--json")
    kinds = [row.get("message") if "error" not in row else row["name"] for row in json.loads(result.stdout)]

    assert kinds == ["FRAME_SHORT", "power-off", "FRAME_STUFFING", "power-off"]
    assert result.exit_code == 0
    text = run("frame", "decode", tmp_path / "capture.bin").stdout
    assert "no frame" in text
    assert "4c power-off" in text


def test_keys_of_a_connection_are_learnt_from_the_capture(site: Path) -> None:
    """With the site's keys a captured conversation's downlink is verified too."""
    issuer = Issuer.open(site / "issuer")
    device = CHIP.to_bytes(8, "big")
    secrets = issuer.chip_secrets(device)
    chip = ChipConversation(device, HmacKey(secrets.up), secrets.down, 0)
    end = CollectorConversation(
        lambda _device: ChipKeys(0, secrets.up, secrets.down),
        lambda _device, _epoch: 0,
        lambda: (1_795_500_000, 0, 2),
        lambda size: b"n" * size,
    )
    hello: dict[str | int, Any] = {
        "oldest": 1, "highest": 0, "boot": 1, "firmware": "t", "profile": "t", "key_set_version": 0,
        "config_version": 0, "revocations_version": 0,
    }  # fmt: skip
    capture = chip.start(b"c" * 16, hello, b"\xa0\0\0\1", (1_795_500_000, 0, 2), 0)
    from weldgate_protocol.frame import from_wire

    welcome = next(event[1] for event in end.receive(from_wire(capture[1:-1])) if event[0] == "send")

    found = list(decode_capture(capture + welcome, Keys(site_keys(site))))

    assert [(row["message"], row["tag_state"]) for row in found] == [("hello", "right"), ("welcome", "right")]


def test_wrong_tag_is_told(site: Path) -> None:
    """A frame under another key is whole, and not this chip's."""
    tape = Tape(Issuer.open(site / "issuer"), CHIP)
    raw = bytearray(tape.row(messages.POWER_OFF, {})[6])
    raw[-1] ^= 1

    assert next(decode_capture(bytes(raw), Keys(site_keys(site))))["tag_state"] == "wrong"


def _file_of_chips(path: Path, issuer: Issuer, generation: int) -> Path:
    """Write a collector's list that knows one chip, with the generation before."""
    secrets, before = (issuer.chip_secrets(CHIP.to_bytes(8, "big"), one) for one in (generation, generation - 1))
    add_chips(path, [Chip(str(CHIP), generation, secrets.up.hex(), secrets.down.hex(), before.up.hex())])
    return path


@pytest.mark.parametrize("by", ["--site", "--key-file"])
@pytest.mark.parametrize("generation", [4, 5, 6])
def test_tag_is_checked_under_the_frames_own_generation(
    run: Run, site: Path, tmp_path: Path, by: str, generation: int
) -> None:
    """A frame that was spooled before the keys were drawn anew is right too, an older one is not."""
    issuer = Issuer.open(site / "issuer")
    (tmp_path / "issuer").symlink_to((site / "issuer").resolve())
    listed = _file_of_chips(tmp_path / "chips.jsonl", issuer, 6)
    body = bytearray(Tape(issuer, CHIP).row(messages.POWER_OFF, {})[6][:-8])
    body[0] |= FLAG_PARITY if generation % 2 else 0
    raw = seal(bytes(body), HmacKey(issuer.chip_secrets(CHIP.to_bytes(8, "big"), generation).up))

    keys = tmp_path if by == "--site" else listed
    found = json.loads(run("frame", "decode", raw.hex(), by, keys, "--json").stdout)

    assert found[0]["tag_state"] == ("wrong" if generation == 4 else "right")


def test_chip_that_the_list_lacks_is_not_checked(run: Run, site: Path, tmp_path: Path) -> None:
    """No key, no verdict."""
    listed = _file_of_chips(tmp_path / "chips.jsonl", Issuer.open(site / "issuer"), 1)
    raw = Tape(Issuer.open(site / "issuer"), CHIP + 1).row(messages.POWER_OFF, {})[6]

    assert json.loads(run("frame", "decode", raw.hex(), "--key-file", listed, "--json").stdout)[0]["tag_state"] == (
        "not checked"
    )


def test_keys_come_from_one_place(run: Run, site: Path, tmp_path: Path) -> None:
    """Two would leave open who was believed."""
    listed = _file_of_chips(tmp_path / "chips.jsonl", Issuer.open(site / "issuer"), 1)

    assert run("frame", "decode", "00", "--site", site, "--key-file", listed).exit_code == 2


def test_unreadable_payload_keeps_its_bytes(site: Path) -> None:
    """A payload that is no message of ours is shown as it is."""
    tape = Tape(Issuer.open(site / "issuer"), CHIP)
    raw = bytearray(tape.row(messages.POWER_OFF, {})[6])
    raw[26] = 0xFF

    assert next(decode_capture(bytes(raw), Keys()))["payload"] == "ff"


def test_hex_file_and_standard_input(run: Run, tmp_path: Path) -> None:
    """Hex with blanks, colons or line ends is hex."""
    wire = CASES[0]["hex"]
    (tmp_path / "frame.hex").write_text(":".join(wire[i : i + 2] for i in range(0, len(wire), 2)) + "\n")

    assert run("frame", "decode", tmp_path / "frame.hex").exit_code == 0
    assert run("frame", "decode", "-", input=wire.encode()).exit_code == 0


def test_hex_longer_than_a_files_name(run: Run, site: Path) -> None:
    """The largest frame is an argument like another."""
    tape = Tape(Issuer.open(site / "issuer"), CHIP)
    raw = tape.row(messages.ALARM, {"alarm": 150, "id": b"8bytes!!", "state": 1, "latched": True, 99: bytes(900)})[6]

    assert "alarm" in run("frame", "decode", to_wire(raw).hex()).stdout


def test_nothing_found_is_exit_1(run: Run) -> None:
    """Garbage alone is an answer of no."""
    assert run("frame", "decode", "00ff00ff").exit_code == 1


@pytest.mark.parametrize("source", ["neither.bin", "abc"])
def test_bad_source_is_a_clear_error(source: str) -> None:
    """No such file and no hex, or half a byte."""
    with pytest.raises(LocalError):
        read_input(source)
