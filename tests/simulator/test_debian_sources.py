"""Which of a machine's apt sources `debian_sources` takes over, and what of them."""

from pathlib import Path

import pytest

from weldgate_simulator.debian_sources import read_sources

RELEASE = "ID=debian\nVERSION_CODENAME=bookworm\n"


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """Make a Debian 12 without sources."""
    (tmp_path / "apt" / "sources.list.d").mkdir(parents=True)
    (tmp_path / "os-release").write_text(RELEASE)
    return tmp_path


def write(etc: Path, name: str, text: str) -> None:
    """Write one sources file."""
    (etc / "apt" / name).write_text(text)


def test_deb822_keeps_mirror_and_key_and_swaps_the_suites(etc: Path) -> None:
    """All three suites of the release are swapped; other components are dropped."""
    write(
        etc,
        "sources.list.d/debian.sources",
        "# the mirror\nTypes: deb deb-src\nURIs: http://mirror.invalid/debian\n"
        "Suites: bookworm bookworm-updates bookworm-backports\nComponents: main contrib\nSigned-By: /keys/debian.gpg\n"
        "\nTypes: deb\nURIs: http://security.invalid\nSuites: bookworm-security\nComponents: main\n",
    )

    assert read_sources(etc) == [
        "Types: deb\nURIs: http://mirror.invalid/debian\nSuites: trixie trixie-updates\nComponents: main\n"
        "Signed-By: /keys/debian.gpg",
        "Types: deb\nURIs: http://security.invalid\nSuites: trixie-security\nComponents: main",
    ]


def test_one_line_form_is_read_with_its_options(etc: Path) -> None:
    """`signed-by` is kept and `trusted=yes` is not: it would switch verification off."""
    write(
        etc,
        "sources.list",
        "deb-src http://mirror.invalid/debian bookworm main\n#deb http://off.invalid/debian bookworm main\n"
        "deb [arch=amd64 trusted=yes signed-by=/k/a.gpg] http://mirror.invalid/debian bookworm contrib main # ours\n",
    )

    assert read_sources(etc) == [
        "Types: deb\nURIs: http://mirror.invalid/debian\nSuites: trixie\nComponents: main\nSigned-By: /k/a.gpg"
    ]


def test_key_inside_the_file_is_kept_whole(etc: Path) -> None:
    """A multi-line Signed-By goes over as it stands."""
    key = " -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF\n -----END PGP PUBLIC KEY BLOCK-----"
    write(
        etc,
        "sources.list.d/d.sources",
        f"Types: deb\nURIs: http://m.invalid\nSuites: bookworm\nComponents: main\nSigned-By:\n{key}\nTrusted: yes\n",
    )

    (stanza,) = read_sources(etc)

    assert stanza.endswith(key)
    assert "Trusted" not in stanza


@pytest.mark.parametrize(
    "text",
    [
        "deb http://third.invalid/apt bookworm-pgdg main\n",  # another's suite
        "deb http://third.invalid/apt bookworm stable\n",  # no main
        "deb http://third.invalid/apt trixie main\n",  # not this machine's release
        "deb http://third.invalid/apt ./\n",  # a flat archive
    ],
)
def test_archives_that_are_not_debians_own_are_left_out(etc: Path, text: str) -> None:
    """Only suites of the machine's own release with a main component are Debian's."""
    write(etc, "sources.list", text)

    assert read_sources(etc) == []


def test_disabled_archive_is_left_out(etc: Path) -> None:
    """`Enabled: no` is respected."""
    write(
        etc,
        "sources.list.d/d.sources",
        "Types: deb\nEnabled: no\nURIs: http://m.invalid\nSuites: bookworm\nComponents: main\n",
    )

    assert read_sources(etc) == []


@pytest.mark.parametrize("release", ["", "ID=ubuntu\nVERSION_CODENAME=noble\n", "ID=debian\n"])
def test_other_systems_have_no_debian_archive(etc: Path, release: str) -> None:
    """Ubuntu's mirrors hold no trixie, and a Debian without a name for its release cannot be swapped."""
    (etc / "os-release").write_text(release)
    write(
        etc,
        "sources.list",
        "deb http://mirror.invalid/ubuntu noble main\ndeb http://mirror.invalid/debian bookworm main\n",
    )

    assert read_sources(etc) == []
