"""``weldgate platform``: make, run and look after a platform's folder."""

from datetime import datetime
from pathlib import Path

import click

from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_BAD_INPUT
from weldgate_tools.output import print_json

__all__ = ["platform"]

_FOLDER = click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path("platform"))
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one document.")
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def platform() -> None:
    """Run the platform: people, certificates and machines. FOLDER holds its settings, secrets and databases."""


@platform.command()
@_FOLDER
@click.option("--area", default="411081", show_default=True, help="Administrative code that it is for.")
def init(folder: Path, area: str) -> None:
    """Make a platform in FOLDER: settings, new secrets, empty databases, areas and kinds of workplace.

    Nothing that is there is overwritten.

    \b
    Examples:
      weldgate platform init
      weldgate platform init county --area 411081
    """
    from weldgate_platform.folder import create_folder
    from weldgate_platform.operation import migrate as bring

    create_folder(folder, area)
    rows = bring(folder)
    click.echo(
        f"{folder} is ready, {rows} rows of reference data; next: weldgate platform createuser {folder}", err=True
    )


@platform.command()
@_FOLDER
def migrate(folder: Path) -> None:
    """Bring the databases to this release's tables; repeating changes nothing.

    \b
    Examples:
      weldgate platform migrate county
    """
    from weldgate_platform.operation import migrate as bring

    click.echo(f"tables are of this release, {bring(folder)} rows of reference data added", err=True)


@platform.command()
@_FOLDER
@click.option("--username", prompt=True, help="For signing in.")
@click.option("--name", default="", help="Of the person.")
@click.option("--role", default="", help="Without one it is an operator, who sees all and has the admin pages.")
@click.option("--area", default="", help="Key of the area where the role holds.")
@click.option("--enterprise", type=int, help="Number of the enterprise where the role holds.")
@click.option("--password-file", type=_FILE, help="Its first line; without it the password is asked for.")
def createuser(
    folder: Path, username: str, name: str, role: str, area: str, enterprise: int | None, password_file: Path | None
) -> None:
    """Make an account.

    \b
    Examples:
      weldgate platform createuser county --username operator
      weldgate platform createuser county --username chen --role township --area 411081100
    """
    from weldgate_platform.operation import create_user

    if password_file is not None:
        password = _first_line(password_file)
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    create_user(folder, username, password, name=name, role=role, area=area, enterprise=enterprise)
    click.echo(f"{username} can sign in", err=True)


@platform.command()
@_FOLDER
@_JSON
def doctor(folder: Path, as_json: bool) -> None:
    """Look a platform over; exit code 1 where something is not as it must be.

    \b
    Examples:
      weldgate platform doctor county
    """
    from weldgate_platform.operation import examine

    findings = examine(folder)
    if as_json:
        print_json({"findings": [{"what": one.what, "ok": one.ok, "text": one.text} for one in findings]})
    else:
        for one in findings:
            click.echo(f"{'ok ' if one.ok else 'NO '} {one.what}: {one.text}")
    if not all(one.ok for one in findings):
        raise click.exceptions.Exit(1)


@platform.command()
@_FOLDER
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
def run(folder: Path, host: str, port: int) -> None:
    """Serve the pages until SIGTERM or Ctrl-C.

    \b
    Examples:
      weldgate platform run county --port 8000
    """
    from weldgate_platform.operation import serve

    serve(folder, host, port)


@platform.command()
@_FOLDER
@click.argument("file", type=_FILE)
@click.option("--passphrase-file", type=_FILE, help="Its first line; without it the passphrase is asked for.")
def backup(folder: Path, file: Path, passphrase_file: Path | None) -> None:
    """Write settings, secrets and SQLite databases into FILE, encrypted; the platform may be running.

    A PostgreSQL database is not in it: save that with pg_dump.

    \b
    Examples:
      weldgate platform backup county county.backup
    """
    from weldgate_platform.backup import write_backup

    names = write_backup(folder, file, _passphrase(passphrase_file, new=True))
    click.echo(f"{file} holds {', '.join(names)}", err=True)


