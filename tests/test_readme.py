"""What the README shows runs, and the commands that it names exist."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", flags=re.M | re.S)


def blocks(path: Path, *languages: str) -> list[str]:
    """Return the fenced blocks of a page, in order."""
    found = FENCE.findall(path.read_text(encoding="utf-8"))
    return [text for language, text in found if language in languages]


def shell_lines() -> list[str]:
    """Return every command of every page, continuation lines joined, prompts cut."""
    texts = [t for p in PAGES for t in blocks(p, "console", "bash", "sh")]
    joined = "\n".join(texts).replace("\\\n", " ")
    return [line.strip().removeprefix("$ ").partition(" #")[0] for line in joined.splitlines()]


KILTER_LINES = sorted({line for line in shell_lines() if line.startswith("kilter ")})
MAKE_LINES = sorted({line for line in shell_lines() if line.startswith("make ")})


@functools.cache
def help_of(command: str) -> str:
    code = "from kilter.cli import main; main()"
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    call = [sys.executable, "-c", code, command, "--help"]
    done = subprocess.run(
        call, capture_output=True, text=True, check=True, timeout=60, env=environment
    )
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/parts.md"])
def test_python_blocks_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "page"}
    for number, source in enumerate(blocks(ROOT / page, "python"), start=1):
        exec(compile(source, f"{page}, python block {number}", "exec"), names)


@pytest.mark.parametrize("line", KILTER_LINES)
def test_commands_and_flags_exist(line: str) -> None:
    command, *words = line.split()[1:]
    known = set(re.findall(r"--[a-z][a-z-]*", help_of(command)))
    flags = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert flags <= known


@pytest.mark.parametrize("line", MAKE_LINES)
def test_make_targets_exist(line: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):.*## ", makefile, flags=re.M))
    assert {word for word in line.split()[1:] if "=" not in word} <= targets


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150
