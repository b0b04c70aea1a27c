"""The expectation itself, held against the table in the trace data's README."""

from pathlib import Path

import pytest

from weldgate_simulator.ledger_arc import expected_run

TRACE = Path(__file__).parents[1] / "data" / "weld-trace-gmaw.csv"
# Name, rows, first and last arc sample, strikes, glitches: copied from the data README.
TABLE = (
    ("good_weld_block1", 337, 54, 291, 1, ()),
    ("burnthrough_weld_12-14-22-0201-02", 331, 52, 285, 1, ()),
    ("crater_cracks_03-20-23-0122-11", 322, 55, 276, 1, ()),
    ("excessive_convexity_03-04-23-0001-08", 358, 53, 314, 1, ()),
    ("excessive_penetration_02-19-23-0041-01", 385, 58, 339, 1, ()),
    ("good_weld_02-16-23-0081-00", 380, 55, 333, 1, (43,)),
    ("lack_of_fusion_11-21-22-0161-07", 317, 55, 272, 1, ()),
    ("overlap_03-22-23-0041-06", 195, 52, 150, 1, ()),
    ("porosity_w-excessive_penetration_11-01-22-0161-04", 379, 52, 333, 1, ()),
    ("porosity_w_ep_02-26-23-0101-04", 323, 54, 277, 1, ()),
    ("spatter_12-31-22-0001-09", 309, 52, 263, 2, ()),
    ("undercut_03-15-23-0081-05", 299, 52, 253, 1, ()),
    ("warping_weld_11-09-22-0041-10", 322, 53, 276, 1, ()),
)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_run_is_as_the_readme_says(row: tuple[str, int, int, int, int, tuple[int, ...]]) -> None:
    """Rows, first and last arc reading, strikes and glitches of each run are those of the README."""
    name, rows, first, last, strikes, glitches = row

    run = expected_run(TRACE, name)

    assert (run.run, run.readings, run.glitches, run.strikes) == (name, rows, glitches, strikes)
    assert [(arc.first, arc.last) for arc in run.arcs] == [(first, last)]


def test_overlap_run_lasts_99_readings() -> None:
    """The demo's run has 99 readings of arc: 10.976 s."""
    assert expected_run(TRACE, "overlap_").arc_s == pytest.approx(99 / 9.02)


def test_out_readings_are_no_arc_time() -> None:
    """Run spatter is out for three readings between its strikes; they are not arc time."""
    assert expected_run(TRACE, "spatter_").arc_s == pytest.approx((263 - 52 + 1 - 3) / 9.02)


def test_ambiguous_and_unknown_names_are_refused() -> None:
    """A beginning that two runs share, or none, is an error that says how many."""
    with pytest.raises(ValueError, match="2 runs"):
        expected_run(TRACE, "good_weld_")
    with pytest.raises(ValueError, match="0 runs"):
        expected_run(TRACE, "no_such")


def test_two_second_pause_parts_two_arcs(tmp_path: Path) -> None:
    """Hot readings 2 s apart or more are two arcs, closer ones one; charge and peak add up."""
    file = tmp_path / "trace.csv"
    amperes = [0, 100, 100, *[0] * 17, 200, 200, *[0] * 19, 50, 60]
    file.write_text("Run,Primary Weld Current\n" + "".join(f"r,{value}\n" for value in amperes), encoding="utf-8")

    run = expected_run(file, "r")

    assert [(arc.strikes, round(arc.arc_s * 9.02)) for arc in run.arcs] == [(2, 4), (1, 2)]
    assert run.peak_a == 200
    assert run.charge_mah == pytest.approx((200 + 400 + 110) / 9.02 / 3.6)
