"""The page that is printed from the conversation's table."""

from pathlib import Path

from weldgate_protocol.conversation_text import render

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conversation.md"


def test_page_is_what_the_table_says() -> None:
    """`docs/conversation.md` is printed from the table: a change of one without the other shows here."""
    assert PAGE.read_text(encoding="utf-8") == render()


def test_every_row_and_state_is_printed() -> None:
    """Each end has all its states as columns, and no cell is left to chance."""
    page = render()
    assert "| event | CLOSED | HELLO_SENT | WELCOMED | ONLINE |" in page
    assert "| event | HELLO_WAIT | WELCOME_SENT | ONLINE | CLOSED |" in page
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert all(line.count("|") in (3, 6) for line in rows)
