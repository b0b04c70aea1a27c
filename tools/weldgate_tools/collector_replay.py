"""``weldgate collector replay``: send a recording into any link of a collector."""

import time
from pathlib import Path

import click

import weldgate_collector
from weldgate_collector import ReplayResult, Target, load_config, read_chips
from weldgate_protocol.reason_texts import TEXTS
from weldgate_tools.output import language, print_json
from weldgate_tools.site import config_file

__all__ = ["replay"]


@click.command()
@click.argument("recording", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--to", "url", help="tcp://, tls:// or mqtt://HOST:PORT, serial:PATH; the site's TCP when absent.")
@click.option("--site", type=click.Path(path_type=Path), default=Path("site"), show_default=True, help="Without --to.")
@click.option("--chips-file", type=click.Path(path_type=Path), help="Converse anew with these keys.")
@click.option("--speed", type=click.FloatRange(0), default=1.0, show_default=True, help="0: as fast as it goes.")
@click.option("--ca", type=click.Path(path_type=Path), help="Authority of the collector's certificate, PEM.")
@click.option("--cert", type=click.Path(path_type=Path), help="Own certificate, PEM.")
@click.option("--key", type=click.Path(path_type=Path), help="Its key, PEM.")
@click.option("--baud", type=int, default=115_200, show_default=True, help="Of a serial line.")
@click.option("--username", default="", help="Of the broker.")
@click.option("--password-file", type=click.Path(path_type=Path), help="Of the broker, mode 0600.")
@click.option("--json", "as_json", is_flag=True, help="Print one document, and no progress.")
def replay(
    recording: Path, url: str | None, site: Path, chips_file: Path | None, speed: float, ca: Path | None,
    cert: Path | None, key: Path | None, baud: int, username: str, password_file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Replay what a collector recorded (run --record) into any link of a collector.

    Plain, the bytes go as they were, and the collector turns them away: a recording proves nothing. With
    --chips-file each conversation is held anew, so that a collector in a laboratory stores the same frames; what
    the recording does not hold is declared lost there, so never do that to a collector in service. Exit 1 when
    something was refused.

    \b
    Examples:
      weldgate collector replay monday.wgr --to tcp://127.0.0.1:7460
      weldgate collector replay monday.wgr --chips-file lab/chips.jsonl --to tls://lab:7461 --ca ca.pem --speed 0
      weldgate collector replay monday.wgr --to serial:/dev/ttyUSB1 --speed 10
      weldgate collector replay monday.wgr --to mqtt://127.0.0.1:1883 --json
    """
    password = "" if password_file is None else weldgate_collector.read_secret(password_file).decode().strip()
    ca_file, cert_file, key_file = ("" if path is None else str(path) for path in (ca, cert, key))
    target = Target(url or _site_url(site), ca_file, cert_file, key_file, baud, username=username, password=password)
    chips = None
    if chips_file is not None:
        chips = {int(chip.device).to_bytes(8, "big"): chip for chip in read_chips(chips_file)}
    started_s = time.monotonic()
    result = weldgate_collector.replay(recording, target, chips, speed, None if as_json else _tell)
    if as_json:
        errors = {str(code): count for code, count in result.errors.items()}
        print_json({**result._asdict(), "errors": errors, "seconds": round(time.monotonic() - started_s, 3)})
    else:
        _print(result)
    if result.errors:
        raise SystemExit(1)


def _site_url(site: Path) -> str:
    config = load_config(config_file(site))
    if config.tcp is None:
        raise click.UsageError("the site has no TCP link: name one with --to")
    host = "127.0.0.1" if config.tcp.host in ("0.0.0.0", "::") else config.tcp.host  # noqa: S104 - compared, not bound
    return f"tcp://{host}:{config.tcp.port}"


def _tell(entries: int, recorded_ms: float) -> None:
    click.echo(f"{entries} entries, {recorded_ms / 1000:.1f} s of the recording", err=True)


def _print(result: ReplayResult) -> None:
    click.echo(
        f"{result.connections} connections, {result.frames} frames, {result.bytes_up} bytes up, "
        f"{result.bytes_down} down, {result.acknowledged} records acknowledged"
    )
    click.echo(f"{result.closed_by_collector} connections closed by the collector, {result.behind_ms} ms late at most")
    for code, count in result.errors.items():
        name, chinese, english, *_ = TEXTS.get(code, (str(code), "", ""))
        click.echo(f"{code} {name}, {count} times: {chinese if language() == 'zh' else english}")
