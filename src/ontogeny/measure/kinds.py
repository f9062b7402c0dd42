"""The kinds of measures that need nothing of each other, so that they can be made side by side.

May import ontogeny.measure.
"""

from collections.abc import Callable
from dataclasses import dataclass

import xarray as xr

from ontogeny.measure.categories import Chance
from ontogeny.measure.detectors import detectors_run
from ontogeny.measure.graphs import graph_run
from ontogeny.measure.structure import structure_run
from ontogeny.measure.tuning import CHANCE


@dataclass(frozen=True)
class Apart:
    """A kind that can be measured apart from the others."""

    measure: Callable[..., xr.Dataset]
    """Measures a run into its folder."""
    name: str
    """Under which it is kept."""
    chance: Chance
    """How `measure` draws nulls unless it is said otherwise."""


COUPLINGS = "couplings over steps"
APART: dict[str, Apart] = {
    "category structure": Apart(structure_run, "structure", Chance()),
    COUPLINGS: Apart(graph_run, "graph", Chance()),
    "tuning and lives of units": Apart(detectors_run, "detectors", CHANCE),
}
"""The longest first."""
