"""Renew the platform's catalogue from its code and templates; with `--check` only say what differs or lacks a text.

English stands in the code, Chinese in `locale/zh_Hans/LC_MESSAGES/django.po`. The compiled `.mo` is checked in, so that
nobody needs gettext. A text that is no longer used is dropped; a new one comes in empty, and `--check` fails until it
is translated.
"""

import io
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

PACKAGE = Path(__file__).resolve().parent / "weldgate_platform"
CATALOGUE = PACKAGE / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
KEYWORDS = {
    "_": None, "gettext": None, "gettext_lazy": None, "gettext_noop": None,
    "ngettext": (1, 2), "ngettext_lazy": (1, 2), "pgettext": ((1, "c"), 2),
}  # fmt: skip
_NO_DATE = datetime(2026, 1, 1, tzinfo=UTC)  # else each build would differ from the one before
_HEAD = (
    b'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Plural-Forms: nplurals=1; plural=0;\\n"\n\n'
)
_FILLER = re.compile(r"^\s+", re.MULTILINE)


def found() -> Catalog:
    """Return a catalogue of all that the code says, without places: they would change with every line."""
    catalog = Catalog(locale="zh_Hans", project="weldgate", fuzzy=False)
    for path in sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.html")]):
        if "migrations" in path.parts:
            continue
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".html":
            # Django makes Python of a template, line for line; its indents mean nothing.
            text = _FILLER.sub("", templatize(text, origin=str(path)))
        for _, message, _, context in extract("python", io.BytesIO(text.encode()), keywords=KEYWORDS):
            catalog.add(message, context=context)
    return catalog


def renewed() -> Catalog:
    """Return what the code says with the translations that there are."""
    catalog = found()
    if CATALOGUE.exists():
        with CATALOGUE.open("rb") as file:
            old = read_po(file, locale="zh_Hans")
        for message in catalog:
            known = old.get(message.id, message.context) if message.id else None
            if known is not None:
                message.string = known.string
    return catalog


def missing(catalog: Catalog) -> list[str]:
    """Return what has no Chinese text, or one with other placeholders."""
    names = []
    for message in catalog:
        if message.id:
            said = [
                str(one or "") for one in (message.string if isinstance(message.string, tuple) else [message.string])
            ]
            wanted = message.id if isinstance(message.id, str) else message.id[-1]
            holes = set(re.findall(r"%\(\w+\)[sd]", wanted))
            if not all(said) or any(set(re.findall(r"%\(\w+\)[sd]", one)) != holes for one in said):
                names.append(str(message.id))
    return names


def rendered(catalog: Catalog) -> tuple[bytes, bytes]:
    """Return the text file and the compiled one; equal catalogues give equal bytes."""
    text, compiled = io.BytesIO(), io.BytesIO()
    write_po(text, catalog, width=120, sort_output=True, omit_header=True)
    text = io.BytesIO(_HEAD + text.getvalue().lstrip(b"\n"))
    plain = read_po(io.BytesIO(text.getvalue()), locale="zh_Hans")
    plain.creation_date = plain.revision_date = _NO_DATE
    write_mo(compiled, plain)
    return text.getvalue(), compiled.getvalue()


def main() -> int:
    """Run; exit code 1 when something is missing, or `--check` finds a difference."""
    settings.configure(USE_I18N=False)
    catalog = renewed()
    text, compiled = rendered(catalog)
    faults = [f"no Chinese text: {name}" for name in missing(catalog)]
    for path, data in ((CATALOGUE, text), (CATALOGUE.with_suffix(".mo"), compiled)):
        if not path.exists() or path.read_bytes() != data:
            if "--check" in sys.argv[1:]:
                faults.append(f"{path.name} is not what the code says: run collector/build_messages.py")
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
    sys.stderr.write("".join(f"{fault}\n" for fault in faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
