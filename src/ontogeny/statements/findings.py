"""What rules look at. May import xarray only."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import xarray as xr


@dataclass(frozen=True)
class Findings:
    """A run's record and measures; None where they were not measured."""

    record: xr.Dataset
    measures: xr.Dataset | None = None
    structure: xr.Dataset | None = None
    detectors: xr.Dataset | None = None
    graph: xr.Dataset | None = None
    gains: xr.Dataset | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
    """Why measures are not there, by their names."""

    def __getitem__(self, name: str) -> xr.Dataset:
        """Return measures by their name; a rule may ask for those that it needs."""
        data = getattr(self, name)
        if data is None:
            raise KeyError(name)
        return data

    def why_not(self, name: str) -> str:
        """Say why measures are not there."""
        return self.missing.get(name, f"{name} were not measured")

    @property
    def tokens(self) -> list[str]:
        """Names of the tokens."""
        return [str(name) for name in self.record["token"].values]
