"""The mistakes a user can make, each explained in one sentence.

Every message says what was expected, what was got and what to do.
The command line prints it without a traceback and ends with exit code 2.
"""

import shlex
from pathlib import Path


class OntogenyError(Exception):
    """A mistake of the user's; the message says what was expected, what was got, what to do."""


class InputError(OntogenyError, ValueError):
    """An argument, a file or a folder is not what was expected."""


class RunError(OntogenyError, RuntimeError):
    """A run folder cannot be used as asked: locked, damaged, of a newer schema, out of room."""


class DamagedError(RunError):
    """A file is not what was written; the message names it, what is lost and how to make it."""


class DivergedError(RunError):
    """The loss became NaN or infinite; what was recorded until then is kept."""


class MissingExtraError(OntogenyError, ImportError):
    """An optional package is not installed; the message says how to install it."""


def command(act: str, run: Path) -> str:
    """Return what to type for a run, such as `ontogeny measure runs/faces`, in back quotes."""
    here = Path.cwd()
    shown = run.relative_to(here) if run.is_relative_to(here) and run != here else run
    return f"`ontogeny {act} {shlex.quote(str(shown))}`"
