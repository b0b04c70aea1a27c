"""Many chips in one process: the real firmware on simulated boards, each with a welder of its own, in real time.

Every chip talks to a real collector over its own socket. Welders are drawn from the seed: most show a good token, weld
a modelled piece of work and hold the button to stop; some bring a token that must be refused; in the demo the last chip
has no welder and is left to whoever watches it. All of them run on one event loop.
"""

import asyncio
import contextlib
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from weldgate_firmware import slots
from weldgate_firmware.meter import dc_hall_1000a
from weldgate_firmware.storage import Storage
from weldgate_issuer import Issuer, IssuerError
from weldgate_protocol import cbor, reasons
from weldgate_simulator import provision
from weldgate_simulator.arc import GMAW_OUTPUT, model
from weldgate_simulator.board import Board
from weldgate_simulator.chip import Chip
from weldgate_simulator.clock import HostClock
from weldgate_simulator.demo_tokens import WRONG_KINDS, good, wrong
from weldgate_simulator.kept_flash import KeptFlash

__all__ = ["Fleet", "Member", "Plan", "new_board"]

_POLL_S = 0.03
_START_GAP_S = 0.02  # chips start one after another, since a boot holds the loop
_REACTION_S = 30.0  # what a welder waits for before giving up
_WRONG_EACH = 7  # every so many-th welder brings a token that must be refused
_PAUSE_MS = (500, 3000)


class Plan(NamedTuple):
    """What a fleet does.

    Attributes:
        devices: chip numbers.
        host, port: the collector's.
        seed: of welders, boards and noise.
        rounds: how often each welder starts; 0 for no end.
        arcs: electrodes in one session.
        telemetry_s: seconds that one telemetry record sums up; 0 leaves it to the firmware.
        watched: the last chip has no welder.
    """

    devices: tuple[int, ...]
    host: str
    port: int
    seed: int
    rounds: int = 0
    arcs: int = 2
    telemetry_s: int = 0
    watched: bool = True


def new_board(
    issuer: Issuer, key_set: bytes, device: int, host: str, port: int, seed: int, telemetry_s: int = 0
) -> Board:
    """Return a provisioned board in real time, not yet started, whose flash is a `KeptFlash`."""
    flash = KeptFlash(seed)
    if telemetry_s:  # configuration slot: {1: version, 2: settings}, its key 2 (firmware, `trust` and `config`)
        Storage(flash, os.urandom).slots.store(slots.CONFIG, cbor.encode({1: 1, 2: {2: telemetry_s}}))
    identity = provision.identity_of(issuer, device.to_bytes(8, "big"), host, port)
    provision.provision(flash, identity, key_set, random.Random(seed).randbytes)  # noqa: S311 - repeatable
    return Board(HostClock(), dc_hall_1000a(), flash, seed=seed)


class Member:
    """One chip of a fleet and its welder.

    Attributes:
        device: its number.
        board, flash, chip: the parts.
        sessions, shown: sessions welded to their end, tokens shown that had to be refused.
        busy: the welder is not through with the plan.
        trouble: what the welder waited for in vain.
    """

    def __init__(self, device: int, board: Board, wrong_kind: str) -> None:
        self.device = device
        self.board = board
        self.flash: KeptFlash = board.flash
        self.chip = Chip(board)
        self.wrong_kind = wrong_kind
        self.sessions = self.shown = 0
        self.busy = False
        self.trouble = ""
        self.task: asyncio.Task[None] | None = None

    @property
    def online(self) -> bool:
        """Whether the collector has accepted the chip."""
        app = self.chip.app
        return app is not None and app.link is not None and app.link.online

    def told(self) -> str:
        """Return what went wrong: for the welder, or an error that ended the chip's app; empty for nothing."""
        failed = self.chip.failed
        return self.trouble or ("" if failed is None else f"its app ended with {failed!r}")

    def mark(self) -> tuple[str, int, int, int]:
        """Return epoch, acknowledged, highest, and records that wait to be written; zeros without power."""
        app = self.chip.app
        if app is None:
            return "", 0, 0, 0
        spool = app.driver.spool
        return spool.epoch.hex(), spool.acked, spool.highest, len(app.driver.core.recorder)

    def halt(self) -> None:
        """Take the power away for good; nothing reaches flash after this."""
        self.flash.off = True
        self.board.cut_power()
        if self.task is not None:
            self.task.cancel()


