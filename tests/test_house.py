"""The house style, executed: mirror files, sizes, doors, and what must never be in a tracked file."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from weldgate_simulator.build import chip_modules, other_modules

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {
    "protocol/weldgate_protocol": "protocol",
    "firmware/weldgate_firmware": "firmware",
    "collector/weldgate_collector": "collector",
    "collector/weldgate_issuer": "issuer",
    "collector/weldgate_platform": "platform",
    "simulator/weldgate_simulator": "simulator",
    "tools/weldgate_tools": "tools",
}
# Modules whose tests stand in another file than their own name's, and why.
ELSEWHERE = {
    "weldgate_protocol/_host": "test_compat.py holds both seams against each other",
    "weldgate_protocol/_portable": "test_compat.py",
    "weldgate_protocol/_crc_viper": "test_compat.py, in the interpreter",
    "weldgate_protocol/_ec_viper": "test_ec_machine.py, in the interpreter",
    "weldgate_protocol/_sm3_viper": "test_sm3.py, in the interpreter",
    "weldgate_protocol/host_reasons": "test_reason_texts.py: the register is read as one",
    "weldgate_protocol/collector_record": "test_pack.py: records travel in packs",
    "weldgate_simulator/fetched": "test_debian.py: what is fetched and kept there",
    "weldgate_firmware/gate_text": "test_gate.py compares the page it prints",
    "weldgate_collector/errors": "test_config.py and the others meet each of them",
    "weldgate_collector/upstream/adapters": "test_config.py and tests/contracts/test_upstreams.py",
    "weldgate_collector/upstream/base": "tests/contracts/test_upstreams.py",
    "weldgate_collector/upstream/worker": "test_upstream_mqtt.py and test_upstream_records.py run on it",
    "weldgate_collector/upstream/carrier": "test_upstream_records.py",
    "weldgate_collector/upstream/connection": "test_upstream_mqtt_json.py",
    "weldgate_collector/upstream/encoder": "test_upstream_document.py",
    "weldgate_collector/upstream/row_source": "test_upstream_records.py",
    "weldgate_collector/upstream/settings": "test_config.py and test_upstream_mqtt_json.py",
    "weldgate_collector/upstream/session": "test_upstream_mqtt.py",
    "weldgate_platform/pipe": "test_ingest_intake.py and test_starts_carrier.py, on a broker",
    "weldgate_issuer/passphrase": "test_backup.py",
    "weldgate_issuer/errors": "test_tokens.py",
    "weldgate_simulator/phone": "tests/system/test_hostile_collector.py",
    "weldgate_tools/order_delivery": "test_order.py and test_collector.py hand orders over by it",
    "weldgate_protocol/envelope": "tests/collector/test_envelope.py: the collector's side uses it",
    "weldgate_firmware/board": "tests/simulator/test_interpreter_chip.py runs it in the real interpreter",
    "weldgate_firmware/service": "test_app.py asks every command on a whole app",
    "weldgate_collector/metrics": "test_service.py",
    "weldgate_collector/entry": "test_service.py",
    "weldgate_collector/operation": "test_service.py: health and metrics show it",
    "weldgate_simulator/load_media": "test_collector_figures.py plays it",
    "weldgate_simulator/load_run": "test_collector_figures.py plays it",
    "weldgate_simulator/load_sink": "test_collector_figures.py plays it",
    "weldgate_simulator/json_consumer": "test_collector_figures.py plays it",
    "weldgate_simulator/rig": "test_collector_figures.py plays it",
    "weldgate_collector/links/base": "tests/contracts/test_links.py",
    "weldgate_collector/links/memory": "tests/contracts/test_links.py",
    "weldgate_collector/links/tcp": "tests/contracts/test_links.py",
    "weldgate_collector/links/configured": "test_service.py and test_links_serial.py start what is configured",
    "weldgate_collector/store/appender": "test_store_appender.py, test_store.py and test_power_cut.py",
    "weldgate_collector/store/care": "test_store_care.py",
    "weldgate_collector/store/copies": "test_store_care.py",
    "weldgate_collector/store/keeper": "test_segments.py",
    "weldgate_collector/store/lock": "test_store_care.py",
    "weldgate_collector/store/newest": "test_segments.py",
    "weldgate_collector/store/proof": "test_completeness.py",
    "weldgate_collector/store/reader": "test_store.py",
    "weldgate_collector/store/salvage": "test_store_care.py",
    "weldgate_collector/store/schema": "test_store_schema.py, test_store.py and test_older_segments.py",
    "weldgate_collector/store/shelf": "test_segments.py",
    "weldgate_collector/store/writer": "test_store.py",
    "weldgate_collector/store/wreck": "test_store_care.py",
    "weldgate_issuer/files": "test_site.py: files are a site's",
    "weldgate_issuer/index": "test_site.py",
    "weldgate_issuer/envelope": "test_tokens.py and test_orders.py sign with it",
    "weldgate_collector/replay_ways": "test_replay.py goes every way",
    "weldgate_simulator/mqtt_modules": "tests/collector/test_links_mqtt.py",
    "weldgate_simulator/serial_line": "tests/collector/test_links_serial.py hangs it on a collector",
    "weldgate_simulator/chip_scenario": "tests/system/test_chip_heap.py plays it",
    "weldgate_simulator/chip_snippets": "test_bench.py",
    "weldgate_simulator/disk": "tests/collector/test_power_cut.py",
    "weldgate_simulator/disk_seam": "tests/collector/test_power_cut.py",
    "weldgate_simulator/figures": "test_bench.py",
    "weldgate_simulator/fuzz_batch": "test_fuzz.py",
    "weldgate_simulator/fuzz_bytes": "test_fuzz.py",
    "weldgate_simulator/fuzz_forge": "test_fuzz.py",
    "weldgate_simulator/fuzz_interpreter": "test_fuzz.py",
    "weldgate_simulator/fuzz_parsers": "tests/firmware/test_fuzz_vectors.py, in both interpreters",
    "weldgate_simulator/fuzz_signed": "test_fuzz.py",
    "weldgate_simulator/fuzz_store": "test_fuzz.py",
    "weldgate_simulator/fuzz_talk": "test_fuzz.py",
    "weldgate_simulator/fuzz_wire": "test_fuzz.py",
    "weldgate_simulator/line": "tests/system/test_line.py",
    "weldgate_simulator/provision": "test_chip.py",
    "weldgate_simulator/site_chips": "test_chip.py",
    "weldgate_simulator/soak_chips": "tests/system/test_fault_soak.py: its chips send everything there",
    "weldgate_simulator/soak_faults": "tests/system/test_fault_soak.py",
    "weldgate_simulator/soak_files": "tests/system/test_fault_soak.py",
    "weldgate_simulator/soak_hardware": "tests/system/test_fault_soak.py and test_soak.py: power and clock",
    "weldgate_simulator/soak_site": "tests/system/test_fault_soak.py",
    "weldgate_simulator/timed_board": "test_timed.py",
    "weldgate_simulator/timed_chip": "test_timed.py",
    "weldgate_simulator/timed_script": "test_timed.py",
    "weldgate_simulator/typings": "test_chip.py",
    "weldgate_platform/accounts/admin": "test_access.py asks every admin page as every role",
    "weldgate_platform/accounts/apps": "test_migrations.py: every app is there",
    "weldgate_platform/accounts/access": "test_access.py",
    "weldgate_platform/accounts/models": "test_accounts_scope.py and test_accounts_lockout.py",
    "weldgate_platform/accounts/roles": "test_access.py holds every page against its table",
    "weldgate_platform/accounts/views": "test_accounts_lockout.py signs in and out",
    "weldgate_platform/asgi": "test_operation.py serves it",
    "weldgate_platform/audit/admin": "test_audit_log.py",
    "weldgate_platform/audit/apps": "test_migrations.py",
    "weldgate_platform/audit/models": "test_audit_log.py",
    "weldgate_platform/backup": "test_operation.py",
    "weldgate_platform/headers": "test_access.py looks at every header of a page",
    "weldgate_platform/ingest/apps": "test_migrations.py",
    "weldgate_platform/ingest/models": "test_ingest_journal.py",
    "weldgate_platform/people/admin": "test_access.py",
    "weldgate_platform/people/apps": "test_migrations.py",
    "weldgate_platform/people/deciding": "test_people_views.py",
    "weldgate_platform/people/models": "test_people_importing.py and test_people_views.py",
    "weldgate_platform/people/reveal": "test_people_views.py",
    "weldgate_platform/people/sources": "test_people_importing.py and test_people_views.py",
    "weldgate_platform/registry/importing": "test_sheets_loads.py loads enterprises and machines",
    "weldgate_platform/sheets/admin": "test_access.py",
    "weldgate_platform/sheets/applying": "test_sheets_loads.py",
    "weldgate_platform/sheets/apps": "test_migrations.py",
    "weldgate_platform/sheets/checking": "test_sheets_loads.py",
    "weldgate_platform/sheets/models": "test_sheets_mapping.py and test_sheets_loads.py",
    "weldgate_platform/sheets/plan": "test_sheets_loads.py",
    "weldgate_platform/sheets/target": "test_sheets_loads.py",
    "weldgate_platform/sheets/words": "test_sheets_views.py",
    "weldgate_platform/registry/admin": "test_access.py",
    "weldgate_platform/registry/apps": "test_migrations.py",
    "weldgate_platform/registry/export": "test_registry_views.py",
    "weldgate_platform/registry/models": "test_registry_fitting.py and test_registry_views.py",
    "weldgate_platform/routers": "test_settings.py",
    "weldgate_platform/registry/domains": "test_people_recognition.py and test_starts_views.py",
    "weldgate_platform/starts/admin": "test_access.py",
    "weldgate_platform/starts/apps": "test_migrations.py",
    "weldgate_platform/starts/asking": "test_starts_views.py",
    "weldgate_platform/starts/courier": "test_starts_carrier.py",
    "weldgate_platform/starts/facts": "test_starts_views.py",
    "weldgate_platform/starts/issuing": "test_starts_views.py",
    "weldgate_platform/starts/models": "test_starts_views.py",
    "weldgate_platform/urls": "test_access.py walks it",
    "weldgate_tools/annotate": "test_frame.py and test_store.py",
    "weldgate_tools/asking": "test_collector.py, and every command that asks",
    "weldgate_tools/cli_text": "test_cli.py",
    "weldgate_tools/finding": "test_doctor.py",
    "weldgate_tools/frame_keys": "test_frame.py",
    "weldgate_tools/places": "test_units.py",
    "weldgate_tools/platform_command": "tests/platform/test_operation.py runs its commands",
    "weldgate_tools/site": "test_init.py",
    "weldgate_tools/site_findings": "test_doctor.py",
    "weldgate_tools/store_print": "test_store.py",
    "weldgate_tools/store_view": "test_store.py",
    "weldgate_tools/token_input": "test_token.py",
}


def _tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("no git checkout: an archive's files cannot be told from what was built")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def _modules() -> list[tuple[Path, str]]:
    """Return (source, folder of its tests)."""
    return [
        (path, tests)
        for folder, tests in PACKAGES.items()
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not path.name.startswith("__") and not {"mpy", "migrations"} & set(path.relative_to(ROOT / folder).parts)
    ]


@pytest.mark.parametrize(("source", "tests"), _modules(), ids=lambda v: v.stem if isinstance(v, Path) else "")
def test_every_module_has_tests_where_they_are_looked_for(source: Path, tests: str) -> None:
    """`frame.py` is tested in `test_frame.py`, or the list above says where else and that file is there."""
    package = next(parent for parent in source.parents if parent.name.startswith("weldgate_"))
    name = f"{package.name}/{source.relative_to(package).with_suffix('').as_posix()}"
    own = ROOT / "tests" / tests / f"test_{source.stem.lstrip('_')}.py"
    flat = ROOT / "tests" / tests / f"test_{'_'.join(source.relative_to(package).with_suffix('').parts)}.py"
    if name in ELSEWHERE:
        told = re.findall(r"[\w/]*test_\w+\.py", ELSEWHERE[name])
        assert told, name
        for file in told:
            assert (ROOT / file).is_file() or (ROOT / "tests" / tests / file).is_file(), f"{name}: {file}"
    else:
        assert own.is_file() or flat.is_file(), f"{name}: neither {own.name} nor {flat.name}"


def test_list_of_exceptions_is_current() -> None:
    """What is excused is still there."""
    present = set()
    for source, _ in _modules():
        package = next(parent for parent in source.parents if parent.name.startswith("weldgate_"))
        present.add(f"{package.name}/{source.relative_to(package).with_suffix('').as_posix()}")

    assert not set(ELSEWHERE) - present


def test_no_product_file_passes_400_lines() -> None:
    """One idea a file."""
    long = {
        path.relative_to(ROOT).as_posix(): count
        for folder in PACKAGES
        for path in (ROOT / folder).rglob("*.py")
        if path.parent.name != "migrations"  # written by makemigrations
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long


def test_host_modules_have_a_door() -> None:
    """Each host module lists what it offers in `__all__`, and offers what it lists."""
    for folder in PACKAGES:
        if folder.startswith(("protocol", "firmware")):
            continue
        for path in (ROOT / folder).rglob("*.py"):
            parts = set(path.relative_to(ROOT / folder).parts)
            if path.name in ("__main__.py", "__init__.py") or {"mpy", "migrations"} & parts:
                continue
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found = [
                [item.value for item in node.value.elts if isinstance(item, ast.Constant)]
                for node in tree.body
                if isinstance(node, ast.Assign)
                and isinstance(node.targets[0], ast.Name)
                and node.targets[0].id == "__all__"
                and isinstance(node.value, ast.List)
            ]
            assert found, f"{path.relative_to(ROOT)} has no __all__"


def test_every_chip_package_module_is_listed() -> None:
    """firmware/chip_modules.txt decides for each module whether the chip runs it."""
    listed = set(chip_modules(suites=True)) | other_modules()
    for folder in ("protocol/weldgate_protocol", "firmware/weldgate_firmware"):
        package = Path(folder).name
        for path in (ROOT / folder).rglob("*.py"):
            name = package if path.stem == "__init__" else f"{package}.{path.stem}"
            assert name in listed, name


def test_no_tracked_file_names_a_machine_or_a_registry() -> None:
    """No absolute path of a home or work folder, and no package registry's host."""
    words = ["/(?:home|Users)/[a-z]+/", "/ro~ot/", "/wo~rk/", "py~pi[.]org", "deb[.]deb~ian", "registry[.]np~mjs"]
    # In pieces, so that this file is not found itself.
    forbidden = re.compile("|".join([*words, "index-u~rl"]).replace("~", "").encode())
    bad = {
        path.relative_to(ROOT).as_posix(): match[0]
        for path in _tracked()
        if path.suffix not in (".csv", ".png") and (match := forbidden.search(path.read_bytes()))
    }
    assert not bad


