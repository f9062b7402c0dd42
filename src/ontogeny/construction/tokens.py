"""The numbers of one token's life: where its feature is constructed, and which units tell it.

May import numpy, xarray and ontogeny.measure.
"""

import numpy as np
import xarray as xr

from ontogeny.measure.gains.gain import GAIN
from ontogeny.measure.gains.kinds import is_beyond
from ontogeny.measure.gains.readouts import READOUTS
from ontogeny.measure.quantity import Quantity, label

SHOWN = 4
"""Detectors that are told of."""
_READOUTS = ("readout", "readout_inherited", "readout_gain", "readout_score")
_WHEN = ("feature_construction_after", "feature_construction_by")
_SCORES = ("selectivity_feature", "inherited_feature", "gain_feature", "p_feature")
_AT_END = "at the last snapshot with recombinations"
TOKEN = {
    **{name: Quantity(("layer",), "1", f"{READOUTS[name].long_name}; {_AT_END}",
                      READOUTS[name].missing, READOUTS[name].null) for name in _READOUTS},
    "readout_score_bound": Quantity(
        (), "1", f"{READOUTS['readout_score_bound'].long_name}; {_AT_END}",
        READOUTS["readout_score_bound"].missing),
    **{name: Quantity(("layer",), "steps", READOUTS[name].long_name, READOUTS[name].missing)
       for name in _WHEN},
    **{f"detector_{name}": Quantity(("detector",), "1", f"{GAIN[name].long_name}; {_AT_END}",
                                    GAIN[name].missing, GAIN[name].null) for name in _SCORES},
}  # fmt: skip


def token_life(gains: xr.Dataset, token: str) -> xr.Dataset:
    """Gather where a token is constructed, and the hidden units that add most to telling it.

    Parameters
    ----------
    gains
        The set of measures of that name.
    token
        Its name, a feature of the set.

    Returns
    -------
    xr.Dataset
        Over `layer` read-outs of the token at the end, and when their gain begins; over `detector`,
        the hidden units with p_feature <= .05 whose gain_feature is largest, selectivity for the
        token. Empty where the token is no feature.
    """
    if token not in gains["feature"].values.astype(str):
        return xr.Dataset()
    found, where = _detectors(gains, token)
    if "readout" in gains:
        mine = gains[[*_READOUTS, *_WHEN, "readout_score_bound"]].sel(feature=token)
        seen = np.isfinite(mine["readout_score_bound"].values)
        at_end = mine.isel(step=int(np.flatnonzero(seen)[-1])).load()
        found |= {name: at_end[name].values for name in (*_READOUTS, *_WHEN, "readout_score_bound")}
        where |= {"layer": gains["layer"].values.astype(str)}
    return label(found, TOKEN, where)


def _detectors(gains: xr.Dataset, token: str) -> tuple[dict, dict]:
    """Return the hidden units that add most to telling a token."""
    known = np.isfinite(gains["constructed_share"].values).any(axis=1)
    last = int(np.flatnonzero(known)[-1])
    at_end = gains[list(_SCORES)].isel(step=last).sel(feature=token).load()
    layers = gains["layer_of_unit"].values.astype(str)
    gain = np.nan_to_num(at_end["gain_feature"].values, nan=-np.inf)
    hidden = (layers != layers[-1]) & is_beyond(at_end["p_feature"].values)  # fmt: skip
    first = np.argsort(np.where(hidden, -gain, np.inf), kind="stable")[: min(SHOWN, hidden.sum())]
    found = {f"detector_{name}": at_end[name].values[first] for name in _SCORES}
    return found, {"detector": gains["unit"].values.astype(str)[first]}
