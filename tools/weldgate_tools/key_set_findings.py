"""How many days the chips' own key sets have left, by their heartbeats of the last day, for `weldgate doctor`."""

import time
from collections.abc import Iterator

from weldgate_protocol import messages
from weldgate_protocol.collector_record import RECORD_PRESENCE, decode_record
from weldgate_protocol.errors import WeldgateError
from weldgate_protocol.frame import parse
from weldgate_tools.finding import BAD, GOOD, Finding
from weldgate_tools.site import Site

__all__ = ["KEYS_LOW_DAYS", "examine_key_sets"]

KEYS_LOW_DAYS = 60  # a set is signed anew by then; chips raise an alarm at 30
_RECENT_S = 86_400
_NAMED = 5


def examine_key_sets(site: Site) -> Iterator[Finding]:
    """Look at what the chips that were heard in the last day say of their key sets; nothing where none was heard."""
    from weldgate_collector import Reader, is_store, load_config

    config = load_config(site.checked().config)
    if not is_store(config.data_dir):
        return
    with Reader(config.data_dir) as reader:
        records = reader.newest((RECORD_PRESENCE,), int((time.time() - _RECENT_S) * 1000))
    left = sorted((days, record.device) for record in records if (days := _days(record.raw)) is not None)
    if not left:
        return
    low = [device for days, device in left if days < KEYS_LOW_DAYS]
    named = ", ".join(map(str, low[:_NAMED])) + (" and more" if len(low) > _NAMED else "")
    text = f"{left[0][0]} days left at least" + (f"; fewer than {KEYS_LOW_DAYS} on {len(low)}: {named}" if low else "")
    step = f"weldgate order key-set --site {site.folder} --all --send" if low else ""
    yield Finding("chips' key sets", BAD if low else GOOD, text, step)


def _days(raw: bytes) -> int | None:
    """Return the days that a presence record's heartbeat tells, None where it tells none."""
    try:
        heartbeat = parse(decode_record(raw).frame)
        days = messages.decode(messages.HEARTBEAT, heartbeat.payload).get("key_set_days")
    except WeldgateError:
        return None
    return days if isinstance(days, int) else None
