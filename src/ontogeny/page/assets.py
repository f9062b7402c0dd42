"""The files of the built page. May import ontogeny.errors only, so that a server starts at once."""

from importlib import resources
from pathlib import Path

from ontogeny.errors import RunError


def asset(name: str) -> bytes:
    """Return a file of the built page.

    Raises
    ------
    RunError
        If the page was not built.
    """
    folder = resources.files("ontogeny.page") / "static"
    file = folder.joinpath(*Path(name.removeprefix("./").removeprefix("/")).parts)
    try:
        return file.read_bytes()
    except OSError as error:
        msg = f"expected the built page in {folder}, got no {name}: run `make page` once"
        raise RunError(msg) from error
