"""What a run has to show: its record and its measures, or the reason why not.

May import xarray, ontogeny.measure, ontogeny.page.table, ontogeny.record, ontogeny.run and
ontogeny.errors.
"""

from functools import cached_property

import xarray as xr

from ontogeny.errors import InputError, OntogenyError, RunError
from ontogeny.measure import SETS, sketch
from ontogeny.measure.gains.reading import recombined_of
from ontogeny.measure.keeping import PICTURES, open_kept
from ontogeny.measure.learning.sketches import Known
from ontogeny.page.table import SKETCH
from ontogeny.record import NAME as RECORD
from ontogeny.record import open_record
from ontogeny.run import RunFolder


class Sources:
    """A run's datasets by name; what is missing is noted once, with the reason.

    Parameters
    ----------
    run
        The run's folder, in any state.
    known
        What is known of the record's steps, see `ontogeny.measure.sketch`.
    """

    def __init__(self, run: RunFolder, known: Known | None = None) -> None:
        self.run = run
        self._known = known
        self.missing: dict[str, str] = {}

    @cached_property
    def record(self) -> xr.Dataset | None:
        """The record, as far as it goes."""
        try:
            return open_record(self.run.path / RECORD)
        except OntogenyError as error:
            self.missing["the record"] = self._unobserved() or str(error)
            return None

    def _unobserved(self) -> str | None:
        """Return what to do where there are snapshots and nothing was observed of them."""
        count, path = len(self.run.steps), self.run.path
        if count == 0 or (path / RECORD).exists():
            return None
        return f"{count} snapshots are there, not yet observed: run `ontogeny observe {path.name}`"

    def __getitem__(self, name: str) -> xr.Dataset | None:
        """Return a dataset; None where it is not there, damaged or stale."""
        if name == "record":
            return self.record
        if name not in self._found:
            self._found[name] = self._sketch() if name == SKETCH else self._kept(name)
        return self._found[name]

    @cached_property
    def _found(self) -> dict[str, xr.Dataset | None]:
        return {}

    def _sketch(self) -> xr.Dataset | None:
        """Sketch the record where it has what that needs."""
        try:
            return None if self.record is None else sketch(self.record, known=self._known)
        except OntogenyError as error:
            self.missing["a sketch of the record"] = str(error)
            return None

    def _kept(self, name: str) -> xr.Dataset | None:
        if name == "graph" and self.record is not None and "coupling" not in self.record:
            return None  # the couplings themselves are named as missing, with the reason
        if self.record is None:
            return None
        kind = PICTURES if name == PICTURES.name else SETS[name].kind
        try:
            if name == "gains":
                recombined_of(self.record)  # a record that can have none says so, and why
            return open_kept(self.run, kind)
        except (RunError, InputError) as error:
            self.missing[kind.holds] = str(error)
            return None
