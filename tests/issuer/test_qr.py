"""QR codes of tokens: small enough, and another library reads the token back."""

from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from weldgate_issuer import Issuer, IssuerError, terminal_qr, token_text, write_png
from weldgate_protocol import reasons, token

NOW = 1795500000
ISSUER = Issuer.generate(NOW)


def _token(size: int) -> bytes:
    """Return a token of exactly so many bytes, or the smallest for 0."""
    words = {"device": bytes(8), "holder": bytes(8), "issued_s": NOW}
    if size == 0:
        return ISSUER.issue_token(**words)
    return ISSUER.issue_token(note="n" * (size - len(ISSUER.issue_token(note="n" * 30, **words)) + 30), **words)


@pytest.mark.parametrize(("size", "version"), [(0, 8), (189, 10), (200, 10)])
def test_code_stays_small(tmp_path: Path, size: int, version: int) -> None:
    """M-TOK-02: even 200 bytes make a QR code of version 10 at error correction M."""
    assert write_png(_token(size), tmp_path / "token.png") == version


def test_png_is_read_back_by_another_library(tmp_path: Path) -> None:
    """What zxing reads off the picture is the token."""
    data = _token(200)
    write_png(data, tmp_path / "token.png", scale=3)

    with Image.open(tmp_path / "token.png") as picture:
        (code,) = zxingcpp.read_barcodes(picture)

    assert token.to_bytes(code.text) == data


def test_terminal_shows_a_square() -> None:
    """The terminal gets lines of one width."""
    lines = terminal_qr(_token(0)).splitlines()

    assert len(lines) > 20
    assert len({len(line) for line in lines if "█" in line}) == 1


def test_longer_data_gets_no_code(tmp_path: Path) -> None:
    """M-TOK-01: 201 bytes are refused before any picture is drawn."""
    with pytest.raises(IssuerError) as caught:
        write_png(bytes(201), tmp_path / "token.png")

    assert caught.value.code == reasons.TOKEN_TOO_LONG
    assert not (tmp_path / "token.png").exists()


def test_text_is_the_tokens_own() -> None:
    """The text of a token is what a chip's scanner reads."""
    data = _token(0)

    assert token_text(data).startswith("WG1:")
    assert token.to_bytes(token_text(data)) == data
