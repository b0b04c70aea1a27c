"""`weldgate token`: issued, shown, verified; as text, hex, image and standard input."""

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from weldgate_issuer import IssuerError, SigningKey, holder_proof
from weldgate_protocol import cbor, reasons
from weldgate_protocol.errors import LocalError
from weldgate_protocol.reason_texts import describe
from weldgate_tools.token_input import read_token

Run = Callable[..., Result]


@pytest.fixture
def text(run: Run, site: Path) -> str:
    """A good token for chip 7."""
    result = run("token", "issue", "--chip", 7, "--holder", "zhang3", "--site", site)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def test_issued_token_is_accepted_by_the_chips_own_routine(run: Run, site: Path, text: str) -> None:
    """What the site issues a chip takes."""
    result = run("token", "verify", text, "--chip", 7, "--site", site)

    assert (result.exit_code, result.stdout) == (0, "accepted\n")


def test_refusal_has_number_text_and_exit_code(run: Run, site: Path, text: str) -> None:
    """Another machine's token is refused by number, in both languages, with what to do next."""
    result = run("token", "verify", text, "--chip", 8, "--site", site)

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"refused, reason {reasons.TOKEN_OTHER_DEVICE} TOKEN_OTHER_DEVICE",
        f"  {describe(reasons.TOKEN_OTHER_DEVICE, 'zh')}",
        f"  {describe(reasons.TOKEN_OTHER_DEVICE, 'en')}",
    ]


def test_refusal_in_one_language_and_for_programs(run: Run, site: Path, text: str) -> None:
    """`--lang` leaves the other out; JSON has every text apart."""
    wanted = ("token", "verify", text, "--chip", 8, "--site", site)
    found = json.loads(run(*wanted, "--json").stdout)

    assert len(run(*wanted, "--lang", "zh").stdout.splitlines()) == 2
    assert all(found[key] for key in ("zh", "en", "next_zh", "next_en"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [("", 0), ("--at 2099-01-01", reasons.TOKEN_EXPIRED), ("--at 2021-01-01", reasons.TOKEN_FROM_FUTURE)],
)
def test_verified_as_at_another_time(run: Run, site: Path, text: str, change: str, reason: int) -> None:
    """A token is good in its time only."""
    found = json.loads(run("token", "verify", text, "--chip", 7, "--site", site, "--json", *change.split()).stdout)

    assert (found["accepted"], found["reason"]) == (not reason, reason)


def test_forged_token_is_refused(run: Run, site: Path, text: str) -> None:
    """A changed signature is no signature."""
    data = bytearray(read_token(text))
    data[-1] ^= 1

    result = run("token", "verify", data.hex(), "--chip", 7, "--site", site, "--json")

    assert json.loads(result.stdout)["reason"] == reasons.TOKEN_SIGNATURE


def test_show_names_every_claim(run: Run, text: str) -> None:
    """Claims by name, times in Asia/Shanghai, the chip as text."""
    claims = {claim["name"]: claim for claim in json.loads(run("token", "show", text, "--json").stdout)["claims"]}

    assert claims["device"]["value"] == "7"
    assert claims["holder"]["value"] == b"zhang3\0\0".hex()
    assert claims["expires_s"]["text"].endswith("+08:00")
    assert claims["limit_s"]["text"] == "8 h 00 min"
    assert "not verified" in run("token", "show", text).stdout


def test_image_of_the_code_reads_back(run: Run, site: Path, tmp_path: Path) -> None:
    """The PNG that was written holds the token that was printed."""
    image = tmp_path / "code.png"
    found = json.loads(
        run("token", "issue", "--chip", 7, "--holder", "zhang3", "--site", site, "--png", image, "--json").stdout
    )

    assert read_token(str(image)) == read_token(found["token"])
    assert found["qr_version"] <= 10


def test_code_in_the_terminal(run: Run, site: Path) -> None:
    """The code is drawn below the text."""
    result = run("token", "issue", "--chip", 7, "--holder", "zhang3", "--site", site, "--qr")

    assert "█" in result.stdout


def test_token_from_file_and_standard_input(run: Run, site: Path, text: str, tmp_path: Path) -> None:
    """A file and a pipe are as good as an argument."""
    (tmp_path / "token.txt").write_text(text + "\n")

    assert run("token", "verify", tmp_path / "token.txt", "--chip", 7, "--site", site).exit_code == 0
    assert run("token", "verify", "-", "--chip", 7, "--site", site, input=text).exit_code == 0


def test_token_that_lost_its_quotes_in_the_shell(run: Run, site: Path, text: str) -> None:
    """Base45 holds blanks: words that belong together are joined again."""
    words = text.split(" ")  # one may begin with a hyphen, hence the --

    assert run("token", "verify", "--chip", 7, "--site", site, "--", *words).exit_code == 0


def test_permit_token_lives_longer(run: Run, site: Path) -> None:
    """72 h belong to a permit."""
    base = ("token", "issue", "--chip", 7, "--holder", "zhang3", "--site", site, "--life", "72h", "--json")

    refused = run(*base)
    assert isinstance(refused.exception, IssuerError)
    assert refused.exception.code == reasons.TOKEN_LIFE_TOO_LONG
    assert run(*base, "--permit", "70000000000000aa").exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--holder", "zhang3"],
        ["--chip", "x", "--holder", "zhang3"],
        ["--chip", 1 << 63, "--holder", "zhang3"],
        ["--chip", 7, "--holder", "a name too long"],
        ["--chip", 7, "--holder", "zzzzzzzzzzzzzzzz"],
        ["--chip", 7, "--holder", "zhang3", "--life", "soon"],
        ["--chip", 7, "--holder", "zhang3", "--life", "99999999999999999999d"],
        ["--chip", 7, "--holder", "zhang3", "--permit", "p", "--permit-to", "99999999999999999999"],
        ["--chip", 7, "--holder", "zhang3", "--permit-from", "2026-11-24"],
        ["--chip", 7, "--holder", "zhang3", "--domain", 70000],
    ],
)
def test_bad_input_is_a_usage_error(run: Run, site: Path, arguments: list[object]) -> None:
    """What can't be meant is said before anything is signed."""
    result = run("token", "issue", "--site", site, *arguments)

    assert result.exit_code == 2
    assert "Error" in result.stderr


