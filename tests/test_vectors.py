"""The checked-in vectors are what their scripts build, and each file refuses about as much as it accepts."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

VECTORS = Path(__file__).resolve().parent / "vectors"


@pytest.mark.parametrize("script", sorted(path.name for path in VECTORS.glob("build_*.py")))
def test_vectors_are_what_their_script_builds(script: str) -> None:
    """`--check` finds no difference (else run the script and look at what changed on the wire)."""
    done = subprocess.run([sys.executable, VECTORS / script, "--check"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["frame", "cbor", "messages"])
def test_refusals_are_as_many_as_acceptances(name: str) -> None:
    """A vector file is no list of good examples."""
    cases = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    refused = sum("error" in case for case in cases)

    assert refused >= sum("expect" in case for case in cases)
