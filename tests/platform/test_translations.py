"""Every text of the platform in Chinese, and the compiled catalogue current."""

import subprocess
import sys
from pathlib import Path

from django.utils.translation import gettext, override

from weldgate_platform.accounts.roles import Capability, Role

ROOT = Path(__file__).resolve().parents[2]


def test_catalogue_is_complete_and_current() -> None:
    """Each text that code and templates say has its Chinese one, with the same placeholders, and is compiled."""
    command = [sys.executable, "collector/build_messages.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stderr


def test_names_of_roles_and_rights_are_in_both_languages() -> None:
    """As they are shown."""
    for one in (*Role, *Capability):
        with override("zh-hans"):
            chinese = str(one.label)
        with override("en"):
            english = str(one.label)
        assert english.isascii()
        assert not chinese.isascii()


def test_unknown_text_stays_english() -> None:
    """What the test above would not notice if the catalogue said yes to everything."""
    with override("zh-hans"):
        assert gettext("No such text") == "No such text"