@pytest.mark.parametrize("source", ["nowhere.png", "WG1:", "00ff", "d28443a10126"])
def test_what_is_no_token_is_a_clear_error(run: Run, source: str) -> None:
    """Neither a file nor a token: one sentence, never a traceback."""
    result = run("token", "show", source)

    assert isinstance(result.exception, LocalError)
    assert result.exception.code in (reasons.TOOL_NOT_FOUND, reasons.TOOL_BAD_INPUT)


def test_image_without_a_code(tmp_path: Path) -> None:
    """A picture of something else is said to be one."""
    from PIL import Image

    Image.new("L", (50, 50), 255).save(tmp_path / "blank.png")

    with pytest.raises(LocalError, match="no start code"):
        read_token(str(tmp_path / "blank.png"))


def _png(width: int, pixels: bytes) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, width, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data",
    [b"\x89PNG", _png(60_000, zlib.compress(bytes(1000))), _png(9, b"no deflate"), _png(9, zlib.compress(b""))[:-20]],
    ids=["cut at once", "huge", "broken", "cut late"],
)
def test_damaged_image_is_one_sentence(tmp_path: Path, data: bytes) -> None:
    """What the image library can't read is said to be damaged, by the file's name."""
    (tmp_path / "code.png").write_bytes(data)

    with pytest.raises(LocalError, match=r"code\.png: the image can't be read"):
        read_token(str(tmp_path / "code.png"))


