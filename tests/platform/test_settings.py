"""Settings for a site under https; a trial without; argon2; which table is in which database."""

import json
import subprocess
import sys
from pathlib import Path

from weldgate_platform import settings
from weldgate_platform.audit.models import Entry
from weldgate_platform.folder import create_folder
from weldgate_platform.routers import IngestRouter

_SAY = """
import json
from weldgate_platform import settings as s
print(json.dumps({n: getattr(s, n) for n in ("SESSION_COOKIE_SECURE", "SECURE_SSL_REDIRECT", "ALLOWED_HOSTS",
    "SECURE_HSTS_SECONDS", "DATABASES", "PASSWORD_HASHERS", "DEBUG", "TIME_ZONE")}))
"""


def _settings(folder: Path) -> dict[str, object]:
    command = [sys.executable, "-c", _SAY]
    environment = {"WELDGATE_PLATFORM": str(folder), "PATH": "/usr/bin:/bin"}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout
    return json.loads(said)


def test_site_is_under_https_in_shanghai_with_argon2(tmp_path: Path) -> None:
    """As made by `init`."""
    create_folder(tmp_path, "411081")

    found = _settings(tmp_path)

    assert found["SESSION_COOKIE_SECURE"] is found["SECURE_SSL_REDIRECT"] is True
    assert found["SECURE_HSTS_SECONDS"] == 31536000
    assert found["DEBUG"] is False
    assert found["TIME_ZONE"] == "Asia/Shanghai"
    assert found["PASSWORD_HASHERS"] == ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    options = found["DATABASES"]["default"]["OPTIONS"]
    assert options["transaction_mode"] == "IMMEDIATE"
    assert "synchronous=FULL" in options["init_command"]


def test_one_setting_makes_it_postgresql(tmp_path: Path) -> None:
    """Both aliases on one server, the second in a schema of its own."""
    create_folder(tmp_path, "411081")
    path = tmp_path / "platform.toml"
    path.write_text(
        path.read_text(encoding="utf-8").replace('url = ""', 'url = "postgresql://w:p@db/weld"'), encoding="utf-8"
    )

    found = _settings(tmp_path)["DATABASES"]

    assert {one["ENGINE"] for one in found.values()} == {"django.db.backends.postgresql"}
    assert found["ingest"]["OPTIONS"]["options"] == "-c search_path=ingest"


def test_ingested_tables_have_a_database_of_their_own() -> None:
    """And nothing else is there."""
    router = IngestRouter()

    assert router.db_for_write(Entry) == "default"
    assert router.allow_migrate("ingest", "ingest")
    assert not router.allow_migrate("ingest", "audit")
    assert not router.allow_migrate("default", "ingest")
    assert set(settings.DATABASES) == {"default", "ingest"}
