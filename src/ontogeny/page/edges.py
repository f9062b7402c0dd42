"""Which couplings the page draws: the strongest into each unit, at any of the steps looked at.

May import numpy, xarray and ontogeny.record.
"""

import numpy as np
import xarray as xr

LOOKED_AT = 12
"""Recorded steps, evenly spaced along the snapshots, whose strongest couplings are kept."""
STRONGEST, STRONGEST_FOR_TOKEN = 3, 1
"""Sources kept of each target at each of these steps: by coupling, and by each token's contrast."""
LAST = 8
"""Sources kept of each target at the last step, by coupling."""
PIXEL = 65535
"""Image channel k, as a source, is unit 65535 - k."""

LEVEL = 1
"""Place of the level .99 along the nulls of the record."""
LIVES = {
    "edge_birth_after": "born_after", "edge_birth_by": "born_by",
    "edge_death_after": "died_after", "edge_death": "died_by",
}  # fmt: skip
"""Arrays of the page out of graph.zarr."""

RULE = (
    f"each unit's {LAST} strongest sources at the last step, and its {STRONGEST} strongest by "
    f"coupling and its strongest by contrast for each token at any of {LOOKED_AT} steps"
)


def chosen_edges(record: xr.Dataset) -> np.ndarray:
    """Return the places of the edges that the page is given, ascending."""
    n_steps = record.sizes["step"]
    looked = np.unique(np.linspace(0, n_steps - 1, LOOKED_AT).round().astype(int))
    groups = _groups(record)
    kept = np.zeros(record.sizes["edge"], dtype=bool)
    for k in looked:
        strength = np.abs(record["coupling"].isel(step=k).values)
        kept |= _strongest(strength, groups, LAST if k == n_steps - 1 else STRONGEST)
        if "coupling_contrast" in record:
            contrast = np.abs(record["coupling_contrast"].isel(step=k).values.astype(np.float32))
            for c in range(contrast.shape[1]):
                kept |= _strongest(contrast[:, c], groups, STRONGEST_FOR_TOKEN)
    return np.flatnonzero(kept)


def _groups(record: xr.Dataset) -> list[np.ndarray]:
    """Return the edges into each target, those with as many sources as one array [target, source].

    Edges lie by target.
    """
    target = record["target"].values.astype(str)
    cuts = np.array([0, *(np.flatnonzero(target[1:] != target[:-1]) + 1).tolist(), len(target)])
    first, count = cuts[:-1], np.diff(cuts)
    return [first[count == n][:, None] + np.arange(n) for n in np.unique(count)]


def _strongest(strength: np.ndarray, groups: list[np.ndarray], count: int) -> np.ndarray:
    """Mark the strongest edges into each target; a dead target has none."""
    marked = np.zeros(len(strength), dtype=bool)
    known = np.where(np.isnan(strength), -1.0, strength)
    for edges in groups:
        own, kept = known[edges], min(count, edges.shape[1])
        best = np.argpartition(own, -kept, axis=1)[:, -kept:]
        found = np.take_along_axis(edges, best, axis=1)
        marked[found[np.take_along_axis(own, best, axis=1) > 0]] = True
    return marked


def ends(record: xr.Dataset, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the unit index of each chosen edge's source and target."""
    index = {str(name): k for k, name in enumerate(record["unit"].values)}
    source = record["source"].values.astype(str)[chosen].tolist()
    target = record["target"].values.astype(str)[chosen].tolist()
    return (
        np.array([index[n] if n in index else PIXEL - int(n.rpartition(":")[2]) for n in source]),
        np.array([index[n] for n in target]),
    )
