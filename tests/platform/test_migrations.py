"""Migrations: none is missing, each goes back, and forth again to the same tables."""

import json
import subprocess
import sys
from pathlib import Path

from django.core.management import call_command

from weldgate_platform.folder import create_folder

_BACK_AND_FORTH = """
import json, sys
from pathlib import Path
from weldgate_platform.operation import ALIASES, migrate, prepare
folder = Path(sys.argv[1])
added = migrate(folder)
from django.apps import apps
from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
ours = [one.label for one in apps.get_app_configs() if one.name.startswith("weldgate_platform")]
def schema(alias):
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name")
        return {name: sql for name, sql in cursor.fetchall() if name.split("_")[0] in ours}
before = {alias: schema(alias) for alias in ALIASES}
for alias in ALIASES:
    executor = MigrationExecutor(connections[alias])
    executor.migrate([(label, None) for label in ours if label in executor.loader.migrated_apps])
left = [name for alias in ALIASES for name in schema(alias)]
again = migrate(folder)
print(json.dumps({"same": before == {alias: schema(alias) for alias in ALIASES}, "left": left,
    "tables": sum(map(len, before.values())), "added": added, "again": again}))
"""


def test_models_and_migrations_agree() -> None:
    """`makemigrations` would write nothing."""
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_every_app_goes_back_to_nothing_and_forth(tmp_path: Path) -> None:
    """On files as `init` makes them: no table of ours is left in between, and the same ones come again."""
    create_folder(tmp_path / "county", "411081")
    command = [sys.executable, "-c", _BACK_AND_FORTH, str(tmp_path / "county")]

    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["left"] == []
    assert found["same"] is True
    assert found["tables"] > 10
    assert found["added"] == found["again"] > 50
