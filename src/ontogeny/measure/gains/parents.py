"""Out of which parents a unit is constructed: the drop when a parent's kernel slice is dealt anew.

May import numpy, scipy, xarray, ontogeny.stats and ontogeny.measure.
"""

import numpy as np
import xarray as xr
from scipy.stats import binom

from ontogeny.measure.gains.reading import recombined_of
from ontogeny.measure.quantity import Quantity, label
from ontogeny.stats.gains import matched

MATCHED = 19
"""Parents of like amplitude that a parent is held against."""
AT = "edge_step"
"""Steps at which slices were dealt."""
_CELL = (AT, "edge")
_MISSING = f"layers of at most {MATCHED} sources; grouped convolutions"
_UNHELD = f"units of at most {MATCHED} sources, or in grouped convolutions"
PARENTS = {
    "edge_gain": Quantity(
        _CELL, "1", "the target's eta squared over tokens less that when the source's kernel slice "
        "is drawn anew from the other weights into the target", "layers of one source",
        "edge_gain_matched"),
    "edge_gain_matched": Quantity(
        _CELL, "1", f"mean edge_gain of the {MATCHED} sources of the same target that are nearest "
        "in amplitude (root mean square of the activation)", _MISSING),
    "edge_gain_p": Quantity(
        _CELL, "1", f"(1 + matched sources that reach edge_gain) / {1 + MATCHED}", _MISSING,
        "sources of the same amplitude are alike"),
    "parents_beyond": Quantity(
        (AT, "unit"), "sources", "sources of the unit whose edge_gain no matched source reaches "
        "(edge_gain_p at its least)", _UNHELD, "parents_chance; parents_bound"),
    "parents_chance": Quantity(
        (AT, "unit"), "sources", f"sources of the unit / {1 + MATCHED}: so many by chance",
        _UNHELD),
    "parents_bound": Quantity(
        (AT, "unit"), "sources", "95 % quantile of parents_beyond by chance (binomial, as if "
        "sources were independent)", _UNHELD),
}  # fmt: skip


def edge_gains(record: xr.Dataset) -> xr.Dataset:
    """Measure what each parent adds to a unit's selectivity, against parents as loud as it.

    A loud parent carries more of a unit's variance whatever it tells; so a parent is held against
    the 19 parents of the same unit that are nearest in amplitude.

    Parameters
    ----------
    record
        A record with recombinations.

    Returns
    -------
    xr.Dataset
        Over (edge_step, edge), steps at which slices were dealt: `edge_gain`, `edge_gain_matched`,
        `edge_gain_p`; over (edge_step, unit): `parents_beyond` beside what chance gives. NaN where
        attribute `missing` says.

    Raises
    ------
    InputError
        If the record has no recombinations: why is told.

    Examples
    --------
    The parent that adds most to a logit:

    >>> found = ont.measure.edge_gains(record).isel(edge_step=-1)
    >>> mine = record.target.values == "logits:2"
    >>> str(record.source.values[mine][found.edge_gain.values[mine].argmax()])
    'fc1:15'
    """
    read = recombined_of(record)
    every = record["edge_gain"].values
    places, wiring = np.flatnonzero(np.isfinite(every).any(axis=1)), read.wiring
    gain = every[places].astype(np.float64)
    mean, p = np.full_like(gain, np.nan), np.full_like(gain, np.nan)
    for row, place in enumerate(places.tolist()):
        size = np.sqrt((read.responses(place) ** 2).mean(axis=0))
        amplitude = np.concatenate([np.zeros(wiring.n_pixels), size])
        for block, edges in enumerate(wiring.blocks):
            table = wiring.matrix(gain[row], block)
            found = matched(table, amplitude[wiring.members(block)], MATCHED)
            mean[row, edges], p[row, edges] = (wiring.flat(one, block) for one in found)
    values = {"edge_gain": gain, "edge_gain_matched": mean, "edge_gain_p": p}
    target = wiring.target - wiring.n_pixels
    values |= _counts(p, target, record.sizes["unit"])
    where = {AT: read.steps[places], "edge": record["edge"].values, "unit": record["unit"].values}
    return label(values, PARENTS, where)


def _counts(p: np.ndarray, target: np.ndarray, n_units: int) -> dict[str, np.ndarray]:
    """Return how many sources of each unit are beyond all matched ones, and what chance gives."""
    known = np.isfinite(p)
    least = known & (p <= 1 / (1 + MATCHED) + 1e-6)
    total, beyond = (
        np.stack([np.bincount(target[row], minlength=n_units) for row in which]).astype(np.float64)
        for which in (known, least)
    )
    total[total == 0] = np.nan
    return {
        "parents_beyond": np.where(np.isnan(total), np.nan, beyond),
        "parents_chance": total / (1 + MATCHED),
        "parents_bound": binom.ppf(0.95, total, 1 / (1 + MATCHED)),
    }
