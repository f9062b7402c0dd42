"""What a measure returns and how it draws chance: quantities, their labels, draws.

A quantity is defined once, in a table beside the measure: along which axes it lies, in what units,
what it is, where it is missing, what it is held against. `label` turns plain arrays and such a
table into a dataset. May import numpy, xarray, ontogeny.measure and ontogeny.errors.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from ontogeny.errors import InputError
from ontogeny.measure.probe import Probe


@dataclass(frozen=True)
class Quantity:
    """What an array means that a measure returns.

    Examples
    --------
    What is missing is said where something is:

    >>> loss = ont.measure.Quantity(("step",), "nat", "held-out loss", "steps without exemplars")
    >>> loss.attributes(np.array([1.5, np.nan]))["missing"]
    'NaN: steps without exemplars'
    """

    dims: tuple[str, ...]
    units: str
    long_name: str
    missing: str = ""
    """Where it is NaN and why; "" where it never is."""
    null: str = ""
    """What it is without what is looked for, or what it is held against; "" where it has none."""

    def attributes(self, values: np.ndarray, *, always: bool = False) -> dict[str, str]:
        """Return what is stored beside the values; `missing` only where one is, unless `always`."""
        found = {"units": self.units, "long_name": self.long_name}
        if self.missing and (always or _has_nan(values)):
            found["missing"] = f"NaN: {self.missing}"
        return found | ({"null": self.null} if self.null else {})


def label(
    values: Mapping[str, Any],
    table: Mapping[str, Quantity],
    coordinates: Mapping[str, Any] | None = None,
    *,
    attributes: Mapping[str, Any] | None = None,
    always_missing: bool = False,
) -> xr.Dataset:
    """Turn plain arrays into a dataset whose variables say what they are.

    Parameters
    ----------
    values
        Name -> array, its axes in the order of the table's dims.
    table
        Name -> what it means; names that have no values are left out.
    coordinates
        Of the dataset, as xarray takes them.
    attributes
        Of the dataset as a whole.
    always_missing
        Whether to say where values would be missing even if none is.

    Raises
    ------
    InputError
        If a name is not in the table, or an array has other axes than its dims or other lengths
        than the coordinates and the arrays before it.

    Examples
    --------
    >>> table = {"share": ont.measure.Quantity(("layer",), "1", "share of units that vary")}
    >>> data = ont.measure.label({"share": [0.5, 1.0]}, table, {"layer": ["conv1", "fc1"]})
    >>> data.share.sel(layer="fc1").item(), data.share.attrs["long_name"]
    (1.0, 'share of units that vary')
    """
    unknown = [name for name in values if name not in table]
    if unknown:
        msg = (
            f"expected quantities of the table ({', '.join(table)}), got {', '.join(unknown)}: "
            "define what they are"
        )
        raise InputError(msg)
    data = xr.Dataset(coords=coordinates, attrs=attributes)
    sizes, variables = dict(data.sizes), {}
    for name, array in values.items():
        quantity, value = table[name], np.asarray(array)
        _require_shape(name, quantity, value, sizes)
        sizes |= zip(quantity.dims, value.shape, strict=True)
        about = quantity.attributes(value, always=always_missing)
        variables[name] = (quantity.dims, value, about)
    return data.assign(variables)


def _require_shape(
    name: str, quantity: Quantity, value: np.ndarray, sizes: Mapping[Any, int]
) -> None:
    axes = zip(quantity.dims, value.shape, strict=False)
    fits = all(sizes.get(dim, length) == length for dim, length in axes)
    if value.ndim != len(quantity.dims) or not fits:
        wanted = ", ".join(f"{dim} {sizes.get(dim, 'any')}" for dim in quantity.dims) or "none"
        msg = f"expected {name} along ({wanted}), got the shape {value.shape}: return it so"
        raise InputError(msg)


def _has_nan(values: np.ndarray) -> bool:
    return values.dtype.kind == "f" and bool(np.isnan(values).any())


@dataclass(frozen=True)
class Chance:
    """How nulls and intervals are drawn.

    Parameters
    ----------
    n_shuffles
        How often tokens are shuffled over groups of exemplars.
    n_resamples
        Groups are drawn with replacement within tokens so many times.
    level
        Confidence of corrected thresholds and of intervals.
    seed
        Seed of both.

    Examples
    --------
    Fewer shuffles are quicker and make coarser bounds:

    >>> for n_shuffles in (19, 199):
    ...     chance = ont.measure.Chance(n_shuffles=n_shuffles)
    ...     found = ont.measure.token_margins(record, chance=chance)
    ...     print(n_shuffles, found.margin_threshold.isel(step=-1).values.round(2))
    ...
    19 [0.21 0.15 0.14]
    199 [0.22 0.25 0.27]
    """

    n_shuffles: int = 499
    n_resamples: int = 200
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        fewest = int(np.ceil(1 / (1 - self.level) - 1e-9)) - 1
        if self.n_shuffles < fewest or self.n_resamples < 1 or not 0 < self.level < 1:
            msg = (
                f"expected at least {fewest} shuffles at level {self.level} and 1 resample, "
                f"got {self.n_shuffles} and {self.n_resamples}"
            )
            raise InputError(msg)


@dataclass(frozen=True)
class Draws:
    """What is drawn once and serves every layer and step, so that these can be compared."""

    probe: Probe
    exemplar: np.ndarray
    """[exemplar] index within the task"""
    steps: np.ndarray
    dealt: np.ndarray
    """[shuffle, exemplar] tokens shuffled over groups"""
    weights: np.ndarray
    """[resample, exemplar] how often each exemplar is drawn, groups whole, tokens apart"""
    fold: np.ndarray
    """[exemplar] folds with groups whole; all 0 where there are too few groups"""
    answer: np.ndarray
    """[step, exemplar] the network's answers; -1 where a logit is NaN"""
    seed: int

    @property
    def n_tokens(self) -> int:
        """How many tokens there are."""
        return len(self.probe.tokens)

    @property
    def present(self) -> np.ndarray:
        """Indices of the tokens that the probe holds."""
        return np.unique(self.probe.token)
