"""The data home: the folders where photographs are looked up.

Imports pooch only.
"""

import os
from pathlib import Path

import pooch


def data_homes() -> list[Path]:
    """Return the folders where data are looked up; what is fetched goes into the first."""
    named = os.environ.get("ONTOGENY_DATA")
    cache = Path(pooch.os_cache("ontogeny"))
    return [Path(named).expanduser(), cache] if named else [cache]


def found_at_home(*names: str) -> Path | None:
    """Return the first folder in a data home that has one of these names, if there is one."""
    places = [home / name for home in data_homes() for name in names]
    return next((place for place in places if place.is_dir()), None)
