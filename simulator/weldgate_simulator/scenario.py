"""What happens in the demo and in which order: refusals, a start, welding through cuts and kills, an alarm, the end.

Each step is done when its outcome has been observed, most often at the consumer, at the far end of the line; nothing
here sleeps for a time that was guessed. A wait that is not over in time says what it waited for and fails the demo.
"""

from pathlib import Path

from weldgate_protocol import messages, reasons
from weldgate_simulator import demo_tokens, hardships
from weldgate_simulator.arc import GMAW_OUTPUT, Envelope, load_run, model
from weldgate_simulator.onlooker import WAIT_S, Onlooker, Progress
from weldgate_simulator.stage import Stage

__all__ = ["RUN", "Scenario"]

RUN = "overlap_03-22-23-0041-06"
_ARM_S = 10  # the shortest there is, so that a token's wait for its local act is seen to end
_SETTINGS: dict[int, object] = {2: 1, 3: _ARM_S}  # telemetry every second; configuration keys 2 and 3
_RESTED_MS = 300  # a press counts after 200 ms of rest, which a chip just started has yet to see (rule S2)


class Scenario:
    """One performance on one stage.

    Args:
        stage: entered.
        trace: the file with the recorded currents.
        progress: who is told.
        rounds: of the fleet's welders, which are waited for; from the second on the interpreter's chip plays its run
            to the end and has a second session, by a token through the collector and the button.
        patience_s: see `Onlooker`.
    """

    def __init__(self, stage: Stage, trace: Path, progress: Progress, rounds: int, patience_s: float = WAIT_S) -> None:
        self.stage = stage
        self._trace = trace
        self._see = Onlooker(stage, progress, patience_s)
        self._rounds = rounds
        self._used = ""
        self._over_ms = 0

    def play(self) -> None:
        """Perform it all.

        Raises:
            ScenarioError: an outcome was another.
            LineError: one did not come in time.
        """
        self._set_up()
        self._wrong_tokens()
        self._fleet_begins()
        hardships.broker_killed(self.stage, self._see)
        self._no_local_act()
        self._accepted()
        hardships.bypass(self.stage, self._see)
        hardships.link_lost(self.stage, self._see)
        hardships.collector_killed(self.stage, self._see)
        self._closed()
        if self._rounds > 1:
            self._by_button()
        self._welders_through()
        self._power_off()

    def _set_up(self) -> None:
        stage, see = self.stage, self._see
        with see.step("the first chip starts") as tell:
            stage.power_up()
            see.record(messages.CONFIG_REPORT, lambda _: True)
            tell(f"chip {stage.device}, {stage.interpreter_name}: its first records have arrived at the consumer")
        with see.step("a signed configuration reaches it") as tell:
            stage.configure(stage.device, _SETTINGS)
            see.applied((stage.device,))
            tell("a signed configuration through the collector is in force: telemetry every second")

    def _wrong_tokens(self) -> None:
        stage, see = self.stage, self._see
        with see.step("refused without a token") as tell:
            rested_ms = see.now_ms() + _RESTED_MS
            see.until("the button to have rested", lambda: see.now_ms() >= rested_ms)
            stage.press(True)
            see.refused(reasons.GATE_NO_SESSION)
            tell("refused: the button pressed without a token")
        with see.step("a token from afar waits for somebody at the machine") as tell:
            stage.hand_token(demo_tokens.good(stage.issuer, stage.device, stage.holder()))
            see.until("the token to be armed", lambda: stage.console("status").get("gate") == "armed")
            see.must(not see.closed(), "a held button was taken for a local act")
            tell("a token through the collector is armed, and a button held from before starts nothing")
        for reason, kind in (
            (reasons.TOKEN_SIGNATURE, "forged"),
            (reasons.TOKEN_EXPIRED, "expired"),
            (reasons.TOKEN_OTHER_DEVICE, "other machine"),
        ):
            with see.step(f"refused: {kind}") as tell:
                stage.scan(demo_tokens.wrong(kind, stage.issuer, stage.device, stage.holder()))
                see.refused(reason)
                tell(f"refused: a token, {kind}")

    def _fleet_begins(self) -> None:
        stage, see = self.stage, self._see
        chips = len(stage.devices)
        with see.step(f"{chips} chips on CPython start") as tell:
            see.until("all chips to be online", lambda: stage.online() == chips + 1)
            for device in stage.devices:
                stage.configure(device, _SETTINGS)
            see.applied(stage.devices)
            stage.fleet.ask("begin")
            tell(f"{chips} chips on CPython: online, configured by signed orders, welders at work")

    def _no_local_act(self) -> None:
        stage, see = self.stage, self._see
        with see.step("refused without a local act") as tell:
            see.refused(reasons.GATE_NO_LOCAL_ACT)
            stage.press(False)
            tell(f"refused: nobody acted at the machine for {_ARM_S} s")

    def _accepted(self) -> None:
        stage, see = self.stage, self._see
        with see.step("accepted by its own scanner") as tell:
            self._used = demo_tokens.good(stage.issuer, stage.device, stage.holder())
            see.before_start()
            stage.scan(self._used)
            see.until("the relay to close", see.closed)
            run = load_run(self._trace, RUN)
            self._weld(run)
            see.record(messages.SESSION_START, lambda fields: fields["via"] == 1 and fields["act"] == 1)
            tell(f"accepted by its own scanner: relay closed, a recorded run of {run.duration_ms / 1000:.1f} s begins")

    def _closed(self) -> None:
        stage, see = self.stage, self._see
        with see.step("the arc ends") as tell:
            fields = see.record(messages.ARC, lambda _: True).fields
            if self._rounds > 1:
                see.until("the run to be played", lambda: see.now_ms() >= self._over_ms)
            tell(f"the arc is on record: {fields['duration_ms'] / 1000:.2f} s, peak {fields['peak_ma'] // 1000} A")
        self._stop_by_button("session closed by the welder")
        with see.step("refused: replayed") as tell:
            stage.scan(self._used)
            see.refused(reasons.TOKEN_USED)
            tell("refused: the same token once more")

    def _by_button(self) -> None:
        stage, see = self.stage, self._see
        with see.step("accepted by the button") as tell:
            stage.hand_token(demo_tokens.good(stage.issuer, stage.device, stage.holder()))
            see.until("the token to be armed", lambda: stage.console("status").get("gate") == "armed")
            see.before_start()
            stage.press(True)
            see.until("the relay to close", see.closed)
            stage.press(False)
            self._weld(model(stage.seed, GMAW_OUTPUT, 1))
            see.record(messages.SESSION_START, lambda fields: fields["via"] == 3 and fields["act"] == 2)
            tell("accepted: a token through the collector, and the button at the machine")
        with see.step("modelled work") as tell:
            see.until("the work to be done", lambda: see.now_ms() >= self._over_ms)
            tell("a modelled piece of work is done")
        self._stop_by_button("second session closed")

    def _weld(self, work: Envelope) -> None:
        with self.stage.world() as board:
            board.play(work)
            self._over_ms = board.clock.now_ms() + work.duration_ms

    def _stop_by_button(self, text: str) -> None:
        stage, see = self.stage, self._see
        with see.step(text) as tell:
            before = len(stage.witness.arrived(messages.SESSION_STOP, stage.device))
            stage.press(True)
            see.until("the button to open the relay", lambda: not see.closed())
            stage.press(False)
            see.until(
                "the session's stop at the consumer",
                lambda: len(stage.witness.arrived(messages.SESSION_STOP, stage.device)) > before,
            )
            fields = stage.witness.arrived(messages.SESSION_STOP, stage.device)[-1].fields
            see.must(fields["cause"] == reasons.END_WELDER, f"the session ended by reason {fields['cause']}")
            tell(f"{text}: button held for 2 s, {fields['arc_ms'] / 1000:.2f} s of arc in {fields['powered_s']} s")

    def _welders_through(self) -> None:
        fleet, see = self.stage.fleet, self._see
        with see.step("the welders finish") as tell:
            see.until("the welders to be through", lambda: not fleet.ask("status")["busy"], 3 * self._rounds)
            status = fleet.ask("status")
            see.must(not status["troubles"], "; ".join(status["troubles"]))
            tell(f"welders through: {status['sessions']} sessions; {status['refused']} tokens that had to be refused")

    def _power_off(self) -> None:
        stage, witness, see = self.stage, self.stage.witness, self._see
        with see.step("all chips off") as tell:
            stage.fleet.ask("halt")
            see.until("the first chip to have nothing waiting", self._off_when_quiet)
            see.until("the collector to see them go", lambda: stage.online() == 0)
            see.until("everything to be delivered", lambda: witness.delivered() == witness.stored() > 0)
            tell(f"all chips off, each with everything acknowledged; {witness.delivered()} rows at the consumer")

    def _off_when_quiet(self) -> bool:
        with self.stage.world():
            if self._see.spooled():
                return False
            self.stage.power_off()
            return True
