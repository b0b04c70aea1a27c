"""The `weldgate` command: finds a command's module only when it is called, prints errors, sets the exit code.

Exit codes: 0 done, 1 the answer is no or a check failed, 2 wrong usage, 3 an extra is not installed, 4 a file, a
setting or a service is not as it must be, 5 interrupted.
"""

import importlib
import sqlite3
import sys
from collections.abc import Sequence
from typing import Any

import click

from weldgate_protocol.errors import LocalError, WeldgateError
from weldgate_protocol.reasons import TOOL_STORE_DAMAGED
from weldgate_tools import __version__
from weldgate_tools.extras import extra_of
from weldgate_tools.output import say_error

__all__ = ["COMMANDS", "LazyGroup", "main", "weldgate"]

EXIT_USAGE, EXIT_EXTRA, EXIT_LOCAL, EXIT_INTERRUPTED = 2, 3, 4, 5

# Command -> (module, attribute, one line of help, the extra that it needs). A module is imported when its command is
# called, so that `weldgate --help` needs none of them; most import the packages of an extra even later, when they do
# what they are for, so that their own `--help` needs none either.
COMMANDS: dict[str, tuple[str, str, str, str]] = {
    "init": ("weldgate_tools.init", "init", "Make a site: keys, configuration, demo chips.", "sim"),
    "serve": ("weldgate_tools.serve", "serve", "Run what init made: broker and collector, until stopped.", "sim"),
    "demo": ("weldgate_tools.demo", "demo", "Show the whole line in a minute, with a ledger at the end.", "sim"),
    "token": ("weldgate_tools.token", "token", "Issue, show and verify start codes.", "tools"),
    "order": ("weldgate_tools.order", "order", "Issue signed orders and hand them to chips.", "tools"),
    "store": ("weldgate_tools.store", "store", "Look into what a collector has stored.", "collector"),
    "frame": ("weldgate_tools.frame", "frame", "Take frames apart.", "tools"),
    "fleet": ("weldgate_tools.fleet", "fleet", "Run many virtual chips.", "sim"),
    "collector": ("weldgate_tools.collector", "collector", "Run and check a collector, and its chips.", "collector"),
    "platform": ("weldgate_tools.platform_command", "platform", "Run the platform and look after it.", "platform"),
    "reasons": ("weldgate_tools.reasons", "reasons", "Look up a numbered reason.", "tools"),
    "doctor": ("weldgate_tools.doctor", "doctor", "Say what is installed, what is missing, what to do.", "tools"),
}


class ExtraMissing(click.ClickException):
    """A command whose packages are not installed."""

    exit_code = EXIT_EXTRA

    def __init__(self, command: str, module: str) -> None:
        extra = extra_of(module, COMMANDS[command][3])
        name = module.partition(".")[0] or "a package"
        super().__init__(f"`weldgate {command}` needs {name}, which is not installed: pip install 'weldgate[{extra}]'")


def _is_ours(error: ModuleNotFoundError) -> bool:
    """Tell a file of our own that is missing, which is a bug, from a package of an extra."""
    return (error.name or "").startswith("weldgate_")


class LazyGroup(click.Group):
    """The root: lists commands from the table and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; one whose packages are missing answers with what to install."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _help, _extra = COMMANDS[cmd_name]
        try:
            found = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            if _is_ours(error):
                raise
            raise ExtraMissing(cmd_name, error.name or "") from error
        if not isinstance(found, click.Command):
            raise TypeError(f"{module}.{attribute} is no command")
        return found

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a package that it finds missing on the way is told like one missing at the start."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            if _is_ours(error) or ctx.invoked_subcommand not in COMMANDS:
                raise
            raise ExtraMissing(ctx.invoked_subcommand, error.name or "") from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Print the table without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, row[2]) for name, row in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="weldgate")
def weldgate() -> None:
    """Scan-to-start for welding machines: chips, collector, tokens and the simulator that proves them.

    \b
    Examples:
      weldgate demo                 see the whole line at work
      weldgate init site            make a site with its keys
      weldgate serve site           run it
      weldgate doctor               find out what is missing
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    try:
        code = weldgate.main(args=list(arguments) if arguments is not None else None, standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except WeldgateError as error:
        say_error(error)
        sys.exit(EXIT_LOCAL)
    except sqlite3.Error as error:
        say_error(LocalError(TOOL_STORE_DAMAGED, f"a database can't be read: {error}"))
        sys.exit(EXIT_LOCAL)
    except UnicodeEncodeError:
        click.echo("error: an argument holds bytes that are no text", err=True)
        sys.exit(EXIT_USAGE)
    except OSError as error:
        click.echo(f"error: {error.strerror or error}: {error.filename or ''}".rstrip(": "), err=True)
        sys.exit(EXIT_LOCAL)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
