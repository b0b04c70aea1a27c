"""Social credit codes and machine codes."""

import pytest

from weldgate_platform.registry.codes import draw_machine_code, normalise_machine_code, uscc_fault


def test_right_code_has_no_fault() -> None:
    """DOMAIN's example."""
    assert uscc_fault("91350100M000100Y43") == ""


@pytest.mark.parametrize("code", ["91350211M0000XUF46", "", "9135", "91350100M000100Y4O", "91350100M000100Y44"])
def test_wrong_code_is_told(code: str) -> None:
    """The first is reported as real all the same, so a fault is a warning (DOMAIN)."""
    assert uscc_fault(code)


def test_every_single_slip_shows() -> None:
    """One character changed is always found: 31 is prime."""
    right = "91350100M000100Y43"
    for place in range(17):
        for char in "0123456789ABCDEFGHJKLMNPQRTUWXY":
            if char != right[place]:
                assert uscc_fault(right[:place] + char + right[place + 1 :])


def test_machine_codes_are_typed_as_people_type() -> None:
    """Lower case, a hyphen, spaces, and letters that look like digits."""
    code = draw_machine_code()

    assert len(code) == 8
    assert not set(code) & set("ILOU")
    assert normalise_machine_code(f" {code[:4].lower()}-{code[4:].lower()} ") == code
    assert normalise_machine_code("oil7") == "0117"
