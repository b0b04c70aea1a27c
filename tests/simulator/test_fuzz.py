"""The fuzzer finds what is planted, repeats by its seed, and has nothing to say about the parsers as they are."""

import json
from pathlib import Path
from typing import Any

import pytest

from weldgate_protocol.errors import CborError
from weldgate_simulator import fuzz, fuzz_batch, fuzz_interpreter, fuzz_parsers
from weldgate_simulator.fuzz_batch import Batch, Find, cases_of, run_batch, targets
from weldgate_simulator.fuzz_parsers import PARSERS
from weldgate_simulator.fuzz_wire import Case

_STRICT = (
    "frame",
    "cbor",
    "message",
    "token",
    "order",
    "key_set",
    "cose",
    "base45",
    "config",
    "identity",
    "key_set_slot",
)
_HANG_CASES = 1  # the first of a batch is counted by steps


def test_every_parser_is_fed() -> None:
    """Each parser has one target, and the other way round."""
    assert sorted(one.parser for one in targets()) == sorted(PARSERS)


def test_small_run_finds_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A few thousand cases: none accepted, none untyped, no hang, the signature reached; the JSON says so."""
    code = fuzz.main(["--cases", "6000", "--seed", "7", "--jobs", "1", "--interpreted", "0", "--json"])
    told = json.loads(capsys.readouterr().out)

    assert code == 0
    assert [told[name] for name in ("cases", "accepted", "untyped", "hangs", "differs")] == [6000, 0, 0, 0, 0]
    assert told["reached_signature"] > 60
    assert (told["seed"], told["finds"]) == (7, [])
    assert all(counts["cases"] for counts in told["parsers"].values())


@pytest.mark.mpy
def test_share_in_the_real_interpreter_is_judged_alike() -> None:
    """MicroPython judges cases of every parser as CPython does."""
    found = fuzz_interpreter.compare(fuzz.plan(3000, 11), 400)

    assert found.cases >= 400
    assert (found.counts, found.finds) == ({}, [])


@pytest.mark.parametrize("parser", sorted(PARSERS))
def test_cases_repeat_with_the_seed(parser: str) -> None:
    """The same batch has the same bytes, another seed or index others."""
    first, again, other, later = (
        [case.data for case in cases_of(Batch(parser, seed, index, 20))]
        for seed, index in ((5, 0), (5, 0), (6, 0), (5, 1))
    )

    assert first == again
    assert first != other
    assert first != later


def test_plan_hands_out_every_case() -> None:
    """Rounding loses no case, and no parser goes without."""
    for cases in (100, 12_345, 300_000):
        batches = fuzz.plan(cases, 1)

        assert sum(batch.cases for batch in batches) == cases
        assert {batch.parser for batch in batches} == set(PARSERS)


@pytest.mark.parametrize("parser", sorted(PARSERS))
def test_parser_that_takes_anything_is_noticed(parser: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a parser that takes what it is given and understands something else, acceptances are counted and kept."""
    taken = {"slots": b"\x84\x41=\x41=\x41=\x41="}.get(parser, b"\x00\x0a\x01\x08forgeryx")
    monkeypatch.setitem(PARSERS, parser, lambda _world, _data: taken)

    _, counts, finds = run_batch(Batch(parser, 1, 0, 120))

    assert counts.accepted > 30
    assert finds[0].why == "accepted"


@pytest.mark.parametrize("parser", _STRICT)
def test_parser_that_echoes_bad_input_is_noticed(parser: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a strict parser refuses must be seen as wrongly taken even when it is given back byte for byte."""
    strict = PARSERS[parser]

    def lenient(world: fuzz_parsers.World, data: bytes) -> bytes:
        try:
            return strict(world, data)
        except Exception:
            return data

    monkeypatch.setitem(PARSERS, parser, lenient)

    _, counts, _ = run_batch(Batch(parser, 1, 0, 200))

    assert counts.accepted > 0


def _raises(error: BaseException) -> Any:
    def parser(_world: fuzz_parsers.World, _data: bytes) -> bytes:
        raise error

    return parser


@pytest.mark.parametrize("error", [KeyError("x"), MemoryError(), RecursionError(), CborError(0, "no number")])
def test_error_of_no_type_is_noticed(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is not a numbered error of ours counts as untyped and is kept with its bytes."""
    monkeypatch.setitem(PARSERS, "cbor", _raises(error))

    _, counts, finds = run_batch(Batch("cbor", 1, 0, 10))

    assert (counts.untyped, counts.accepted, counts.hangs) == (10, 0, 0)
    assert [find.hex for find in finds] == [case.data.hex() for case in cases_of(Batch("cbor", 1, 0, 5))]
    assert finds[0].why.startswith("untyped")


def test_loop_without_end_is_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    """A case above its bound of steps is ended, counted and kept."""

    def endless(_world: fuzz_parsers.World, _data: bytes) -> bytes:
        turns = 0
        while True:
            turns += 1

    monkeypatch.setitem(PARSERS, "cbor", endless)

    _, counts, finds = run_batch(Batch("cbor", 1, 0, _HANG_CASES))

    assert (counts.hangs, finds[0].why) == (1, "hang")


def test_processor_time_is_bounded() -> None:
    """The same case seen at every look for two seconds of the processor is a hang; another case begins anew."""
    watch = fuzz_batch._Watch()
    looks = int(fuzz_batch.HANG_S / fuzz_batch._LOOK_S)
    for case in (1, 2):
        watch.case = case
        for _ in range(looks):
            watch.look(0, None)

    with pytest.raises(fuzz_batch._Hang):
        watch.look(0, None)


def test_finds_are_kept_once(tmp_path: Path) -> None:
    """A find is added to the file, and not a second time."""
    path = tmp_path / "finds.json"
    find = Find("cbor", "accepted", "a0")

    assert fuzz.keep([find], path) == 1
    assert fuzz.keep([find, Find("cbor", "accepted", "a1")], path) == 1
    assert [one["hex"] for one in json.loads(path.read_text())] == ["a0", "a1"]


def test_fault_fails_the_run() -> None:
    """One fault of any kind is enough."""
    for name in ("accepted", "untyped", "hangs", "differs"):
        outcome = fuzz.Outcome()
        counts = fuzz_batch.Counts()
        setattr(counts, name, 1)
        outcome.add("cbor", counts, ())

        assert outcome.faults == 1


def test_signature_is_reached_by_known_keys_only() -> None:
    """Refused by its signature counts; a key set of an unknown root does not."""
    root = fuzz_batch.ROOT_KID

    assert fuzz_batch.reaches_signature("! 5", b"")
    assert fuzz_batch.reaches_signature("! 41", b"")
    assert fuzz_batch.reaches_signature("! 61", b"\x84\x4d\xa2\x01\x26\x04\x48" + root)
    assert not fuzz_batch.reaches_signature("! 61", b"\x84\x4d\xa2\x01\x26\x04\x48" + bytes(8))
    assert not fuzz_batch.reaches_signature("! 3", b"")
    assert not fuzz_batch.reaches_signature("= 00", b"")


def test_case_defaults_to_nothing_allowed() -> None:
    """A case without a note allows nothing."""
    assert Case(b"x").allowed is None
