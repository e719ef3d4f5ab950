"""The terminal: what commands say, how errors leave them, and Keras made ready.

Exit codes: 0 done, 1 a bug, 2 bad input, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import typer

from kilter import _backend
from kilter._errors import KilterError, OutputError

STOPPED = 130


def prepare_keras(users_code: bool = False) -> None:
    """Choose the fastest backend that is there, and keep what JAX compiles for next time."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "kilter" / "jax"
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _not_collecting():
        _backend.require()
        if not users_code:
            _backend.leave_out_tensorflow()


@contextmanager
def _not_collecting() -> Iterator[None]:
    """Keep the collector from what imports make: it stays, and is long to look through."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
    if not gc.get_freeze_count():
        gc.freeze()


def console(stderr: bool = False) -> Any:
    """Return rich's console, for tables and progress."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def say(text: str) -> None:
    """Tell a person something; standard output stays for results."""
    typer.echo(text, err=True)


def put(text: str) -> None:
    """Print a result."""
    typer.echo(text)


def dumps(value: Any) -> str:
    """Return JSON for people and programs."""
    import json

    return json.dumps(value, indent=2)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say in a sentence what cannot be written."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write `{path}`: {error.strerror or error}.") from error


def run(app: typer.Typer) -> NoReturn:
    """Run the command line; errors become one sentence and an exit code."""
    _backend.prefer("jax", "tensorflow", "torch")
    try:
        code = app(prog_name="kilter", standalone_mode=False)
        print(end="", flush=True)
    except KilterError as error:
        fail(str(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        fail("stopped.", STOPPED)
    except OSError as error:
        _drop_output()
        fail(f"cannot go on: {error.strerror or error}{_at(error)}.", 2)
    except Exception as error:
        if hasattr(error, "format_message"):
            _explain_usage(error)
        if "KILTER_DEBUG" in os.environ:
            raise
        fail(
            f"unexpected {type(error).__name__}: {error}. This is a bug in kilter; "
            "KILTER_DEBUG=1 shows where.",
            1,
        )
    if code == STOPPED:
        fail("stopped.", STOPPED)
    sys.exit(code or 0)


def _drop_output() -> None:
    """Give up what cannot be written: Python would try again at its end, and fail with 120."""
    try:
        print(end="", flush=True)
    except OSError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _at(error: OSError) -> str:
    return f": `{error.filename}`" if error.filename else ""


def _explain_usage(error: Any) -> NoReturn:
    """Say what is wrong with the words of the command line; without any, show the help."""
    if len(sys.argv) < 2:
        error.show()
        sys.exit(2)
    said = error.format_message().replace("'", "`")
    stop = "" if said.endswith((".", "?")) else "."
    command = error.ctx.command_path if error.ctx else "kilter"
    fail(f"{said[0].lower()}{said[1:]}{stop} `{command} --help` shows what there is.", 2)


def fail(message: str, code: int) -> NoReturn:
    """Say what went wrong, and leave with this code."""
    typer.echo(f"kilter: {message}", err=True)
    sys.exit(code)
