"""Numbers that can be wrong in themselves: unified social credit codes, and the short code on a machine's label.

Pure functions. A social credit code that fails its check is a warning and never a refusal: real ones do (DOMAIN).
"""

import secrets

__all__ = ["MACHINE_CODE_CHARS", "draw_machine_code", "normalise_machine_code", "uscc_fault"]

_USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100-2015: no I, O, S, V, Z
_USCC_CHARS = 18
# Crockford's base 32: nothing that a burnt label lets one take for something else. 32^8 codes, drawn at random, so
# that nobody walks through them.
_MACHINE = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MACHINE_CODE_CHARS = 8
_LOOKALIKES = str.maketrans("ILO", "110")


def uscc_fault(text: str) -> str:
    """Say what is wrong with a unified social credit code (GB 32100-2015), "" for nothing.

    Args:
        text: 18 characters, upper case.
    """
    if len(text) != _USCC_CHARS:
        return f"{len(text)} characters, a code has {_USCC_CHARS}"
    if any(char not in _USCC for char in text):
        return "a character that no code has"
    weighted = sum(_USCC.index(char) * pow(3, place, 31) for place, char in enumerate(text[:-1]))
    return "" if _USCC.index(text[-1]) == -weighted % 31 else "the check character does not fit"


def draw_machine_code() -> str:
    """Return a new code for a machine's label."""
    return "".join(secrets.choice(_MACHINE) for _ in range(MACHINE_CODE_CHARS))


def normalise_machine_code(typed: str) -> str:
    """Return a typed code as it is stored; I and L are read as 1, O as 0, spaces and hyphens are nothing."""
    return typed.upper().replace("-", "").replace(" ", "").translate(_LOOKALIKES)
