"""What measures of construction read of a record: exemplars that score, units, steps observed.

May import numpy, xarray, ontogeny.stats, ontogeny.record and ontogeny.measure.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr

from ontogeny.errors import InputError
from ontogeny.measure.couplings.wiring import Wiring, wiring_of
from ontogeny.measure.probe import units_of_layers
from ontogeny.measure.units.tuning import DORMANT
from ontogeny.record import RECOMBINED, WITHOUT_COUPLINGS
from ontogeny.stats.selectivity import eta_squared, resampled_eta_squared


@dataclass(frozen=True, eq=False)
class Recombined:
    """A record whose recombinations were observed."""

    record: xr.Dataset

    @cached_property
    def steps(self) -> np.ndarray:
        """Recorded steps, int64 [step]."""
        return self.record["step"].values

    @cached_property
    def observed(self) -> np.ndarray:
        """Places of the steps at which recombinations behind the nonlinearity were observed."""
        values = self.record[RECOMBINED].values
        return np.flatnonzero(np.isfinite(values).any(axis=(1, 2)))

    @cached_property
    def fold(self) -> np.ndarray:
        """[exemplar] fold of the exemplars that score; -1: of those that choose."""
        return self.record["exemplar_fold"].values

    @property
    def n_folds(self) -> int:
        """How many folds there are."""
        return self.record.sizes["fold"]

    @cached_property
    def token(self) -> np.ndarray:
        """[exemplar] index of the token."""
        names = self.record["token"].values.astype(str).tolist()
        return np.array([names.index(t) for t in self.record["exemplar_token"].values.astype(str)])

    @cached_property
    def layers(self) -> dict[str, np.ndarray]:
        """Units of each layer."""
        return units_of_layers(self.record)

    @cached_property
    def wiring(self) -> Wiring:
        """Edges as indices."""
        return wiring_of(self.record)

    def responses(self, place: int) -> np.ndarray:
        """Return mean activations of all exemplars at a step's place, float64 [exemplar, unit]."""
        return self.record["activation"].isel(step=place).values.astype(np.float64)

    def scored(self, responses: np.ndarray) -> np.ndarray:
        """Return eta squared over tokens on the exemplars that score, [unit]; NaN: constant."""
        return self._selectivity(responses, self.fold >= 0)

    def chosen(self, responses: np.ndarray) -> np.ndarray:
        """Return the same on the exemplars that choose; NaN too where they are of one token."""
        return self._selectivity(responses, self.fold < 0)

    def _selectivity(self, responses: np.ndarray, mine: np.ndarray) -> np.ndarray:
        if len(np.unique(self.token[mine])) < 2:
            return np.full(responses.shape[1], np.nan)
        return eta_squared(responses[mine], self.token[mine])

    def left_out(self, responses: np.ndarray) -> np.ndarray:
        """Return it on those that score, each fold left out in turn, [fold, unit]; NaN: one."""
        if self.n_folds < 2:
            return np.full((1, responses.shape[1]), np.nan)
        mine = self.fold >= 0
        weights = (self.fold[mine] != np.arange(self.n_folds)[:, None]).astype(np.float64)
        return resampled_eta_squared(responses[mine], self.token[mine], weights)

    def inactive(self, responses: np.ndarray) -> np.ndarray:
        """Say which units are inactive: mean |response| at most .025 of their layer's, [unit]."""
        size = np.abs(responses[self.fold >= 0]).mean(axis=0)
        found = np.zeros(len(size), bool)
        for units in self.layers.values():
            found[units] = size[units] <= DORMANT * size[units].mean()
        return found

    def colours(self) -> np.ndarray:
        """Return the mean of each channel of the images, [exemplar, channel]; NaN: none known."""
        n_channels = self.wiring.n_pixels
        if "image" not in self.record or self.record["image"].shape[-1] != n_channels:
            return np.full((self.record.sizes["exemplar"], n_channels), np.nan)
        return self.record["image"].values.astype(np.float64).mean(axis=(1, 2))


def recombined_of(record: xr.Dataset) -> Recombined:
    """Return the recombinations of a record.

    Raises
    ------
    InputError
        If none were observed; why is told.
    """
    if RECOMBINED in record:
        return Recombined(record)
    reason = record.attrs.get(WITHOUT_COUPLINGS)
    if reason:
        msg = f"expected a record with recombinations, got one of which {reason}"
    elif "exemplar_token" not in record.coords:
        msg = (
            "expected a record with recombinations, got one whose exemplars have no tokens: "
            "selectivity needs them; give tokens with the probe"
        )
    else:
        msg = (
            "expected a record with recombinations, got one without: it was observed without "
            "extras or by an earlier version; observe the run again"
        )
    raise InputError(msg)
