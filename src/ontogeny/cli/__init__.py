"""The command line.

The parser, the commands with their stages, and what the user sees are a module each. Only what the
chosen command needs is imported, and only after its words have been read: help, mistakes and
commands that need no network work, and are quick, without the packages that training needs.

Exit codes: 0 done, 1 a fault of Ontogeny's own (with its traceback), 2 something the user can mend,
130 stopped.
"""

import signal
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from ontogeny.cli.parser import chosen, parser
from ontogeny.errors import OntogenyError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    options = parser(chosen(given)).parse_args(given)
    before = signal.signal(signal.SIGTERM, _interrupt)
    warnings.formatwarning = _in_one_line
    try:
        import_module("ontogeny.cli.commands").perform(options)
    except OntogenyError as error:
        print(f"ontogeny: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, signal.SIG_DFL)  # a second one ends at once
        page = _left_page(options)
        print(f"ontogeny: stopped{page}{_way_on(options.command)}", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _in_one_line(message: Warning | str, *_: Any) -> str:
    """Say what a warning says, without the line of code that it comes from."""
    return f"ontogeny: {message}\n"


def _interrupt(*_: Any) -> None:
    """Let a polite kill end a run as Ctrl-C does."""
    raise KeyboardInterrupt


def _left_page(options: Any) -> str:
    """Write the page of what there is of a run that was stopped; say where it is."""
    if options.command != "run" or not options.out:
        return ""
    print("\nontogeny: writing the page of what is there; Ctrl-C again ends at once",
          file=sys.stderr, flush=True)  # fmt: skip
    try:
        path = import_module("ontogeny.page.export").leave(options.out)
    except OntogenyError as error:
        return f", without a page ({error})"
    return f"; the page of what is there is {path}" if path else ""


def _way_on(command: str) -> str:
    """Say how a command that was stopped goes on."""
    if command in {"run", "train"}:
        return "; the same command with --resume goes on"
    if command in {"observe", "measure", "pictures", "grafts"}:
        return "; the same command does what is missing"
    return ""
