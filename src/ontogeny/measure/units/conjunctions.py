"""When units begin to combine two parents, and whether those of one token do so earlier.

A unit's conjunction is its largest |interaction| of two parents; it begins where it stays beyond
what 99 % of the layer's units have before training. May import numpy, xarray, ontogeny.stats and
ontogeny.measure.
"""

import numpy as np
import xarray as xr

from ontogeny.measure.categories.signals import Chance
from ontogeny.measure.probe import units_of_layers
from ontogeny.measure.quantity import Quantity, label
from ontogeny.stats.leads import FEWEST, leads
from ontogeny.stats.onset import HOLD, onset_index

INTERACTION = "interaction"
LEVEL = 0.99
"""Share of the layer's units that are below the bound before training."""
N_DRAWS = 999
"""Shuffles and resamples of units, whatever `Chance` says of exemplars: they cost little."""

_DIMS = ("step", "token")
_FEW = f"fewer than {FEWEST} units are tuned to the token at the end, or none to another"
_NULL = "units' tokens shuffled within layers"
_WORDS = {
    "conjunction_after": Quantity(("unit",), "steps", "last snapshot before the largest "
                                  "|interaction| of two parents of the unit stays beyond what 99 % "
                                  "of its layer's units have before training; -inf: beyond from "
                                  "the first one on", "no interactions in the layer before "
                                  "training"),
    "conjunction_by": Quantity(("unit",), "steps", "first snapshot from which it stays beyond, for "
                               f"{HOLD} snapshots at least; inf: none", "no interactions in the "
                               "layer before training"),
    "conjoined": Quantity(_DIMS, "1", "share of the units tuned to the token at the end in which "
                          "conjunction_by has passed", _FEW, _NULL),
    "conjoined_others": Quantity(_DIMS, "1", "the same share of the units that are tuned to other "
                                 "tokens", _FEW),
    "conjoined_low": Quantity(_DIMS, "1", "2.5 % bound of conjoined - conjoined_others, units "
                              "resampled", _FEW),
    "conjoined_high": Quantity(_DIMS, "1", "97.5 % bound of conjoined - conjoined_others, units "
                               "resampled", _FEW),
    "conjoined_bound": Quantity(_DIMS, "1", "what conjoined - conjoined_others stays below for "
                                "all tokens at a given snapshot with 95 %", _FEW, _NULL),
}  # fmt: skip


def conjunctions(record: xr.Dataset, tuned: xr.Dataset, chance: Chance) -> xr.Dataset:
    """Compare, at every snapshot, how many units of each token combine two parents by then.

    Which snapshot matters, such as the last one before the token is classified, is for the reader
    to choose.

    Parameters
    ----------
    record
        With interactions; one without has none of these variables.
    tuned
        `tuning`: the token that each unit discriminates at the end.
    chance
        Seed.
    """
    if INTERACTION not in record:
        return xr.Dataset()
    after, by = _begun(record)
    token, steps = tuned_token(tuned), record["step"].values
    kept = (token >= 0) & ~np.isnan(by)
    layer = np.unique(record["layer"].values.astype(str), return_inverse=True)[1]
    names = tuned["token"].values.astype(str)
    found = leads(
        by[kept, None] <= steps, token[kept], layer[kept], len(names), n_draws=N_DRAWS,
        rng=np.random.default_rng(chance.seed),
    )  # fmt: skip
    values = {
        "conjunction_after": after, "conjunction_by": by, "conjoined": found.own,
        "conjoined_others": found.others, "conjoined_low": found.low,
        "conjoined_high": found.high, "conjoined_bound": found.bound,
    }  # fmt: skip
    return label(values, _WORDS, {"step": steps, "unit": record["unit"].values, "token": names})


def tuned_token(tuned: xr.Dataset) -> np.ndarray:
    """Return the token that each unit discriminates at the end, int64 [unit]; -1 where none."""
    bound = tuned["score_threshold"].sel(layer=tuned["layer_of_unit"].astype(str)).values
    is_tuned = tuned["score"].values[-1] > bound
    return np.where(is_tuned, tuned["preferred"].values[-1], -1).astype(np.int64)


def _begun(record: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return per unit the interval of steps in which its conjunction begins."""
    size = np.abs(record[INTERACTION].transpose("step", "unit", "pair").values.astype(np.float64))
    observed = np.isfinite(size).any(axis=(1, 2))
    size, steps = size[observed], record["step"].values[observed].astype(np.float64)
    largest = np.where(np.isfinite(size).any(axis=2), np.nan_to_num(size, nan=-1).max(axis=2), -1)
    after, by = np.full((2, largest.shape[1]), np.nan)
    for units in units_of_layers(record).values() if len(steps) else ():
        before = largest[0, units][largest[0, units] >= 0]
        if not len(before) or not before.max() > 0:
            continue
        limit = np.full(len(steps), np.quantile(before, LEVEL))
        index = onset_index(largest[:, units].T, limit, hold=HOLD)
        by[units] = np.append(steps, np.inf)[index]
        after[units] = np.concatenate([[-np.inf], steps])[index]
    return after, by
