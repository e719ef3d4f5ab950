"""The progress of a comparison, as a terminal shows it."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from kilter.comparison import Progress
from kilter.report.progress import progress


def terminal() -> Console:
    return Console(file=StringIO(), force_terminal=True, width=100)


def test_trainings_and_the_leader_are_shown() -> None:
    console = terminal()
    with progress(console) as observe:
        observe(Progress(0, 12, "", 0.0))
        observe(Progress(7, 12, "focal", 0.8125))
    shown = console.file.getvalue()
    assert "reading the table" in shown
    assert "compiling" in shown
    assert "7/12" in shown
    assert "ahead: focal 0.81" in shown


def interrupted(console: Console) -> None:
    with progress(console) as observe:
        observe(Progress(0, 12, "", 0.0))
        raise KeyboardInterrupt


def test_an_interrupt_leaves_the_cursor_visible() -> None:
    console = terminal()
    with pytest.raises(KeyboardInterrupt):
        interrupted(console)
    shown = console.file.getvalue()
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
