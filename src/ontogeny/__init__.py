"""Watch a deep network grow up.

Names are loaded when they are first used, so that records can be read, measured and drawn on a
machine without torch.
"""

import sys
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import Any

__version__ = version("ontogeny")

_HOMES = {
    "Config": "ontogeny.train",
    "InputError": "ontogeny.errors",
    "Observer": "ontogeny.observe",
    "OntogenyError": "ontogeny.errors",
    "Recorder": "ontogeny.observe",
    "Run": "ontogeny.train",
    "RunError": "ontogeny.errors",
    "RunFolder": "ontogeny.run",
    "Task": "ontogeny.tasks",
    "load_task": "ontogeny.tasks",
    "measure": "ontogeny.measure",
    "observe": "ontogeny.observe",
    "open_record": "ontogeny.record",
    "page": "ontogeny.page",
    "plot": "ontogeny.plot",
    "prepare": "ontogeny.model",
    "report": "ontogeny.report",
    "snapshot_steps": "ontogeny.schedule",
    "train": "ontogeny.train",
    "vgg": "ontogeny.model",
}
_MODULES = {"measure", "plot"}
_ACTS = {"observe", "page", "report", "train"}

__all__ = ["__version__", *_HOMES]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Import the home of a public name on its first use.

    Raises
    ------
    AttributeError
        If the package has no such name.
    ImportError
        If the name needs an extra that is not installed; the message says which.
    """
    if name not in _HOMES:
        msg = f"module 'ontogeny' has no attribute '{name}'"
        raise AttributeError(msg)
    try:
        home = import_module(_HOMES[name])
    except ModuleNotFoundError as error:
        raise _missing_extra(name, error) from error
    value = home if name in _MODULES else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """`ont.train` is the act, also after the module of that name has been imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _ACTS and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def _missing_extra(name: str, error: ModuleNotFoundError) -> ImportError:
    """Say which extra of the package brings the missing one."""
    extras = {
        "torch": "train",
        "PIL": "train",
        "pooch": "train",
        "matplotlib": "plot",
        "starlette": "page",
        "uvicorn": "page",
    }
    package = (error.name or "").partition(".")[0]
    if package not in extras:
        return error
    return ImportError(
        f"ontogeny.{name} needs {package}, which is not installed: "
        f'pip install "ontogeny[{extras[package]}]"'
    )
