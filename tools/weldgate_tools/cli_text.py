"""Prints docs/cli.md from the commands themselves: ``python -m weldgate_tools.cli_text [--check] FILE``."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from weldgate_tools.cli import weldgate

__all__ = ["commands", "render"]

HEAD = """\
# The command line

Printed from the code by `python -m weldgate_tools.cli_text docs/cli.md`; a test compares. Data goes to standard
output, talk and errors to standard error; `--json` prints one document for a program. An error names its number
(`weldgate reasons NUMBER`) and what to do next.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | the answer is no, or a check failed |
| 2 | wrong usage |
| 3 | an extra is not installed; the message names the command that installs it |
| 4 | a file, a setting or a service is not as it must be |
| 5 | interrupted |
"""


def commands(command: click.Command = weldgate, words: tuple[str, ...] = ("weldgate",)) -> Iterator[tuple[str, str]]:
    """Yield (command line, help text) of a command and of all below it."""
    names = weldgate.context_settings["help_option_names"]
    context = click.Context(
        command, info_name=" ".join(words), max_content_width=100, terminal_width=100, help_option_names=names
    )
    yield " ".join(words), command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from commands(below, (*words, name))


def render() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for name, text in commands():
        lines = "\n".join(line.rstrip() for line in text.splitlines())
        parts.append(f"\n## {name}\n\n```\n{lines}\n```\n")
    return "".join(parts)


def main(arguments: list[str]) -> int:
    """Write the page, or with `--check` tell whether it is up to date."""
    path = Path(arguments[-1])
    if "--check" in arguments:
        if path.read_text(encoding="utf-8") == render():
            return 0
        print(f"{path} is out of date: python -m weldgate_tools.cli_text {path}", file=sys.stderr)
        return 1
    path.write_text(render(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
