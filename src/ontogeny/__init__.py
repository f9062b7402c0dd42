"""Watch a deep network grow up.

Names are loaded when they are first used, so that records can be read, measured and drawn on a
machine without torch, and the command line's help is there at once.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_HOMES = {
    "Config": "ontogeny.train",
    "InputError": "ontogeny.errors",
    "MissingExtraError": "ontogeny.errors",
    "Observer": "ontogeny.observe",
    "OntogenyError": "ontogeny.errors",
    "Recorder": "ontogeny.observe",
    "Run": "ontogeny.train",
    "RunError": "ontogeny.errors",
    "RunFolder": "ontogeny.run",
    "Task": "ontogeny.tasks",
    "ablation_effects": "ontogeny.pictures.ablation",
    "biography": "ontogeny.construction.biography",
    "expanded_weights": "ontogeny.pictures.ablation",
    "grafts": "ontogeny.construction.grafts",
    "load_task": "ontogeny.tasks",
    "measure": "ontogeny.measure",
    "observe": "ontogeny.observe",
    "open_grafts": "ontogeny.construction.readiness",
    "open_record": "ontogeny.record",
    "page": "ontogeny.page",
    "picture_graph": "ontogeny.construction.picture_graph",
    "picture_graph_of": "ontogeny.construction.picture_graph",
    "picture_graphs": "ontogeny.construction.picture_graph",
    "picture_run": "ontogeny.pictures.store",
    "plot": "ontogeny.plot",
    "prepare": "ontogeny.model",
    "report": "ontogeny.report",
    "roll_back": "ontogeny.construction.rollback",
    "snapshot_steps": "ontogeny.schedule",
    "train": "ontogeny.train",
    "vgg": "ontogeny.model",
}
_MODULES = {"measure", "plot"}
_ACTS = {"observe", "page", "report", "train"}

__all__ = ["__version__", *_HOMES]  # noqa: F822 # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Import the home of a public name on its first use.

    Raises
    ------
    AttributeError
        If the package has no such name.
    ImportError
        If the name needs an extra that is not installed; the message says which.
    """
    if name == "__version__":
        return _version()
    if name not in _HOMES:
        msg = f"module 'ontogeny' has no attribute '{name}'"
        raise AttributeError(msg)
    try:
        home = import_module(_HOMES[name])
    except ModuleNotFoundError as error:
        extras, what = import_module("ontogeny.extras"), f"ontogeny.{name}"
        raise extras.missing_extra(what, error) from error
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


def _version() -> str:
    """Read the version from the installed package, on first use: that takes a fifth of --help."""
    globals()["__version__"] = found = import_module("importlib.metadata").version("ontogeny")
    return found
