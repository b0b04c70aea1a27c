"""How the command line speaks: data on standard output, talk and errors on standard error, texts in two languages."""

import json
import os
from typing import Any

import click

from weldgate_protocol.errors import WeldgateError
from weldgate_protocol.reason_texts import TEXTS

__all__ = ["language", "print_json", "say_error"]


def language(wanted: str | None = None) -> str:
    """Return `zh` or `en`: the one that was asked for, else by the environment's locale."""
    if wanted in ("zh", "en"):
        return wanted
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name, "")
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def print_json(document: Any) -> None:
    """Print one JSON document, Chinese as Chinese."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def say_error(error: WeldgateError) -> None:
    """Print an error with its number and what to do next."""
    click.echo(f"error {error.code}: {error.message}", err=True)
    text = TEXTS.get(error.code)
    if text is not None:
        click.echo("  " + text[3 if language() == "zh" else 4], err=True)
