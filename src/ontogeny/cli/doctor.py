"""`ontogeny doctor`: what is installed, on what it computes, and what to do about what is missing.

May import ontogeny.extras, what is optional where it is there, and the standard library.
"""

import os
import platform
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.resources import files
from pathlib import Path
from typing import Any

import ontogeny
from ontogeny.extras import EXTRAS, install_command, missing_modules

SETTINGS = (
    "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
)  # fmt: skip
"""Environment variables that say how threads compute and wait."""


def examine() -> dict[str, Any]:
    """Return what is here and, in `missing`, what is not, each with the command that mends it."""
    return {
        "python": platform.python_version(),
        "executable": sys.executable,
        "ontogeny": ontogeny.__version__,
        "place": str(files("ontogeny")),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": _packages(),
        "device": "cpu",
        "cores": _cores(),
        "threads": _threads(),
        "settings": {name: os.environ.get(name) for name in SETTINGS},
        "page_is_built": _page_is_built(),
        "data": _data(),
        "missing": _missing(),
    }


def lines(found: dict[str, Any]) -> list[str]:
    """Say what was found, one subject a line."""
    packages = [f"{name} {release or 'is missing'}" for name, release in found["packages"].items()]
    chosen = [f"{name}={value}" for name, value in found["settings"].items() if value is not None]
    threads, data = found["threads"], found["data"]
    rows = {
        "ontogeny": f"{found['ontogeny']} in {found['place']}",
        "Python": f"{found['python']} ({found['executable']})",
        "system": found["system"],
        "packages": ", ".join(packages),
        "device": f"the processor ({found['cores']} cores that this process may use)",
        "threads": "unknown without PyTorch" if threads is None else f"{threads} of PyTorch",
        "settings": ", ".join(chosen) or f"none of {', '.join(SETTINGS)}",
        "page": "built" if found["page_is_built"] else "not built",
        "data": f"{data['home'] or 'unknown without pooch'} ({data['chosen_by']})",
    }
    width = max(map(len, rows))
    said = [f"{name.ljust(width)}  {words}" for name, words in rows.items()]
    mend = [f"  {one['what']}: {one['command']}" for one in found["missing"]]
    return [*said, "", *(["What is missing, and what to do:", *mend] if mend else ["All is here."])]


def _packages() -> dict[str, str | None]:
    """Return the versions of the packages that are required or optional; None: not installed."""
    names = {_name(line) for line in requires("ontogeny") or []} - {"ontogeny"}
    return {name: _release(name) for name in sorted(names)}


def _name(requirement: str) -> str:
    """Return the package that a line such as `numpy>=1.26; extra == "x"` is about."""
    return "".join(c if c.isalnum() or c in "-_." else " " for c in requirement).split()[0]


def _release(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _threads() -> int | None:
    """Return how many threads PyTorch computes with, if it is installed."""
    if "train" in missing_modules(["train"]):
        return None
    return import_module("torch").get_num_threads()


def _page_is_built() -> bool:
    return files("ontogeny").joinpath("page", "static", "index.html").is_file()


def _data() -> dict[str, str | None]:
    """Return the folder where photographs are looked for, and what chose it."""
    named = os.environ.get("ONTOGENY_DATA")
    if named:
        return {"home": str(Path(named).absolute()), "chosen_by": "ONTOGENY_DATA"}
    home = None if missing_modules(["train"]) else str(import_module("pooch").os_cache("ontogeny"))
    return {"home": home, "chosen_by": "the cache folder, as ONTOGENY_DATA is not set"}


def _missing() -> list[dict[str, str]]:
    what = {
        "train": "training, observing and pictures", "plot": "reports and figures",
        "page": "the page", "table": "tables as parquet files",
    }  # fmt: skip
    absent = missing_modules(list(EXTRAS))
    found = [
        {"what": f"{', '.join(modules)}, for {what[name]}", "command": install_command([name])}
        for name, modules in absent.items()
    ]
    if not _page_is_built():
        found.append({"what": "the built page", "command": "make page"})
    return found
