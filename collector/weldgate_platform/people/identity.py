"""Identity numbers: their check digit, how they are shown, and by what they are found.

GB 11643-1999: 17 digits weighted 7 9 10 5 8 4 2 1 6 3 7 9 10 5 8 4 2, sum mod 11 -> `10X98765432`. The permits of
residents from Hong Kong, Macao and Taiwan follow it too; passports do not. A `mem` certificate's number is `T` and the
identity number, so that it is treated as one (DOMAIN, privacy). Neither birth date nor sex is derived for display.
"""

import re
from datetime import date

from weldgate_platform.sealed import keyed_hash

__all__ = ["certificate_hash", "identity_fault", "identity_hash", "mask_name", "mask_number", "mask_phone"]

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_FORM = re.compile(r"[0-9]{17}[0-9X]")


def identity_fault(number: str) -> str:
    """Say what is wrong with a resident's identity number: "form", "check", "date", or "" for nothing.

    Args:
        number: 18 characters, X upper case.
    """
    if not _FORM.fullmatch(number):
        return "form"
    weighted = sum(int(digit) * weight for digit, weight in zip(number[:17], _WEIGHTS, strict=True))
    if _CHECKS[weighted % 11] != number[17]:
        return "check"
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return "date"
    return ""


def identity_hash(number: str) -> str:
    """Return by what a person is found."""
    return keyed_hash(number.strip().upper(), "identity")


def certificate_hash(source: str, number: str) -> str:
    """Return by what a certificate is found in its source."""
    return keyed_hash(number.strip().upper(), f"certificate {source}")


def mask_name(name: str) -> str:
    """Return 张*三 for 张小三, 张* for 张三."""
    if len(name) <= 2:
        return name[:1] + "*" * (len(name) - 1)
    return f"{name[0]}{'*' * (len(name) - 2)}{name[-1]}"


def mask_number(number: str) -> str:
    """Return 4110**********08: enough to tell two people on a list apart, too little to know one."""
    start = 5 if number.startswith("T") else 4
    if len(number) <= start + 2:
        return "*" * len(number)
    return f"{number[:start]}{'*' * (len(number) - start - 2)}{number[-2:]}"


def mask_phone(phone: str) -> str:
    """Return 138****0000."""
    return f"{phone[:3]}****{phone[-4:]}" if len(phone) >= 8 else "*" * len(phone)
