"""``weldgate reasons``: the register of numbered reasons, in Chinese and English, with what to do next."""

import click

from weldgate_protocol.reason_texts import TEXTS
from weldgate_tools.output import language, print_json

__all__ = ["reasons"]


@click.command()
@click.argument("what", required=False)
@click.option("--lang", type=click.Choice(["zh", "en"]), help="Language; both when a single reason is asked for.")
@click.option("--json", "as_json", is_flag=True, help="Print one document.")
def reasons(what: str | None, lang: str | None, as_json: bool) -> None:
    """Look up a reason by number or by a part of its name; without one, list all.

    The same number stands in frames, on the box (flashes), on the page and in logs. Exit 1 when there is none.

    \b
    Examples:
      weldgate reasons 9
      weldgate reasons latched --lang zh
      weldgate reasons --json
    """
    found = {number: row for number, row in sorted(TEXTS.items()) if _matches(what, number, row[0])}
    if as_json:
        print_json(
            [
                {"number": number, "name": row[0], "zh": row[1], "en": row[2], "next_zh": row[3], "next_en": row[4]}
                for number, row in found.items()
            ]
        )
    elif len(found) == 1:
        for number, row in found.items():
            click.echo(f"{number} {row[0]}")
            if lang != "en":
                click.echo(f"  {row[1]}。{row[3]}。")
            if lang != "zh":
                click.echo(f"  {row[2]}. {row[4]}.")
    else:
        chinese = language(lang) == "zh"
        for number, row in found.items():
            click.echo(f"{number:4d}  {row[0]:28s} {row[1] if chinese else row[2]}")
    if not found:
        click.echo(f"no reason called {what}", err=True)
        raise SystemExit(1)


def _matches(what: str | None, number: int, name: str) -> bool:
    if what is None:
        return True
    return str(number) == what if what.isdecimal() else what.upper() in name
