"""Which edges the page draws: the strongest couplings into each unit, and its largest gains.

May import numpy, xarray, ontogeny.measure.wiring and ontogeny.schedule.
"""

import numpy as np
import xarray as xr

from ontogeny.measure.couplings.wiring import Wiring
from ontogeny.schedule import evenly_spaced

LOOKED_AT = 12
"""Recorded steps, evenly spaced along the snapshots, whose strongest couplings are kept."""
STRONGEST, STRONGEST_FOR_TOKEN = 3, 1
"""Sources kept of each target at each of these steps: by coupling, and by each token's contrast."""
LAST = 8
"""Sources kept of each target at the last step, by coupling."""
GAINED, LAST_GAINED = 4, 8
"""Parents kept of each unit by their gain at each step at which it is known, and at the last."""
PIXEL = 65535
"""Image channel k, as a source, is unit 65535 - k."""

RULE = (
    f"each unit's {LAST} strongest sources at the last step, and its {STRONGEST} strongest by "
    f"coupling and its strongest by contrast for each token at any of {LOOKED_AT} steps"
)


def chosen_edges(record: xr.Dataset, wiring: Wiring) -> np.ndarray:
    """Return the places of the edges that the page is given, ascending."""
    n_steps = record.sizes["step"]
    kept = np.zeros(record.sizes["edge"], dtype=bool)
    for k in evenly_spaced(n_steps, LOOKED_AT):
        strength = np.abs(record["coupling"].isel(step=k).values)
        kept |= _strongest(strength, wiring, LAST if k == n_steps - 1 else STRONGEST)
        if "coupling_contrast" in record:
            contrast = np.abs(record["coupling_contrast"].isel(step=k).values.astype(np.float32))
            for column in np.ascontiguousarray(contrast.T):
                kept |= _strongest(column, wiring, STRONGEST_FOR_TOKEN)
    return np.flatnonzero(kept)


def gaining_edges(gains: xr.Dataset, wiring: Wiring) -> np.ndarray:
    """Return the places of the edges through which units gain most, ascending.

    Those that no parent of like amplitude reaches come first, then those furthest beyond the mean
    of such parents; where there are too few parents to compare, the largest gains.
    """
    kept = np.zeros(gains.sizes["edge"], dtype=bool)
    for k in range(gains.sizes["edge_step"]):
        gain, matched, p = (
            gains[name].isel(edge_step=k).values
            for name in ("edge_gain", "edge_gain_matched", "edge_gain_p")
        )
        beyond = np.where(np.isnan(matched), gain, gain - matched)
        is_first = p <= np.fmin.reduce(p, initial=np.inf) + 1e-6
        # 2 lies above any difference of two shares, so that the first stay in front of the others
        strength = np.where(gain > 0, np.maximum(beyond, 0) + 2.0 * is_first, np.nan)
        count = LAST_GAINED if k == gains.sizes["edge_step"] - 1 else GAINED
        kept |= _strongest(strength, wiring, count)
    return np.flatnonzero(kept)


def _strongest(strength: np.ndarray, wiring: Wiring, count: int) -> np.ndarray:
    """Mark the strongest edges into each target; an inactive target has none."""
    marked = np.zeros(len(strength), dtype=bool)
    for block, edges in enumerate(wiring.blocks):
        table = wiring.matrix(strength, block)
        table = np.where(np.isnan(table), -1.0, table)
        rows, size = np.zeros(table.shape, dtype=bool), table.shape[1]
        if count == 1:
            best = table.argmax(axis=1)[:, None]
        else:
            best = np.argpartition(table, size - min(count, size), axis=1)[:, -min(count, size) :]
        np.put_along_axis(rows, best, np.take_along_axis(table, best, axis=1) > 0, axis=1)
        marked[edges] = wiring.flat(rows, block)
    return marked


def ends(wiring: Wiring, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the unit index of each chosen edge's source and target."""
    channel = [int(name.rpartition(":")[2]) for name in wiring.nodes[: wiring.n_pixels].tolist()]
    unit = np.arange(wiring.n_nodes) - wiring.n_pixels
    unit[: wiring.n_pixels] = PIXEL - np.array(channel)
    return unit[wiring.source[chosen]], unit[wiring.target[chosen]]