class Fleet:
    """Chips and welders of one plan.

    Attributes:
        members: chip number -> member.
    """

    def __init__(self, issuer: Issuer, key_set: bytes, plan: Plan) -> None:
        """Make and provision the boards.

        Args:
            issuer: the site's.
            key_set: signed, as every chip is born with it.
            plan: who, where, how often.
        """
        self.plan = plan
        self._issuer = issuer
        self._stopping = False
        self._begin = asyncio.Event()
        self.members: dict[int, Member] = {}
        for k, device in enumerate(plan.devices):
            kind = WRONG_KINDS[k // _WRONG_EACH % len(WRONG_KINDS)] if k % _WRONG_EACH == _WRONG_EACH - 1 else ""
            board = new_board(issuer, key_set, device, plan.host, plan.port, plan.seed * 100_003 + k, plan.telemetry_s)
            self.members[device] = Member(device, board, kind)

    async def run(self) -> None:
        """Run chips and welders until cancelled.

        Raises:
            Exception: whatever ended one of them.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for k, member in enumerate(self.members.values()):
                    member.task = asyncio.create_task(member.chip.run())
                    group.create_task(self._followed(member.task))
                    if not self.plan.watched or k + 1 < len(self.members):
                        member.busy = True
                        group.create_task(self._weld(member, self.plan.seed * 7919 + k))
                    await asyncio.sleep(_START_GAP_S)
        finally:
            for member in self.members.values():
                member.halt()

    def begin(self) -> None:
        """Let the welders begin; before this the chips only connect."""
        self._begin.set()

    def stop_welding(self) -> None:
        """Let each welder finish the session at hand and go."""
        self._stopping = True
        self._begin.set()

    async def halt(self) -> None:
        """Take each chip's power away at a moment when all that it emitted is acknowledged.

        Raises:
            TimeoutError: a chip had no such moment.
        """
        async with asyncio.timeout(_REACTION_S):
            running = {member for member in self.members.values() if member.board.powered}
            while running:
                for member in list(running):
                    _epoch, acked, highest, waiting = member.mark()
                    if highest and acked == highest and not waiting:
                        member.halt()
                        running.discard(member)
                await asyncio.sleep(_POLL_S)

    def save(self, folder: Path) -> None:
        """Write the chips' flash images, ``<chip>.flash``."""
        for member in self.members.values():
            member.flash.save(folder / f"{member.device}.flash")

    def status(self) -> dict[str, Any]:
        """Return counts over all members, and what went wrong for a welder."""
        members = self.members.values()
        return {
            "chips": len(members),
            "online": sum(member.online for member in members),
            "relays_closed": sum(member.board.relay_closed for member in members),
            "sessions": sum(member.sessions for member in members),
            "refused": sum(member.shown for member in members),
            "busy": sum(member.busy for member in members),
            "restarts": sum(member.chip.starts - 1 for member in members if member.chip.starts),
            "troubles": [f"chip {member.device}: {member.told()}" for member in members if member.told()],
            "cpu_s": round(time.process_time(), 2),
        }

    async def _followed(self, task: "asyncio.Task[None]") -> None:
        """End with the chip; a halt is a good end."""
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(task)

    async def _weld(self, member: Member, seed: int) -> None:
        draw = random.Random(seed)  # noqa: S311 - repeatable by its seed
        try:
            await self._begin.wait()
            await _until("the chip to be online", lambda: member.online)
            rounds = 0
            while not self._stopping and (not self.plan.rounds or rounds < self.plan.rounds):
                await asyncio.sleep(draw.randint(*_PAUSE_MS) / 1000)
                await self._one_round(member, draw)
                rounds += 1
        except (TimeoutError, IssuerError) as error:
            member.trouble = str(error)
        finally:
            member.busy = False

    async def _one_round(self, member: Member, draw: random.Random) -> None:
        board = member.board
        holder = draw.getrandbits(62)
        if member.wrong_kind:
            _scan(board, wrong(member.wrong_kind, self._issuer, member.device, holder))
            member.shown += 1
            return
        _scan(board, good(self._issuer, member.device, holder))
        await _until("the relay to close", lambda: board.relay_closed)
        work = model(draw.getrandbits(32), GMAW_OUTPUT, self.plan.arcs)
        board.play(work)
        over_ms = board.clock.now_ms() + work.duration_ms
        await _until("the work to be done", lambda: board.clock.now_ms() >= over_ms, work.duration_ms / 1000 + 5)
        board.button_down = True
        await _until("the button to end the session", lambda: not board.relay_closed)
        board.button_down = False
        member.sessions += 1


def _scan(board: Board, text: str) -> None:
    board.scanner.put(text.encode() + b"\r")


async def _until(what: str, true: Callable[[], bool], seconds: float = _REACTION_S) -> None:
    """Ask until it is so.

    Raises:
        TimeoutError: it was not so in time.
    """
    deadline_s = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"reason {reasons.TOOL_TIMEOUT}: waited {seconds:.0f} s for {what}")
        await asyncio.sleep(_POLL_S)