@platform.command()
@click.argument("file", type=_FILE)
@_FOLDER
@click.option("--passphrase-file", type=_FILE, help="Its first line; without it the passphrase is asked for.")
def restore(file: Path, folder: Path, passphrase_file: Path | None) -> None:
    """Put a backup into FOLDER, which holds no platform yet.

    \b
    Examples:
      weldgate platform restore county.backup county
    """
    from weldgate_platform.backup import read_backup

    names = read_backup(file, folder, _passphrase(passphrase_file, new=False))
    click.echo(f"{folder} holds {', '.join(names)}", err=True)


@platform.command("import")
@_FOLDER
@click.argument("file", type=_FILE)
@click.option("--mapping", required=True, help="Key of the file's columns, for instance certificates-mem.")
@click.option("--user", required=True, help="In whose name and scope.")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="Day of the data; today without it.")
@click.option("--full", is_flag=True, help="It is the issuer's whole data: what is not in it is gone.")
@click.option("--apply", "write", is_flag=True, help="Write it, where no row is bad; else it is only checked.")
@_JSON
def import_sheet(
    folder: Path, file: Path, mapping: str, user: str, as_of: datetime | None, full: bool, write: bool, as_json: bool
) -> None:
    """Check a spreadsheet and apply it, all of it or nothing; exit code 1 where a row is bad.

    \b
    Examples:
      weldgate platform import county welders.xlsx --mapping people --user chen
      weldgate platform import county mem.csv --mapping certificates-mem --user chen --full --apply
    """
    from weldgate_platform.operation import import_file

    day = as_of.date() if as_of is not None else None
    rows, bad, counts = import_file(
        folder, file, mapping, user, as_of=day, full=full, write=write,
        progress=lambda done: click.echo(f"{done} rows checked", err=True),
    )  # fmt: skip
    if as_json:
        print_json({"rows": rows, "bad": bad, "counts": counts, "applied": write and not bad})
    else:
        for number, said in bad:
            click.echo(f"row {number}: {said}")
        for name, count in sorted(counts.items()):
            click.echo(f"{name} {count}")
        done = "applied" if write and not bad else "checked, nothing written"
        click.echo(f"{rows} rows, {len(bad)} bad: {done}", err=True)
    if bad:
        raise click.exceptions.Exit(1)


@platform.group()
def audit() -> None:
    """Look after the audit log."""


@audit.command()
@_FOLDER
@click.option("--known", help="NUMBER:DIGEST of an entry, as an earlier run printed it.")
@_JSON
def verify(folder: Path, known: str | None, as_json: bool) -> None:
    """Read the whole log; exit code 1 where its chain breaks. Prints the newest entry's number and digest.

    Keep what it prints somewhere else and show it to a later run: then a log that was written anew is noticed too.

    \b
    Examples:
      weldgate platform audit verify county
      weldgate platform audit verify county --known 1024:9f2c…
    """
    from weldgate_platform.operation import verify_audit

    found, head = verify_audit(folder, _known(known) if known else None)
    if as_json:
        print_json({"whole": found.ok, "text": found.text, "number": head[0], "digest": head[1]})
    else:
        click.echo(f"{head[0]}:{head[1]}")
        click.echo(f"audit log: {found.text}", err=True)
    if not found.ok:
        raise click.exceptions.Exit(1)


def _known(text: str) -> tuple[int, str]:
    number, _, digest = text.partition(":")
    if not number.isdecimal() or len(digest) != 64:
        raise LocalError(TOOL_BAD_INPUT, f"--known {text}: a number, a colon and 64 hex digits")
    return int(number), digest.lower()


def _passphrase(file: Path | None, new: bool) -> str:
    if file is not None:
        return _first_line(file)
    return str(click.prompt("Passphrase", hide_input=True, confirmation_prompt=new))


def _first_line(file: Path) -> str:
    return next(iter(file.read_text(encoding="utf-8").splitlines()), "")
