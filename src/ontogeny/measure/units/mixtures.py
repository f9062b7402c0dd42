"""Whether channels discriminate tokens more, or less, often than random mixtures of them do.

One layer outside the range of its rotations is chance once in 20; the layers are counted. May
import numpy, xarray, ontogeny.stats, ontogeny.measure only.
"""

import numpy as np
import xarray as xr

from ontogeny.measure.couplings.standing import SIDES
from ontogeny.measure.quantity import Quantity, label
from ontogeny.measure.units.directions import AT, N_ROTATIONS
from ontogeny.stats.finds import count_interval, fewest_beyond_chance

_NULL = f"outside the range of {N_ROTATIONS} rotations on a given side with 1 / {N_ROTATIONS + 1}"
_WORDS = {
    "is_outside": Quantity(("side", "layer"), "1", "whether the share of tuned channels at the "
                           "last snapshot lies outside that of all rotations on this side; the "
                           "logits' never does", null=_NULL),
    "layers_outside": Quantity(("side",), "1", "how many hidden layers are outside", null=_NULL),
    "layers_outside_low": Quantity(("side",), "1", "2.5 % bound of layers_outside, exact binomial",
                                   "no hidden layers"),
    "layers_outside_high": Quantity(("side",), "1", "97.5 % bound of layers_outside, exact "
                                    "binomial", "no hidden layers"),
    "layers_outside_bound": Quantity(("side",), "1", "least number of layers that chance reaches "
                                     "with at most 5 %", "no hidden layers", _NULL),
}  # fmt: skip


def beside_rotations(found: xr.Dataset) -> xr.Dataset:
    """Count the layers whose channels are tuned more, or less, often than all rotations of them.

    Parameters
    ----------
    found
        `directions`.
    """
    last, layers = found.isel({AT: -1}), found["layer"].values.astype(str)
    own = last["tuned_share"].sel(basis="units").values
    low, high = (last[f"tuned_share_rotated_{end}"].values for end in ("low", "high"))
    outside = np.stack([own > high, own < low]) & (layers != "logits")
    of, count = int((layers != "logits").sum()), outside.sum(axis=1)
    ends, bound = np.full((2, len(SIDES)), np.nan), np.full(len(SIDES), np.nan)
    if of:
        ends = np.array([count_interval(int(k), of) for k in count]).T
        bound[:] = fewest_beyond_chance(of, 1 / (1 + N_ROTATIONS))
    values = {"is_outside": outside, "layers_outside": count, "layers_outside_low": ends[0],
              "layers_outside_high": ends[1], "layers_outside_bound": bound}  # fmt: skip
    return label(values, _WORDS, {"side": list(SIDES), "layer": layers})
