"""How far tokens share the units of a layer beyond chance: at a snapshot, and for a while.

May import numpy, xarray, ontogeny.stats and ontogeny.measure.
"""

import numpy as np
import xarray as xr

from ontogeny.measure.quantity import Quantity, label
from ontogeny.stats.onset import HOLD
from ontogeny.stats.turns import corrected_width, largest_turn

_NULL = "each token's flow shuffled over units"
_SHORT = f"a layer without flow, or a record of fewer than {3 * HOLD} snapshots"
_WORDS = {
    "sharing_chance": Quantity(("step", "layer"), "1", "middle of sharing_low and sharing_high",
                               "a layer without flow", _NULL),
    "sharing_bound": Quantity(("step", "layer"), "1", "how far layer_sharing lies from "
                              "sharing_chance in no layer by chance, with 95 %",
                              "a layer without flow", _NULL),
    "turn_step": Quantity(("layer",), "steps", "snapshot of the peak or trough that is farthest "
                          "beyond turn_bound", _SHORT),
    "turn_sign": Quantity(("layer",), "1", "1: layer_sharing rises and falls; -1: it falls and "
                          "rises", _SHORT),
    "turn": Quantity(("layer",), "1", "the smaller of the changes of layer_sharing before and "
                     f"after turn_step, both held for {HOLD} snapshots", _SHORT, _NULL),
    "turn_reach": Quantity(("layer",), "1", "half width of the 95 % interval of turn", _SHORT),
    "turn_bound": Quantity(("layer",), "1", "turn that chance passes in no layer, at no snapshot, "
                           "in neither direction, with 95 %", _SHORT, _NULL),
}  # fmt: skip


def sharing_beyond(nodes: xr.Dataset) -> xr.Dataset:
    """Measure how far the sharing index is beyond its shuffles, and where it turns.

    Parameters
    ----------
    nodes
        `graph_nodes`: the sharing index of each layer, and the middle 95 % of its shuffles.
    """
    value, low, high = (nodes[name].transpose("step", "layer").values.astype(np.float64)
                        for name in ("layer_sharing", "sharing_low", "sharing_high"))  # fmt: skip
    n_steps, n_layers = value.shape
    values = {"sharing_chance": (low + high) / 2,
              "sharing_bound": corrected_width(n_layers) * (high - low) / 2}  # fmt: skip
    half, steps = (high - low) / 2, nodes["step"].values
    turns = np.full((5, n_layers), np.nan)
    for k in np.flatnonzero(np.isfinite(value + half).all(axis=0) & (n_steps >= 3 * HOLD)):
        # two directions at every snapshot of every layer are tests that chance could win
        one = largest_turn(value[:, k], half[:, k], n_tests=2 * value.size)
        turns[:, k] = steps[one.place], one.sign, one.effect, one.reach, one.bound
    values |= zip(("turn_step", "turn_sign", "turn", "turn_reach", "turn_bound"), turns,
                  strict=True)  # fmt: skip
    return label(values, _WORDS, {"step": steps, "layer": nodes["layer"].values.astype(str)})
