"""The four hardships of the demo: broker killed, current past the relay, the wire cut, the collector killed.

Each is a function of the stage and the onlooker; what must hold is seen from outside, as in `scenario`.
"""

from weldgate_protocol import messages, reasons
from weldgate_simulator import demo_tokens
from weldgate_simulator.ledger import covered, read_store
from weldgate_simulator.onlooker import Onlooker
from weldgate_simulator.stage import Stage

__all__ = ["broker_killed", "bypass", "collector_killed", "link_lost"]

_SPOOLED = 3  # records that must wait in flash before the wire is joined again
_BYPASS_MA = 90_000
_ALARM_MS = 1000  # rule S4


def broker_killed(stage: Stage, see: Onlooker) -> None:
    """Kill the broker; what comes meanwhile is delivered afterwards."""
    witness = stage.witness
    with see.step("broker killed with -9 and restarted") as tell:
        stage.line.broker.kill()
        before = witness.delivered()
        enough = len(stage.devices) + 1
        see.until("the store to run ahead", lambda: witness.stored() > max(before, witness.delivered()) + enough)
        behind = witness.stored()
        stage.line.broker.start()
        see.until("the consumer to have what came meanwhile", lambda: witness.delivered() >= behind)
        tell(f"broker killed with -9 and restarted: {behind - before} rows delivered afterwards")


def bypass(stage: Stage, see: Onlooker) -> None:
    """Let current flow past the open relay of one chip: rule S4, also through a power cut."""
    fleet, watched = stage.fleet, stage.devices[-1]
    with see.step("bypass current") as tell:
        began_ms = fleet.ask("bypass", device=watched, current_ma=_BYPASS_MA)["wall_ms"]
        found = see.record(messages.ALARM, lambda fields: fields["alarm"] == reasons.ALARM_BYPASS, watched)
        took_ms = found.at_ms - began_ms
        see.must(took_ms <= _ALARM_MS, f"alarm after {took_ms} ms, at most {_ALARM_MS}")
        see.must(bool(found.fields["latched"]), "the alarm did not latch")
        tell(f"bypass current on chip {watched}: alarmed in {took_ms} ms and latched")
    with see.step("a power cut does not clear it") as tell:
        fleet.ask("bypass", device=watched, current_ma=0)
        starts = fleet.ask("cut", device=watched)["restarts"]
        fleet.ask("restore", device=watched)
        see.until("the chip to start again", lambda: fleet.ask("status")["restarts"] > starts)
        code = demo_tokens.good(stage.issuer, watched, stage.holder())
        fleet.ask("scan", device=watched, text=code)
        see.refused(reasons.GATE_LATCHED, watched)
        tell("latched through a power cut: a good token is refused until the alarm is cleared")


def link_lost(stage: Stage, see: Onlooker) -> None:
    """Cut the wire of the chip that welds; what it spools is back-filled."""
    witness = stage.witness
    with see.step("link lost mid-arc") as tell:
        see.until("the arc to burn", stage.welding)
        stage.wire.cut()
        see.until("records to wait in flash", lambda: len(see.spooled()) >= _SPOOLED)
        waiting = see.spooled()
        see.must(stage.welding(), "the lost link ended the arc")
        see.still_closed()
        tell(f"link lost mid-arc: relay closed, arc burning, {len(waiting)} records wait in flash")
    with see.step("link back") as tell:
        stage.wire.join()
        see.until(
            "the records to be back-filled",
            lambda: waiting.items() <= witness.seqs("consumer", stage.device).items(),
        )
        see.still_closed()
        tell(f"link back: {len(waiting)} records back-filled, byte for byte")


def collector_killed(stage: Stage, see: Onlooker) -> None:
    """Kill the collector; nothing it acknowledged is missing, and the chips come back."""
    with see.step("collector killed with -9 and restarted") as tell:
        stage.line.kill_collector()
        marks = {int(device): mark[:2] for device, mark in stage.fleet.ask("marks")["marks"].items()}
        said = stage.console("spool")
        marks[stage.device] = [said["epoch"], int(said["acked"])]
        stage.line.start_collector()
        there = covered(*read_store(stage.line.store))
        for device, (epoch, acked) in marks.items():
            missing = set(range(1, acked + 1)) - there.get((device, int(epoch or "0", 16)), set())
            see.must(not missing, f"chip {device}: acknowledged and not there: {sorted(missing)[:5]}")
        see.until("all chips to be back", lambda: stage.online() == len(stage.devices) + 1)
        see.still_closed()
        total = sum(mark[1] for mark in marks.values())
        tell(f"collector killed with -9 and restarted: all {total} acknowledged records are there, chips are back")
