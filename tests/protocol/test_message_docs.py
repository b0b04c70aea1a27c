"""The words for messages and fields: complete, and of nothing that is not there."""

import pytest

from weldgate_protocol.message_docs import ENUMS, FIELDS, RESERVED, SUMMARIES, meaning
from weldgate_protocol.messages import MESSAGES

NAMES = {name: [field[1] for field in table if field[1] != "seal"] for name, table in MESSAGES.values()}


def test_every_message_is_described() -> None:
    """Each message has its sentence and no sentence is left over."""
    assert set(SUMMARIES) == set(FIELDS) == set(NAMES)
    assert set(NAMES) > RESERVED


@pytest.mark.parametrize("message", sorted(NAMES))
def test_every_field_is_described(message: str) -> None:
    """Each field has its words, in the table's order, and no words are left over."""
    assert list(FIELDS[message]) == NAMES[message]


@pytest.mark.parametrize("message", sorted(NAMES))
def test_small_numbers_lie_in_their_bounds(message: str) -> None:
    """A register of small numbers holds only what its field may hold; on the downlink all of it."""
    type_, table = next((type_, table) for type_, (name, table) in MESSAGES.items() if name == message)
    for field in table:
        register = meaning(message, field[1])
        assert all(field[4] <= number <= field[5] for number in register)
        if register and type_ >= 0x80:
            assert sorted(register) == list(range(field[4], field[5] + 1))


def test_registers_are_used() -> None:
    """No register is kept for a field that no message has."""
    fields = {field for names in NAMES.values() for field in names}
    assert set(ENUMS) <= fields


def test_registers_of_one_name_may_differ() -> None:
    """A gap's causes are its own; a field without a register has none."""
    assert meaning("gap", "cause")[3] == "formatted"
    assert meaning("session-stop", "cause") == {}
    assert meaning("update-progress", "state") == {}
    assert meaning("heartbeat", "gate")[5] == "LIVE"
