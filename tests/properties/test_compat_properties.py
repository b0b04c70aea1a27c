"""The portable routines, which the chip runs, say what the C ones say."""

import hashlib
import hmac
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weldgate_protocol import _host, _portable


@given(st.binary(max_size=200), st.binary(max_size=400))
def test_portable_hmac_is_the_c_one(key: bytes, data: bytes) -> None:
    """HMAC-SHA256 on the chip is CPython's, for keys shorter and longer than a block."""
    assert _portable.hmac_sha256(key, data) == hmac.digest(key, data, "sha256") == _host.HmacKey(key).digest(data)
    assert _portable.HmacKey(key).tag8(data) == _host.HmacKey(key).tag8(data)
    assert _portable.sha256(data) == hashlib.sha256(data).digest() == _host.sha256(data)


@given(st.binary(max_size=1100))
def test_portable_crc_is_the_c_one(data: bytes) -> None:
    """CRC-16/X-25 without a table is crcmod-plus's."""
    assert _portable.crc16_x25(data) == _host.crc16_x25(data)


def test_the_c_crc_is_in_use() -> None:
    """With the collector's extra installed the CRC is C, which the hot path counts on."""
    assert _host.crc16_x25 is not _portable.crc16_x25


def test_without_crcmod_the_portable_crc_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the collector's extra is not installed, protocol works all the same."""
    monkeypatch.setitem(sys.modules, "crcmod", None)

    assert _host._find_crc() is _portable.crc16_x25


@given(st.one_of(st.binary(max_size=40), st.text(max_size=20).map(str.encode)), st.binary(max_size=2))
def test_utf8_is_judged_alike(data: bytes, more: bytes) -> None:
    """The chip's UTF-8 check accepts exactly what CPython's strict decoder accepts."""
    for candidate in (data, data + more, data[:-1]):
        assert _portable.utf8_valid(candidate) == _host.utf8_valid(candidate)


def test_utf8_is_judged_alike_for_every_short_form() -> None:
    """All two-byte sequences, and all three-byte ones with a lead of interest, are judged alike."""
    for first in range(256):
        for second in range(256):
            assert _portable.utf8_valid(bytes((first, second))) == _host.utf8_valid(bytes((first, second)))
    for first in (0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF3, 0xF4, 0xF5):
        for second in range(0x70, 0xD0):
            for tail in (b"\x80", b"\xbf", b"\x7f", b"\xc0", b"\x80\x80", b"\x80\xbf", b"\x80\xc0", b"\x80\x80\x80"):
                data = bytes((first, second)) + tail
                assert _portable.utf8_valid(data) == _host.utf8_valid(data), data.hex()


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_compare_is_equality(a: bytes, b: bytes) -> None:
    """The chip's constant-time compare says whether both are equal."""
    assert _portable.same_bytes(a, b) == (a == b)
    assert _portable.same_bytes(a, bytes(a))
