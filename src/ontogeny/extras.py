"""The optional packages that the package can be installed with, and which of them are missing.

May import `ontogeny.errors` only.
"""

from collections.abc import Sequence
from importlib.util import find_spec

from ontogeny.errors import MissingExtraError

EXTRAS: dict[str, tuple[str, ...]] = {
    "train": ("torch", "PIL", "pooch"),
    "plot": ("matplotlib",),
    "page": ("starlette", "uvicorn", "PIL"),
    "table": ("pyarrow",),
}
"""The modules that each extra of the package brings; the first that has a module is named."""


def missing_modules(extras: Sequence[str]) -> dict[str, list[str]]:
    """Return, for each of these extras that is not whole, its modules that are not installed."""
    absent = {name: [m for m in EXTRAS[name] if find_spec(m) is None] for name in extras}
    return {name: modules for name, modules in absent.items() if modules}


def install_command(extras: Sequence[str]) -> str:
    """Return the command that installs the package with these extras."""
    return f'pip install "ontogeny[{",".join(extras)}]"'


def require(what: str, extras: Sequence[str]) -> None:
    """Refuse to begin what could not be finished with the packages that are installed.

    Raises
    ------
    MissingExtraError
        If a module of these extras is not installed; the message says how to install it.
    """
    absent = missing_modules(extras)
    if absent:
        raise _error(what, [m for modules in absent.values() for m in modules], list(absent))


def missing_extra(what: str, error: ModuleNotFoundError) -> ImportError:
    """Return the error that names the extra which brings a missing module, if one does."""
    module = (error.name or "").partition(".")[0]
    extras = [name for name, modules in EXTRAS.items() if module in modules][:1]
    return _error(what, [module], extras) if extras else error


def _error(what: str, modules: Sequence[str], extras: Sequence[str]) -> MissingExtraError:
    names = ", ".join(dict.fromkeys(modules))
    is_one = len(set(modules)) == 1
    return MissingExtraError(
        f"{what} needs {names}, which {'is' if is_one else 'are'} not installed: "
        f"{install_command(extras)}"
    )
