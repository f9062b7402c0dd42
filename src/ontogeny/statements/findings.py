"""What rules look at. May import xarray only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import xarray as xr

from ontogeny.statements.statement import Statement


@dataclass(frozen=True)
class Findings:
    """A run's record and measures; None where they were not measured."""

    record: xr.Dataset
    measures: xr.Dataset | None = None
    structure: xr.Dataset | None = None
    detectors: xr.Dataset | None = None
    graph: xr.Dataset | None = None

    @property
    def tokens(self) -> list[str]:
        """Names of the tokens."""
        return [str(name) for name in self.record["token"].values]


Rule = Callable[[Findings], Sequence[Statement]]
"""One function a kind of statement; says nothing where its measures are not there."""


def span(after: float | xr.DataArray, by: float | xr.DataArray) -> str:
    """Say the interval between two snapshots."""
    return f"between steps {float(after):,.0f} and {float(by):,.0f}"


def percent(share: float) -> str:
    """Say a share in whole percents."""
    return f"{100 * share:.0f} %"
