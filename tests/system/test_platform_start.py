"""The whole line with the platform: a page, a signed token, a broker, a collector, the chip's firmware, and back."""

import http.cookiejar
import json
import re
import signal
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from weldgate_simulator.broker import free_port
from weldgate_simulator.line import wait_for

WELDGATE = [sys.executable, "-m", "weldgate_tools.cli"]
PASSWORD = "arc-gap-three-hundred"

# The registry of one machine and one welder, through the models: who enters them by page is tested elsewhere.
_SEED = """
import json, sys
from datetime import timedelta
from pathlib import Path
from weldgate_platform.operation import prepare
prepare(Path("county"))
from django.utils import timezone
from weldgate_platform.accounts.models import Assignment, User
from weldgate_platform.people.identity import certificate_hash, identity_hash
from weldgate_platform.people.models import Certificate, Person
from weldgate_platform.registry.fitting import fit
from weldgate_platform.registry.models import Area, Chip, Enterprise, Machine, Site, SiteType
number = "411099190001010008"
area = Area.objects.get(key="411081100")
enterprise = Enterprise.objects.create(name="试", area=area)
site = Site.objects.create(enterprise=enterprise, name="试", area=area, kind=SiteType.objects.get(key="other"))
machine = Machine.objects.create(site=site, process="mma", supply="380", gate="mains")
chip = Chip.objects.create(device=int(sys.argv[1]), collector="site")
user = User.objects.create_user("welder", sys.argv[2])
Assignment.objects.create(user=user, role="welder", enterprise=enterprise)
fit(chip, machine, user, timezone.now())
Person.objects.create(
    name="试", identity=number, identity_hash=identity_hash(number), area=area, enterprise=enterprise, user=user)
Certificate.objects.create(
    source="mem", number="T" + number, number_hash=certificate_hash("mem", "T" + number), holder_name="试",
    holder=number, holder_hash=identity_hash(number), valid_to=timezone.localdate() + timedelta(days=900),
    as_of=timezone.localdate())
print(machine.code)
"""


class Phone:
    """A browser without scripts."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._jar))

    def get(self, path: str) -> str:
        with self._opener.open(self._base + path, timeout=20) as response:
            return str(response.read().decode())

    def post(self, path: str, **fields: str) -> str:
        """Send a form; return the address that it led to."""
        fields["csrfmiddlewaretoken"] = next(str(one.value) for one in self._jar if one.name == "csrftoken")
        data = urllib.parse.urlencode(fields).encode()
        with self._opener.open(urllib.request.Request(self._base + path, data), timeout=20) as response:
            return urllib.parse.urlsplit(response.geturl()).path


@pytest.fixture
def line(tmp_path: Path) -> Iterator[tuple[Phone, str]]:
    """Make a site and a platform beside it, run both; return a phone and the machine's code."""
    ports = {name: str(free_port()) for name in ("port", "mqtt-port", "metrics-port")}
    options = [part for name, port in ports.items() for part in (f"--{name}", port)]

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    run(*WELDGATE, "init", "site", "--chips", "1", *options)
    run(*WELDGATE, "platform", "init", "county")
    device = json.loads((tmp_path / "site" / "chips.jsonl").read_text(encoding="utf-8").splitlines()[0])["device"]
    settings = tmp_path / "county" / "platform.toml"
    text = settings.read_text(encoding="utf-8")
    text = text.replace("secure = true", "secure = false").replace('folder = ""', 'folder = "../site/issuer"')
    text = text.replace('host = ""', 'host = "127.0.0.1"').replace("port = 1883", f"port = {ports['mqtt-port']}")
    settings.write_text(re.sub(r"^# (\[\[|name|key_file)", r"\1", text, flags=re.MULTILINE), encoding="utf-8")
    code = run(sys.executable, "-c", _SEED, device, PASSWORD)
    web = str(free_port())
    with ExitStack() as stack:
        for name, command in (
            ("serve", ["serve", "site", "--demo-chips"]),
            ("web", ["platform", "run", "county", "--port", web]),
        ):
            log = stack.enter_context((tmp_path / f"{name}.log").open("wb"))
            child = subprocess.Popen([*WELDGATE, *command], cwd=tmp_path, stdout=log, stderr=log)
            stack.callback(child.wait, 60)
            stack.callback(child.send_signal, signal.SIGTERM)
        said = lambda name: (tmp_path / f"{name}.log").read_text(encoding="utf-8", errors="replace")  # noqa: E731
        wait_for("the chip", lambda: "1 demo chips online" in said("serve"), 90)
        wait_for("the pages", lambda: "Uvicorn running" in said("web"), 60)
        yield Phone(f"http://127.0.0.1:{web}"), code


@pytest.mark.slow
@pytest.mark.broker
def test_pressed_button_on_the_page_arms_the_chip(line: tuple[Phone, str]) -> None:
    """The welder signs in at the machine's address, starts, and is told to press the machine's button."""
    phone, code = line
    phone.get("/sign-in")
    assert phone.post("/sign-in", username="welder", password=PASSWORD, next=f"/m/{code}") == f"/m/{code}"

    answer = phone.post(f"/m/{code}/start")

    wait_for("the chip's word", lambda: "请在焊机上按下按钮" in phone.get(f"{answer}/state"), 30)