# Loops that ask again after a short sleep, for the two interpreters and for what no event tells of.
POLLING = {
    "tests/collector/conftest.py": "eventually",
    "tests/collector/test_links_mqtt.py": "until",
    "tests/collector/test_links_mqtt_session.py": "until",
    "tests/collector/test_links_serial.py": "until",
    "tests/collector/test_replay.py": "until",
    "tests/collector/test_upstream_mqtt.py": "until",
    "tests/firmware/test_app.py": "until",
    "tests/firmware/collector_double.py": "until",
    "tests/simulator/test_chip.py": "until",
    "tests/simulator/test_fleet.py": "the first boot's records",
}
FOREVER_S = 3600  # no test lasts so long: who sleeps for it stands for somebody that never answers


def _pauses(path: Path) -> Iterator[tuple[ast.Call, bool]]:
    """Yield each call that sleeps for a fixed time, and whether a loop with a condition stands around it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    loops = [node for node in ast.walk(tree) if isinstance(node, ast.While) and not isinstance(node.test, ast.Constant)]
    polling = {id(inner) for loop in loops for inner in ast.walk(loop)}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func) in ("time.sleep", "asyncio.sleep", "sleep")):
            continue
        seconds = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
        if ast.unparse(node.func) != "time.sleep" and seconds in (0, FOREVER_S):
            continue
        yield node, id(node) in polling and ast.unparse(node.func) != "time.sleep"


def test_no_test_sleeps() -> None:
    """Tests wait for conditions: `time.sleep` stands in none of them, `asyncio.sleep` in listed polling loops alone."""
    sleeping = {
        f"{name}:{call.lineno}"
        for path in ROOT.glob("tests/**/*.py")
        for call, polls in _pauses(path)
        if (name := path.relative_to(ROOT).as_posix()) not in POLLING or not polls
    }
    assert not sleeping


def test_list_of_polling_loops_is_current() -> None:
    """Each file that may poll does."""
    assert all(any(polls for _, polls in _pauses(ROOT / name)) for name in POLLING)


def test_fixed_pause_is_found(tmp_path: Path) -> None:
    """One outside a loop, one in a loop that asks nothing, and a blocking one are pauses; a yield is none."""
    source = tmp_path / "test_x.py"
    source.write_text(
        "async def f():\n    await asyncio.sleep(0.05)\n    while True:\n        await asyncio.sleep(PAUSE_S)\n"
        "    while not g():\n        time.sleep(1)\n        await asyncio.sleep(0)\n    await asyncio.sleep(3600)\n"
        "    while not g():\n        await asyncio.sleep(0.01)\n",
        encoding="utf-8",
    )

    assert sorted((call.lineno, polls) for call, polls in _pauses(source)) == [
        (2, False), (4, False), (6, False), (10, True),
    ]  # fmt: skip
