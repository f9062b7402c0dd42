"""What a run has to show: its record and its measures, or the reason why not.

May import xarray, ontogeny.measure.store, ontogeny.record, ontogeny.run and ontogeny.errors.
"""

from dataclasses import asdict
from functools import cached_property

import xarray as xr

from ontogeny.datasets import stored_dataset
from ontogeny.errors import OntogenyError
from ontogeny.measure import Chance
from ontogeny.measure.store import KEY, record_key
from ontogeny.record import NAME as RECORD
from ontogeny.record import open_record
from ontogeny.run import RunFolder

MEASURES = {
    "measures": "curves, token signals and onsets",
    "structure": "category structure",
    "detectors": "tuning and lives of units",
    "graph": "births, deaths and assemblies of couplings",
}
"""Files of measures, NAME.zarr in the run's folder, and what they hold."""
PICTURES = "pictures"


class Sources:
    """A run's datasets by name; what is missing is noted once, with the reason.

    Parameters
    ----------
    run
        The run's folder, in any state.
    """

    def __init__(self, run: RunFolder) -> None:
        self.run = run
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
            self._found[name] = self._pictures() if name == PICTURES else self._measures(name)
        return self._found[name]

    @cached_property
    def _found(self) -> dict[str, xr.Dataset | None]:
        return {}

    def _measures(self, name: str) -> xr.Dataset | None:
        data = stored_dataset(self.run.path / f"{name}.zarr")
        if data is None:
            self.missing[MEASURES[name]] = "not measured yet: run `ontogeny measure`"
            return None
        if self.record is None or not self._is_fresh(data):
            self.missing[MEASURES[name]] = (
                "measured at another state of the record, or by another version: run "
                "`ontogeny measure`"
            )
            return None
        return data

    def _is_fresh(self, data: xr.Dataset) -> bool:
        try:
            chance = Chance(**{name: data.attrs[name] for name in asdict(Chance())})
        except KeyError:
            return False
        assert self.record is not None
        return data.attrs.get(KEY) == record_key(self.record, chance)

    def _pictures(self) -> xr.Dataset | None:
        data = stored_dataset(self.run.path / f"{PICTURES}.zarr")
        if data is None:
            self.missing["pictures of detectors"] = "none were made: run `ontogeny pictures`"
        return data
