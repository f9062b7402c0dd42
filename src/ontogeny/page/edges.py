"""Which couplings the page draws: the strongest into each unit, at any of the steps looked at.

May import numpy, xarray and ontogeny.record.
"""

from itertools import pairwise

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
RULE = (
    f"each unit's {LAST} strongest sources at the last step, and its {STRONGEST} strongest by "
    f"coupling and its strongest by contrast for each token at any of {LOOKED_AT} steps"
)


def chosen_edges(record: xr.Dataset) -> np.ndarray:
    """Return the places of the edges that the page is given, ascending."""
    n_steps = record.sizes["step"]
    looked = np.unique(np.linspace(0, n_steps - 1, LOOKED_AT).round().astype(int))
    blocks = _blocks(record)
    kept = np.zeros(record.sizes["edge"], dtype=bool)
    for k in looked:
        strength = np.abs(record["coupling"].isel(step=k).values)
        kept |= _strongest(strength, blocks, LAST if k == n_steps - 1 else STRONGEST)
        if "coupling_contrast" in record:
            contrast = np.abs(record["coupling_contrast"].isel(step=k).values.astype(np.float32))
            for column in np.ascontiguousarray(contrast.T):
                kept |= _strongest(column, blocks, STRONGEST_FOR_TOKEN)
    return np.flatnonzero(kept)


def _blocks(record: xr.Dataset) -> list[tuple[slice, int]]:
    """Return each run of edges whose targets have equally many sources, and how many.

    Edges lie by target, and targets by layer: a block is about a layer, a table with a row for
    each target.
    """
    target = record["target"].values
    starts = np.concatenate([[0], np.flatnonzero(target[1:] != target[:-1]) + 1, [len(target)]])
    sizes = np.diff(starts)
    cuts = np.concatenate([[0], np.flatnonzero(sizes[1:] != sizes[:-1]) + 1, [len(sizes)]])
    return [
        (slice(int(starts[a]), int(starts[b])), int(sizes[a]))
        for a, b in pairwise(cuts.tolist())
        if b > a
    ]


def _strongest(strength: np.ndarray, blocks: list[tuple[slice, int]], count: int) -> np.ndarray:
    """Mark the strongest edges into each target; an inactive target has none."""
    marked = np.zeros(len(strength), dtype=bool)
    known = np.where(np.isnan(strength), -1.0, strength)
    for span, size in blocks:
        table, rows = known[span].reshape(-1, size), marked[span].reshape(-1, size)
        if count == 1:
            best = table.argmax(axis=1)[:, None]
        else:
            best = np.argpartition(table, size - min(count, size), axis=1)[:, -min(count, size) :]
        np.put_along_axis(rows, best, np.take_along_axis(table, best, axis=1) > 0, axis=1)
    return marked


def ends(record: xr.Dataset, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the unit index of each chosen edge's source and target."""
    index = {str(name): k for k, name in enumerate(record["unit"].values)}
    source = record["source"].values[chosen].astype(str).tolist()
    target = record["target"].values[chosen].astype(str).tolist()
    return (
        np.array([index[n] if n in index else PIXEL - int(n.rpartition(":")[2]) for n in source]),
        np.array([index[n] for n in target]),
    )
