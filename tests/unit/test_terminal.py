"""Texts of services and customers at the terminal: shown as they are, whatever they contain."""

import io

import pytest
from rich.console import Console

from integrations_pipeline import terminal
from integrations_pipeline.terminal import plain, show, tell

ODD = [
    "Acme [/b]",
    "[red]x[/red]",
    "[link=http://x]x[/link]",
    ":bug:",
    "x\\",
    "[",
    "\\[",
]
STEERING = ["\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "a\rb", "a\nb", "\x08", "\u202e", "\u2028"]


@pytest.fixture
def printed(monkeypatch) -> io.StringIO:
    """What commands print, on a terminal with colours."""
    out = io.StringIO()
    console = Console(file=out, width=200, force_terminal=True, color_system=None)
    monkeypatch.setattr(terminal, "console", console)
    return out


@pytest.mark.parametrize("text", ODD)
def test_markup_is_shown_and_not_followed(printed, text) -> None:
    show([{"account": text, "status": "ACTIVE"}], False, empty="")
    tell(terminal.console, "[red]Error:[/red] ", plain(text), " [b]end[/b]")

    assert text in printed.getvalue().splitlines()[3]
    assert f"Error: {text} end" in printed.getvalue()


@pytest.mark.parametrize("text", STEERING)
def test_nothing_steers_the_terminal(printed, text) -> None:
    tell(terminal.console, plain(f"before{text}after"))

    line = printed.getvalue().removesuffix("\n")
    assert line.isprintable()
    assert line.startswith("before")
    assert line.endswith("after")


def test_one_text_stays_one_line(printed) -> None:
    tell(terminal.console, "Error: ", plain("long " * 100))

    assert printed.getvalue().count("\n") == 1
