"""Whoever may tell the chip the time can neither stretch a session nor bring an expired token back."""

import sys
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "firmware"))  # tests are no package

from driver_world import NOW_UNIX, SCANNER, World

from weldgate_firmware import clock

LIFE_S = 900
# What a power cut may take from the trusted floor, and what a welcome may lower it by: decision 62.
GRACE_S = clock.KEEP_EVERY_S + clock.MARGIN_S

EVENTS = st.one_of(
    st.tuples(st.just("pass"), st.integers(1, 300)),
    st.tuples(st.just("pass"), st.integers(1, 300)),
    st.tuples(st.just("welcome"), st.integers(-100 * 365 * 86400, 0)),
    st.tuples(st.just("welcome"), st.integers(-700, 0)),
    st.tuples(st.just("often"), st.integers(1, 60)),
    st.tuples(st.just("cut"), st.just(0)),
    st.tuples(st.just("press"), st.just(0)),
    st.tuples(st.just("scan"), st.integers(0, 2)),
)


class Told(World):
    """A world that knows the true time and how long the relay may be closed by which token."""

    def __init__(self) -> None:
        self.first_ms: dict[str, int] = {}  # when a token first opened a session
        super().__init__()
        self.settle()
        self.driver.time_offered(self.true_s(), 0, 2)
        self.cuts = 0
        for number in range(3):
            self.token(f"t{number}", expires_s=LIFE_S * (number + 1))

    def true_s(self) -> int:
        return NOW_UNIX + self.ms // 1000

    def do(self, event: str, value: int) -> None:
        if event == "pass":
            self.skip(value)
        elif event == "welcome":
            self.driver.time_offered(max(self.true_s() + value, 0), 0, 2)
        elif event == "often":
            for _ in range(value):
                self.run(900)
                self.driver.time_offered(self.true_s() - 3600, 0, 2)
        elif event == "cut":
            self.cuts += 1
            self.power_cut()
            self.run(100)
        elif event == "press":
            self.press()
            self.run(200)
        else:
            self.show(f"t{value}".encode(), SCANNER)
            self.run(200)

    def check(self) -> None:
        session = self.driver.core.session
        if session is None or not self.outputs.closed:
            return
        number = int(session.token[1:2])
        expires_s = NOW_UNIX + LIFE_S * (number + 1)
        late_s = self.true_s() - expires_s
        assert late_s <= GRACE_S * max(self.cuts, 1), f"closed {late_s} s after the expiry"
        if not self.cuts:
            assert late_s <= clock.MARGIN_S + 1, f"closed {late_s} s after the expiry without a cut"


@settings(max_examples=60, deadline=None)
@given(events=st.lists(EVENTS, min_size=5, max_size=40))
def test_no_time_told_keeps_the_relay_closed_past_the_expiry(events: list[Any]) -> None:
    """Whatever the time told, the relay is open soon after the token's expiry by the true time."""
    world = Told()
    for event, value in events:
        world.do(event, value)
        world.check()
