"""What a technician may ask on the console: read-only answers, a token to try, and a blink.

Nothing here needs a key and nothing here changes what holds, so it stays useful on a chip whose keys are lost. A token
from the console is no local act (rule S2).
"""

from weldgate_firmware.config import SETTINGS
from weldgate_firmware.console import ConsoleError
from weldgate_firmware.telling import VIA_CONSOLE
from weldgate_protocol import reasons

TYPE_CHECKING = False
if TYPE_CHECKING:
    from weldgate_firmware.app import App
    from weldgate_firmware.console import Answer, Command

STATES = ("-", "locked", "idle", "armed", "committing", "live", "ending", "suspended", "latched")
QUALITIES = ("floor", "held", "synced")
IDENTIFY_S = 10


class Service:
    """The console's commands on one app."""

    def __init__(self, app: "App") -> None:
        self._app = app

    def commands(self) -> "dict[str, tuple[Command, str]]":
        """Return name -> (function, help)."""
        return {
            "status": (self.status, "state of gate, session, alarms, locks, last reason"),
            "version": (self.version, "firmware, profile, chip id, versions of key set and configuration"),
            "sensor": (self.sensor, "current, arc, sensor fault, mirror contact"),
            "spool": (self.spool, "records held, acknowledged and lost"),
            "link": (self.link, "connection to the collector"),
            "clock": (self.clock, "time and how sure it is"),
            "config": (self.config, "settings in force; config NAME for one"),
            "diag": (self.diag, "failures since start"),
            "token": (self.token, "token WG1:... hands in a token; press the button afterwards"),
            "identify": (self.identify, "blink and beep for ten seconds"),
        }

    def status(self, _argument: str) -> "Answer":
        """Answer with what the gate does and why."""
        core = self._app.driver.core
        session = core.session
        return [
            ("gate", STATES[core.gate.state]),
            ("relay", "closed" if core.closed else "open"),
            ("session", session.token.hex() if session is not None else None),
            ("alarms", sorted(core.holds.latches.values())),
            ("alarm_ids", [id_.hex() for id_ in sorted(core.holds.latches)]),
            ("lock_ids", [id_.hex() for id_ in sorted(core.holds.locks)]),
            ("challenge", core.challenge.hex() if core.armed is not None and core.challenge else None),
            ("sensor_fault", core.sensor_fault),
            ("last_reason", core.last_reason),
            ("uptime_s", core.clock.uptime_s),
        ]

    def version(self, _argument: str) -> "Answer":
        """Answer with who the chip is."""
        app = self._app
        hello = app.driver.hello()
        return [
            ("device", str(int.from_bytes(app.identity.device, "big"))),
            ("firmware", hello["firmware"]),
            ("profile", hello["profile"]),
            ("area", app.identity.area),
            ("boot", hello["boot"]),
            ("key_set_version", hello["key_set_version"]),
            ("config_version", hello["config_version"]),
            ("revocations_version", hello["revocations_version"]),
            ("key_set_days", app.driver.heartbeat()["key_set_days"]),
        ]

    def sensor(self, _argument: str) -> "Answer":
        """Answer with what the current sensor says."""
        core = self._app.driver.core
        sense = core.sense
        return [
            ("current_ma", sense.current_ma),
            ("arc", sense.arc_on),
            ("fault", core.sensor_fault),
            ("contact_closed", self._app.board.mirror()),
            ("source", sense.meter.profile.source),
        ]

    def spool(self, _argument: str) -> "Answer":
        """Answer with the state of the flash ring."""
        core = self._app.driver.core
        spool = core.storage.spool
        return [
            ("epoch", spool.epoch.hex()),
            ("oldest", spool.oldest),
            ("highest", spool.highest),
            ("acked", spool.acked),
            ("used_permille", spool.used_permille),
            ("waiting", len(core.recorder)),
            ("skipped", core.recorder.skipped),
            ("failures", spool.failures),
        ]

    def link(self, _argument: str) -> "Answer":
        """Answer with the state of the connection."""
        link = self._app.link
        if link is None:
            return [("online", False), ("collector", None)]
        return [
            ("online", link.online),
            ("collector", "%s:%d" % (self._app.identity.host, self._app.identity.port)),
            ("connections", link.connections),
            ("failures", link.failures),
            ("error", link.error),
        ]

    def clock(self, _argument: str) -> "Answer":
        """Answer with the time."""
        clock = self._app.driver.core.clock
        unix_s, ms, quality = clock.stamp()
        return [("unix_s", unix_s), ("ms", ms), ("quality", QUALITIES[quality]), ("uptime_s", clock.uptime_s)]

    def config(self, argument: str) -> "Answer":
        """Answer with the settings, or the one asked for."""
        config = self._app.driver.core.config
        found = [(row[1], getattr(config, row[1])) for row in SETTINGS if argument in ("", row[1])]
        if not found:
            raise ConsoleError(reasons.CONSOLE_ARGUMENT, "no setting of that name; config lists them")
        return found

    def diag(self, _argument: str) -> "Answer":
        """Answer with what has gone wrong since the start."""
        app = self._app
        core = app.driver.core
        return [
            ("failures", core.failures),
            ("last_error", core.last_error),
            ("trouble", app.trouble),
            ("gate_unknown", core.gate.unknown),
            ("spool_failures", core.storage.spool.failures),
            ("log_failures", core.facts.log.failures),
            ("console_errors", app.console.errors),
            ("scanner_overlong", app.scanner_overlong),
        ]

    def token(self, argument: str) -> "Answer":
        """Hand a token in; what comes of it is in status."""
        if not argument:
            raise ConsoleError(reasons.CONSOLE_ARGUMENT, "a token is expected: token WG1:...")
        self._app.driver.token(argument, VIA_CONSOLE)
        return [("checking", True)]

    def identify(self, _argument: str) -> "Answer":
        """Make the box show itself."""
        self._app.identify(IDENTIFY_S)
        return [("seconds", IDENTIFY_S)]
