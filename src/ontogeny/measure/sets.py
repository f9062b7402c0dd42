"""The sets of measures that are kept of a run: one row each, made and opened by name.

To add a set: a module with its function, a row in `SETS`, and nothing else. May import
ontogeny.measure, ontogeny.record and ontogeny.run.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field

import xarray as xr

from ontogeny.errors import InputError
from ontogeny.measure.categories.structure import structure
from ontogeny.measure.couplings.over_steps import graphs
from ontogeny.measure.gains.gains import gains
from ontogeny.measure.keeping import Kind, open_kept
from ontogeny.measure.learning.first import measure_record
from ontogeny.measure.quantity import Chance
from ontogeny.measure.store import kept_as
from ontogeny.measure.units.detectors import detectors
from ontogeny.measure.units.tuning import CHANCE
from ontogeny.progress import Progress
from ontogeny.record import COUPLING, RECOMBINED
from ontogeny.run import RunFolder

FIRST = "measures"
"""The set that is made first, and where no other one is named."""


@dataclass(frozen=True)
class MeasureSet:
    """A set of measures that is made in one go and kept in one file of the run's folder.

    Examples
    --------
    >>> for name, one in ont.measure.SETS.items():
    ...     print(name, "|", one.words)
    ...
    measures | curves, token signals and onsets
    structure | category structure
    graph | couplings over steps
    gains | construction gain
    detectors | tuning and lives of units
    """

    kind: Kind
    """Its name, the sentence that says what it holds, its version."""
    make: Callable[..., xr.Dataset]
    """Makes it from a record; takes `chance` and `progress`, and `run` where `reads_run` is set."""
    chance: Chance = field(default_factory=Chance)
    """How nulls and intervals are drawn where nothing else is asked for."""
    reads_run: bool = False
    """Whether it needs of the run what the record does not hold (weights)."""
    needs: tuple[str, ...] = ()
    """What a record may lack; one without it has no such set."""
    title: str = ""
    """What progress calls it; as a rule what it holds."""

    @property
    def words(self) -> str:
        """What progress calls it."""
        return self.title or self.kind.holds


SETS = {
    one.kind.name: one
    for one in (
        MeasureSet(Kind(FIRST, "curves, token signals and onsets", version=4), measure_record),
        MeasureSet(Kind("structure", "category structure", version=3), structure, reads_run=True),
        MeasureSet(
            Kind("graph", "births, deaths and assemblies of couplings", version=3), graphs,
            needs=(COUPLING,), title="couplings over steps",
        ),
        MeasureSet(
            Kind("gains", "what units add to what they are given"), gains, needs=(RECOMBINED,),
            title="construction gain",
        ),
        MeasureSet(Kind("detectors", "tuning and lives of units", version=4), detectors, CHANCE),
    )
}  # fmt: skip
"""All sets that Ontogeny makes, by name; behind the first one the longest to make comes first."""


def measure_run(
    run: RunFolder | str | os.PathLike[str],
    name: str = FIRST,
    *,
    chance: Chance | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Measure a set of a run's measures into its NAME.zarr, or return what is there and fresh.

    Parameters
    ----------
    run
        A run, or its folder.
    name
        One of `ontogeny.measure.SETS`: measures, structure, graph, gains or detectors.
    chance
        How nulls and intervals are drawn; None: as the set does.
    progress
        Told what is being done and how far it is (`ontogeny.progress`).

    Raises
    ------
    RunError
        If there is no record, or no room for the measures.
    InputError
        If there is no such set, or the record lacks what a measure needs.
    """
    chosen = set_named(name)
    settled = chance or chosen.chance

    def measure(record: xr.Dataset, folder: RunFolder) -> xr.Dataset:
        more = {"run": folder} if chosen.reads_run else {}
        return chosen.make(record, chance=settled, progress=progress, **more)

    return kept_as(chosen.kind, run, measure, chance=settled, progress=progress)


def open_measures(run: RunFolder | str | os.PathLike[str], name: str = FIRST) -> xr.Dataset:
    """Return a set of a run's measures, fresh or refused; nothing is made.

    Parameters
    ----------
    run
        A run, or its folder.
    name
        One of `ontogeny.measure.SETS`: measures, structure, graph, gains or detectors.

    Raises
    ------
    DamagedError
        If they are damaged.
    RunError
        If there are none, or they are of another state of the record or of another version.
    InputError
        If there is no such set.
    """
    kind = set_named(name).kind
    return open_kept(run if isinstance(run, RunFolder) else RunFolder.open(run), kind)


def set_named(name: str) -> MeasureSet:
    """Return the set of a name.

    Raises
    ------
    InputError
        If there is none; all names are told.
    """
    if name not in SETS:
        msg = f"expected one of {', '.join(SETS)}, got {name}: choose one of these sets of measures"
        raise InputError(msg)
    return SETS[name]