def test_token_from_a_clipboard(text: str) -> None:
    """Blanks around it do no harm."""
    assert read_token(f"  {text}\n") == read_token(text)


@pytest.mark.parametrize("blank", ["\x1c", "\x1f", "\x85"])
def test_blank_that_hex_does_not_know(tmp_path: Path, blank: str) -> None:
    """Not every blank of a text is one between hex digits."""
    (tmp_path / "odd").write_text(f"ab{blank}cd", encoding="utf-8")
    with pytest.raises(LocalError):
        read_token(str(tmp_path / "odd"))


def test_claim_beyond_every_year_is_shown(run: Run) -> None:
    """A token says what it likes, and is shown without being judged."""
    claims = cbor.encode({4: (1 << 64) - 1, 6: 1 << 62})
    data = cbor.encode([cbor.encode({1: -7, 4: b"k" * 8}), {}, claims, bytes(64)])

    shown = run("token", "show", data.hex())

    assert shown.exit_code == 0
    assert str((1 << 64) - 1) in shown.stdout


def test_mistyped_token_is_not_told_back(text: str) -> None:
    """A token opens a machine: errors, which end up in logs, hold none of it."""
    with pytest.raises(LocalError) as caught:
        read_token("w" + text[1:])

    assert text[10:40] not in caught.value.message


@pytest.mark.parametrize("at", ["99999999999999999", "0001-01-01", "1969-01-01", "2107-01-01", "99999d"])
def test_impossible_time_is_a_usage_error(run: Run, site: Path, text: str, at: str) -> None:
    """Not every number is a time."""
    assert run("token", "verify", text, "--chip", 7, "--site", site, "--at", at).exit_code == 2


def test_site_without_keys(run: Run, tmp_path: Path) -> None:
    """The next step is in the error."""
    result = run("token", "issue", "--chip", 7, "--holder", "zhang3", "--site", tmp_path)

    assert isinstance(result.exception, LocalError)
    assert "weldgate init" in result.exception.message


def test_emergency_code_by_a_key_from_the_safe(run: Run, site: Path, tmp_path: Path) -> None:
    """The duty officer's folder holds the public index and the one key; 4 h at most, one machine, nothing else."""
    for name in ("issuer.json", "key-emergency.pem"):
        (tmp_path / name).write_bytes((site / "issuer" / name).read_bytes())
        (tmp_path / name).chmod(0o600)
    common = ("token", "issue", "--chip", 7, "--holder", "duty", "--site", tmp_path, "--key-file")
    key = tmp_path / "key-emergency.pem"
    made = run(*common, key, "--purpose", "emergency", "--life", "4h")
    assert made.exit_code == 0, made.output

    assert run("token", "verify", made.stdout.strip(), "--chip", 7, "--site", site).exit_code == 0
    assert "emergency" in run("token", "show", made.stdout.strip()).output
    for arguments, code in (
        (("--purpose", "emergency", "--life", "5h"), reasons.TOKEN_LIFE_TOO_LONG),
        (("--life", "4h"), reasons.TOKEN_SCOPE),
    ):
        refused = run(*common, key, *arguments)
        assert isinstance(refused.exception, IssuerError)
        assert refused.exception.code == code


def test_token_that_names_its_holders_key(run: Run, site: Path, tmp_path: Path) -> None:
    """With the holder's key in PEM the token bears claim 15, 16 bytes."""
    pem = tmp_path / "holder.pem"
    pem.write_bytes(SigningKey.generate().to_pem())
    text = run("token", "issue", "--chip", 7, "--holder", "zhang3", "--site", site, "--holder-key", pem).stdout.strip()
    claims = json.loads(run("token", "show", text, "--json").stdout)["claims"]
    (proof,) = [claim["value"] for claim in claims if claim["label"] == 15]

    assert proof == holder_proof(SigningKey.from_pem(pem.read_bytes()).public64).hex()
    assert run("token", "verify", text, "--chip", 7, "--site", site).exit_code == 0
