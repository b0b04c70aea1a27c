"""Sessions: the same whatever the order, and made anew from what is kept."""

from itertools import permutations

from weldgate_platform.ingest.journal import Journal
from weldgate_platform.ingest.models import Session
from weldgate_platform.ingest.sessions import apply_frames, rebuild
from weldgate_platform.routers import INGEST
from weldgate_protocol import messages
from weldgate_protocol.frame import Frame

from .packs import ARC, KEY, RESUME, SECOND, START, STOP, SUSPEND, Packer, raw

FRAMES = [
    raw(messages.SESSION_START, 1, START),
    raw(messages.SESSION_SUSPEND, 2, SUSPEND),
    raw(messages.SESSION_RESUME, 3, RESUME),
    raw(messages.ARC, 4, ARC),
    raw(messages.SESSION_STOP, 5, STOP),
]


def _state() -> dict[str, object]:
    (one,) = Session.objects.values()
    return {name: value for name, value in one.items() if name != "id"}


def test_every_order_gives_the_same_session() -> None:
    """One by one; a back-fill lands in its own time."""
    states = []
    for order in permutations(FRAMES):
        Session.objects.all().delete()
        apply_frames([Frame(order[0])])
        apply_frames([Frame(one) for one in order[1:]])
        states.append(_state())

    assert all(state == states[0] for state in states)
    assert states[0]["started_ms"] == (SECOND + 1) * 1000 + 500
    assert states[0]["stopped_ms"] == (SECOND + 5) * 1000 + 500
    assert (states[0]["suspended"], states[0]["holder"]) == (False, "1112131415161718")


def test_suspended_session_is_told() -> None:
    """Until it is resumed."""
    apply_frames([Frame(one) for one in FRAMES[:2]])
    assert Session.objects.get().suspended

    apply_frames([Frame(FRAMES[2])])

    assert not Session.objects.get().suspended


def test_rebuilt_sessions_equal_what_was() -> None:
    """From the frames that are kept, also where the table was lost or spoilt."""
    other = {**START, "token": bytes(8)}
    Journal({"site": KEY}).take("site", [Packer().pack([*FRAMES, raw(messages.SESSION_START, 6, other)])])
    before = list(Session.objects.order_by("token").values_list("token", "started_ms", "stopped_ms", "arcs", "arc_ms"))
    Session.objects.update(arcs=99, started_ms=None)

    assert rebuild() == 2

    after = Session.objects.order_by("token").values_list("token", "started_ms", "stopped_ms", "arcs", "arc_ms")
    assert list(after) == before


def test_arc_without_a_session_and_what_cannot_be_read_make_none() -> None:
    """They are kept all the same."""
    apply_frames([Frame(raw(messages.ARC, 1, {name: value for name, value in ARC.items() if name != "token"}))])
    apply_frames([Frame(raw(messages.REFUSAL, 2, {"reason": 6, "via": 1, "count": 1}))])

    assert not Session.objects.exists()


def test_session_is_found_by_its_token_without_reading_all_of_them() -> None:
    """A page asks once a second for as long as a welder looks at it, and each batch of frames asks too."""
    told = Session.objects.using(INGEST).filter(token="0102030405060708").explain()

    assert "SEARCH" in told
    assert "SCAN" not in told
