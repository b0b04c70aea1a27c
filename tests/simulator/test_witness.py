"""What the witness says of the two databases, and that it waits for those that are not there yet."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package; the world stands beside them

from ledger_world import CHIPS, RECORDS, LedgerWorld

from weldgate_protocol import messages
from weldgate_simulator.witness import Witness


def test_messages_of_one_chip_and_type(tmp_path: Path) -> None:
    """Decoded, in order, with the chip's own time."""
    world = LedgerWorld(tmp_path)
    world.emit(2, messages.ALARM, {"alarm": 150, "id": bytes(8), "state": 1, "latched": True})
    witness = Witness(world.store, world.consumer)

    (alarm,) = witness.arrived(messages.ALARM, 2)

    assert (alarm.device, alarm.seq, alarm.fields["alarm"], alarm.at_ms) == (2, RECORDS + 1, 150, 1002)
    assert witness.arrived(messages.ALARM, 1) == []
    assert len(witness.arrived(messages.REFUSAL)) == CHIPS * RECORDS


def test_bytes_by_identity_on_both_ends(tmp_path: Path) -> None:
    """Store and consumer are asked apart."""
    world = LedgerWorld(tmp_path)
    witness = Witness(world.store, world.consumer)
    world.sql(world.consumer, "DELETE FROM frames WHERE device = 1 AND seq = 3")

    stored, delivered = witness.seqs("store", 1), witness.seqs("consumer", 1)

    assert len(stored) == RECORDS
    assert set(stored) - set(delivered) == {(0x07070707, 3)}
    assert (witness.stored(), witness.delivered()) == (CHIPS * RECORDS, CHIPS * RECORDS - 1)


def test_databases_that_are_not_there_hold_nothing(tmp_path: Path) -> None:
    """Their owners may only just be starting; nothing is made in their place."""
    witness = Witness(tmp_path / "a", tmp_path / "b")

    assert (witness.stored(), witness.delivered(), witness.arrived(messages.ALARM)) == (0, 0, [])
    assert list(tmp_path.iterdir()) == []
