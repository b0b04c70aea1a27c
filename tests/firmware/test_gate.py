"""The gate's table: what closes, what opens, and what a pair outside the table does."""

import unittest

from weldgate_firmware import gate
from weldgate_firmware.gate import Gate

CLOSED = (gate.LIVE, gate.ENDING)
STATES = (
    gate.LOCKED,
    gate.IDLE,
    gate.ARMED,
    gate.COMMITTING,
    gate.LIVE,
    gate.ENDING,
    gate.SUSPENDED,
    gate.LATCHED,
)


def at(state):
    """Return a gate in `state`."""
    one = Gate()
    one.state = state
    return one


class TestPath(unittest.TestCase):
    """The ordinary way of a session through the table."""

    def walk(self, steps):
        """Post each event and compare state and actions."""
        one = Gate()
        for event, state, actions in steps:
            self.assertEqual(one.post(event), actions)
            self.assertEqual(one.state, state)
        return one

    def test_starts_locked_and_open(self):
        """A new gate holds the relay open and lets nothing start."""
        one = Gate()

        self.assertEqual(one.state, gate.LOCKED)
        self.assertFalse(one.closed)
        self.assertEqual(one.post(gate.TOKEN_ACCEPTED), (gate.REFUSE,))

    def test_token_act_and_records_close(self):
        """Token, local act and durable records, in this order, close the relay; a pause while ending opens it."""
        one = self.walk(
            (
                (gate.FREED, gate.IDLE, (gate.OPEN_RELAY,)),
                (gate.TOKEN_ACCEPTED, gate.ARMED, ()),
                (gate.LOCAL_ACT, gate.COMMITTING, (gate.COMMIT,)),
                (gate.RECORDS_DURABLE, gate.LIVE, (gate.CLOSE_RELAY,)),
                (gate.SOFT_END, gate.ENDING, ()),
            )
        )

        self.assertTrue(one.closed)
        self.assertEqual(one.post(gate.ARC_QUIET), (gate.OPEN_RELAY, gate.STOP))
        self.assertFalse(one.closed)

    def test_power_failure_suspends_and_an_act_resumes(self):
        """After a power failure only a local act and durable records close again."""
        one = at(gate.LIVE)

        self.assertEqual(one.post(gate.POWER_FAILING), (gate.OPEN_RELAY, gate.SUSPEND))
        self.assertEqual(one.post(gate.LOCAL_ACT), (gate.COMMIT,))
        self.assertEqual(one.post(gate.RECORDS_DURABLE), (gate.CLOSE_RELAY,))

    def test_latched_is_left_by_way_of_locked(self):
        """Clearing the last alarm leaves the machine locked until it is shown that nothing is held."""
        one = at(gate.LATCHED)

        one.post(gate.ALARMS_CLEARED)
        self.assertEqual(one.state, gate.LOCKED)
        one.post(gate.FREED)
        self.assertEqual(one.state, gate.IDLE)


class TestTable(unittest.TestCase):
    """What holds for every row."""

    def test_no_pair_stands_twice(self):
        """Each (state, event) has one row."""
        seen = {}
        for state, event, _, _ in gate.ROWS:
            self.assertFalse((state, event) in seen)
            seen[(state, event)] = True

    def test_leaving_a_closed_state_opens_first(self):
        """Every row out of LIVE and ENDING begins with OPEN_RELAY."""
        for state, _, after, actions in gate.ROWS:
            if state in CLOSED and after not in CLOSED:
                self.assertEqual(actions[0], gate.OPEN_RELAY)

    def test_unknown_pair_opens(self):
        """A pair outside the table opens the relay, leaves no closed state behind, and is counted."""
        known = {}
        for state, event, _, _ in gate.ROWS:
            known[(state, event)] = True
        for state in STATES:
            for event in range(gate.EVENT_COUNT + 3):
                if (state, event) in known:
                    continue
                with self.subTest(state=state, event=event):
                    one = at(state)
                    actions = one.post(event)
                    self.assertEqual(actions[0], gate.OPEN_RELAY)
                    self.assertFalse(one.closed)
                    self.assertEqual(one.unknown, 1)

    def test_unknown_pair_frees_nothing(self):
        """A pair outside the table neither unlocks nor clears."""
        for state in (gate.LOCKED, gate.LATCHED):
            one = at(state)
            one.post(99)
            self.assertEqual(one.state, state)

    def test_hard_events_open_from_everywhere(self):
        """Lock now, latched alarm, fault and power failure leave the relay open whatever the state."""
        for state in STATES:
            for event in (gate.LOCK_NOW, gate.ALARM_LATCHED, gate.FAULT, gate.POWER_FAILING):
                with self.subTest(state=state, event=event):
                    one = at(state)
                    self.assertEqual(one.post(event)[0], gate.OPEN_RELAY)
                    self.assertFalse(one.closed)


if __name__ == "__main__":
    unittest.main()
