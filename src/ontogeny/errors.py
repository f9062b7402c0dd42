"""The mistakes a user can make, each explained in one sentence.

Every message says what was expected, what was got and what to do.
The command line prints it without a traceback and ends with exit code 2.
"""

import shlex
from pathlib import Path


class OntogenyError(Exception):
    """A mistake of the user's; the message says what was expected, what was got, what to do.

    Examples
    --------
    All mistakes of a user's can be caught at once:

    >>> issubclass(ont.InputError, ont.OntogenyError), issubclass(ont.RunError, ont.OntogenyError)
    (True, True)
    """


class InputError(OntogenyError, ValueError):
    """An argument, a file or a folder is not what was expected.

    Examples
    --------
    >>> try:
    ...     ont.snapshot_steps(100, "every:0")
    ... except ont.InputError as error:  # a ValueError, too
    ...     print(error)
    ...
    expected snapshots as a count, a list of steps or "every:N" (N >= 1), got "every:0"
    """


class RunError(OntogenyError, RuntimeError):
    """A run folder cannot be used as asked: locked, damaged, of a newer schema, out of room.

    Examples
    --------
    >>> try:
    ...     ont.RunFolder.open("runs/none")
    ... except ont.RunError as error:
    ...     print(str(error).split(",")[0])
    ...
    expected the folder of a run
    """


class DamagedError(RunError):
    """A file is not what was written; the message names it, what is lost and how to make it."""


class DivergedError(RunError):
    """The loss became NaN or infinite; what was recorded until then is kept."""


class MissingExtraError(OntogenyError, ImportError):
    """An optional package is not installed; the message says how to install it.

    Examples
    --------
    Code that is ready for a package that is missing is ready for a missing extra:

    >>> issubclass(ont.MissingExtraError, ImportError)
    True
    """


def command(act: str, run: Path) -> str:
    """Return what to type for a run, such as `ontogeny measure runs/faces`, in back quotes."""
    here = Path.cwd()
    shown = run.relative_to(here) if run.is_relative_to(here) and run != here else run
    return f"`ontogeny {act} {shlex.quote(str(shown))}`"
