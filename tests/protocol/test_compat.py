"""The interpreter's seam: hash, HMAC, compare, CRC and UTF-8 say the same on both sides."""

import unittest

from weldgate_protocol import _compat, _portable

# RFC 4231, test cases 1, 2, 3, 6, 7
HMAC_CASES = (
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        b"\xaa" * 131,
        b"This is a test using a larger than block-size key and a larger than block-size data. "
        b"The key needs to be hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
)
UTF8_GOOD = (
    "",
    "41",
    "c280",
    "dfbf",
    "e0a080",
    "ed9fbf",
    "ee8080",
    "efbfbf",
    "f0908080",
    "f1808080",
    "f48fbfbf",
    "e784ae41",
)
UTF8_BAD = [
    "80",
    "bf",
    "c0",
    "c080",
    "c1bf",
    "c2",
    "c241",
    "e08080",
    "e09fbf",
    "e282",
    "e28228",
    "eda080",
    "edbfbf",
    "f0808080",
    "f08fbfbf",
    "f0908041",
    "f4908080",
    "f5808080",
    "f8888080",
    "fe",
    "ff",
    "41e784",
]
BOTH = (_compat, _portable)


class CompatTest(unittest.TestCase):
    """Each routine, as the house uses it and in its portable form."""

    def test_hmac_rfc4231(self):
        """HMAC-SHA256 gives RFC 4231's results, keyed once or each time."""
        for key, data, expected in HMAC_CASES:
            for module in BOTH:
                with self.subTest(module=module.__name__, key=len(key)):
                    keyed = module.HmacKey(key)
                    self.assertEqual(module.hmac_sha256(key, data).hex(), expected)
                    self.assertEqual(keyed.digest(data).hex(), expected)
                    self.assertEqual(keyed.tag8(memoryview(data)).hex(), expected[:16])
                    self.assertEqual(keyed.tag8(bytearray(data)).hex(), expected[:16])

    def test_sha256(self):
        """SHA-256 of "abc" is FIPS 180-4's."""
        for module in BOTH:
            with self.subTest(module=module.__name__):
                self.assertEqual(
                    module.sha256(b"abc").hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
                )

    def test_repr_hides_the_key(self):
        """A key never shows itself."""
        for module in BOTH:
            with self.subTest(module=module.__name__):
                self.assertEqual(repr(module.HmacKey(b"secret")), "HmacKey(...)")

    def test_crc_check_value(self):
        """M-FRAME-06: CRC-16/X-25 of "123456789" is 906E, of nothing 0."""
        for module in BOTH:
            with self.subTest(module=module.__name__):
                self.assertEqual(module.crc16_x25(b"123456789"), 0x906E)
                self.assertEqual(module.crc16_x25(b""), 0)

    def test_crc_routines_agree(self):
        """The fast CRC and the portable one agree on every byte value, any buffer, up to the largest frame."""
        data = bytes([(n * 7 + n // 256) & 0xFF for n in range(1058)])
        for size in (1, 2, 34, 255, 256, 257, 1058):
            with self.subTest(size=size):
                expected = _portable.crc16_x25(data[:size])
                self.assertEqual(_compat.crc16_x25(data[:size]), expected)
                self.assertEqual(_compat.crc16_x25(memoryview(data)[:size]), expected)
                self.assertEqual(_compat.crc16_x25(bytearray(data[:size])), expected)

    def test_same_bytes(self):
        """Equal bytes are equal whatever buffer holds them; one bit, or the length, makes them differ."""
        for module in BOTH:
            with self.subTest(module=module.__name__):
                self.assertTrue(module.same_bytes(b"12345678", b"12345678"))
                self.assertTrue(module.same_bytes(b"", b""))
                self.assertTrue(module.same_bytes(b"12345678", memoryview(b"x12345678")[1:]))
                self.assertFalse(module.same_bytes(b"12345678", b"12345679"))
                self.assertFalse(module.same_bytes(b"92345678", b"12345678"))
                self.assertFalse(module.same_bytes(b"1234567", b"12345678"))
                self.assertFalse(module.same_bytes(b"", b"1"))

    def test_utf8(self):
        """M-CBOR-08: overlong forms, surrogates, stray and missing bytes are no UTF-8 on either interpreter."""
        for module in BOTH:
            for text in UTF8_GOOD:
                with self.subTest(module=module.__name__, good=text):
                    self.assertTrue(module.utf8_valid(bytes.fromhex(text)))
            for text in UTF8_BAD:
                with self.subTest(module=module.__name__, bad=text):
                    self.assertFalse(module.utf8_valid(bytes.fromhex(text)))

    def test_utf8_takes_any_buffer(self):
        """A memoryview is judged like bytes."""
        for module in BOTH:
            with self.subTest(module=module.__name__):
                self.assertTrue(module.utf8_valid(memoryview(b"\xff\xc3\xa9")[1:]))
                self.assertFalse(module.utf8_valid(memoryview(b"\xff\xc3\xa9")))

    def test_const_is_transparent(self):
        """A constant is its value."""
        self.assertEqual(_compat.const(7), 7)
