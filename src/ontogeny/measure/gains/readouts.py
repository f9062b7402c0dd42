"""In which layer, and when, a feature is constructed: what a layer's wiring adds to reading it out.

A feature (a token, a value of a known part, two values at once) is a direction of a layer: the
line through its units that reads it out best. Its null deals the weights into all units of the
layer anew and fits the line again: the same parents, recombined. May import numpy, xarray,
ontogeny.stats and ontogeny.measure.
"""

import numpy as np
import xarray as xr

from ontogeny.measure.gains.reading import recombined_of
from ontogeny.measure.quantity import Quantity, label
from ontogeny.stats.gains import gain_scores, reach_p
from ontogeny.stats.onset import HOLD, onset_index

_CELL = ("step", "layer", "feature")
_R2 = (
    "1 - squared error / that of the mean, of ridge read-outs of the feature through the mean "
    "activations of all units of the layer, on exemplars that they were not fitted on"
)
_OBSERVED = "snapshots at which recombinations were not observed"
_DEALT = "weights into all units of the layer dealt anew, 19 times, each read out anew"
READOUTS = {
    "readout": Quantity(_CELL, "1", _R2, _OBSERVED),
    "readout_inherited": Quantity(_CELL, "1", f"mean over recombined layers of: {_R2}", _OBSERVED),
    "readout_gain": Quantity(_CELL, "1", "readout - readout_inherited", _OBSERVED, _DEALT),
    "readout_p": Quantity(_CELL, "1", "(1 + recombined layers that reach readout) / (1 + "
                          "recombined layers)", _OBSERVED, _DEALT),
    "readout_score": Quantity(_CELL, "1", "readout_gain in standard deviations of recombined "
                              "layers", _OBSERVED, _DEALT),
    "readout_score_bound": Quantity(
        ("step",), "1", "readout_score that no feature passes in any layer by chance, but in one "
        "snapshot of 20: the largest that any deal has over the others", _OBSERVED, _DEALT),
    **{
        f"feature_construction_{end}": Quantity(
            ("layer", "feature"), "steps", f"{which} readout_score stays beyond its bound, "
            f"to the end, for {HOLD} snapshots with recombinations at least; -inf, inf: none such",
            "fewer than three snapshots with recombinations")
        for end, which in (("after", "last snapshot before"), ("by", "first snapshot from which"))
    },
}  # fmt: skip


def readout_gain(record: xr.Dataset) -> xr.Dataset:
    """Measure what each layer's wiring adds to how well each feature is read out of the layer.

    Parameters
    ----------
    record
        A record with recombinations.

    Returns
    -------
    xr.Dataset
        Over (step, layer, feature): `readout`, `readout_inherited`, `readout_gain`, `readout_p`,
        `readout_score`; over step `readout_score_bound`, corrected over layers and
        features; over (layer, feature) the interval of steps in which construction begins,
        `feature_construction_after` and
        `feature_construction_by`. NaN where attribute `missing` says.

    Raises
    ------
    InputError
        If the record has no recombinations: why is told.

    Examples
    --------
    How well each layer reads out ada, and how well with the same weights dealt anew:

    >>> found = ont.measure.readout_gain(record).sel(feature="ada").isel(step=-1)
    >>> print(found.readout.round(2).values, found.readout_inherited.round(2).values)
    [-0.19 -0.48  0.17  0.35] [-0.25 -0.41 -0.21  0.2 ]
    """
    read = recombined_of(record)
    own = record["readout"].values.astype(np.float64)
    dealt = record["readout_recombined"].values.astype(np.float64)
    score, of_deals = gain_scores(own, dealt)
    bound = of_deals.max(axis=(1, 2, 3))
    values = {
        "readout": own, "readout_inherited": dealt.mean(axis=-1),
        "readout_gain": own - dealt.mean(axis=-1), "readout_p": reach_p(own, dealt),
        "readout_score": score, "readout_score_bound": bound,
    }  # fmt: skip
    steps = read.steps[read.observed].astype(np.float64)
    beyond = score[read.observed] > bound[read.observed, None, None]
    index = onset_index(np.moveaxis(beyond, 0, -1).astype(float), np.full(len(steps), 0.5))
    enough = len(steps) >= HOLD
    for end, at in (
        ("after", np.concatenate([[-np.inf], steps])),
        ("by", np.append(steps, np.inf)),
    ):
        values[f"feature_construction_{end}"] = at[index] if enough else index * np.nan
    where = {
        "step": read.steps, "layer": record["stage"].values.astype(str),
        "feature": record["feature"].values.astype(str),
        "feature_also": ("feature", record["feature_also"].values.astype(str)),
    }  # fmt: skip
    return label(values, READOUTS, where)
