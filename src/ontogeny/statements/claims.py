"""What a claim needs: the rules that observations and the report's sentences share.

Where a claim fails its null or its interval, neither of them makes it. May import numpy, scipy,
xarray, ontogeny.measure and ontogeny.statements.onsets.
"""

import math
from itertools import combinations
from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy.stats import binom

from ontogeny.measure.compactness import APART
from ontogeny.measure.layers import PIXELS
from ontogeny.statements.onsets import ENDS, Onset

RARELY = 0.05
"""Chance with which a null passes a bound, over all that is tested of one kind."""
FALSE = 0.1
"""Share of chance finds among units that carry a token (Benjamini-Hochberg)."""
LATEST = 3
"""Snapshots at the end at which a unit has to carry a token."""


def layers_of(structure: xr.Dataset) -> list[str]:
    """Return the network's layers in forward order."""
    return [str(name) for name in structure["layer"].values if name != PIXELS]


def separating_layers(structure: xr.Dataset) -> list[Onset]:
    """Return, for each layer, from when on every two tokens are separated in it.

    A layer in which the closest two tokens are not surely separated at the end has none: the lower
    end of their 95 % interval has to be above `APART`.
    """
    found, last = [], structure.isel(step=-1)
    for name in layers_of(structure):
        ends = [float(structure[f"things_{end}"].sel(layer=name)) for end in ENDS]
        if math.isfinite(ends[1]) and not float(last["separation_low"].sel(layer=name)) > APART:
            step = float(structure["step"].values[-1])
            ends = [step, math.inf, step, math.inf]
        found.append(Onset(name, *ends))
    return found


def separated_pairs(structure: xr.Dataset, layer: str) -> list[Onset]:
    """Return, for every two tokens, from when on they are separated in a layer."""
    names, at = [str(name) for name in structure["token"].values], structure.sel(layer=layer)
    return [
        Onset(f"{names[i]} and {names[j]}", *(float(at[f"apart_{e}"].values[i, j]) for e in ENDS))
        for i, j in combinations(range(len(names)), 2)
    ]


class Confusion(NamedTuple):
    """Two tokens that are taken for each other more often than evenly spread errors would be."""

    first: int
    second: int
    errors: int
    of: int
    evenly: float
    """Share that evenly spread errors would give."""
    bound: float

    @property
    def share(self) -> float:
        """Share of the two tokens' exemplars."""
        return self.errors / self.of


def confused_pairs(structure: xr.Dataset) -> list[Confusion]:
    """Return the pairs of tokens that are confused beyond chance at the end, most confused first.

    The null: errors spread evenly over the other tokens, binomial, corrected over pairs.
    """
    table = structure["confusion_over_steps"].isel(step=-1).values.astype(float)
    counts = structure["exemplars"].values
    n = len(counts)
    if n < 3 or not np.isfinite(table).all():
        return []
    errors = table * counts[:, None] * (1 - np.eye(n))
    spread = errors.sum(axis=1) / (n - 1)
    pairs, found = list(combinations(range(n), 2)), []
    for i, j in pairs:
        of, evenly = int(counts[i] + counts[j]), float(spread[i] + spread[j])
        bound = float(binom.ppf(1 - RARELY / len(pairs), of, evenly / of)) / of
        n_errors = round(float(errors[i, j] + errors[j, i]))
        if n_errors / of > bound > 0:
            found.append(Confusion(i, j, n_errors, of, evenly / of, bound))
    return sorted(found, key=lambda one: -one.share)


def has_phases(structure: xr.Dataset) -> bool:
    """Whether the development has phases at all: their test has to pass."""
    return "phase_p" in structure and bool(float(structure["phase_p"]) <= RARELY)


def carried(flow: xr.DataArray) -> list[np.ndarray]:
    """Return which units carry which tokens more than before training, at the last snapshots.

    Parameters
    ----------
    flow
        Of one layer's units, (step, node, token); the first step is the untrained network.

    Returns
    -------
    list of np.ndarray
        [node, token], for each of the last `LATEST` snapshots.
    """
    values = np.nan_to_num(flow.transpose("step", "node", "token").values.astype(np.float64))
    return [chance_finds(table, values[0]) <= FALSE for table in values[1:][-LATEST:]]


def chance_finds(values: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return the share of chance finds at each value's own size (Benjamini & Hochberg 1995).

    p = (1 + how many of the null are as large) / (1 + their number).
    """
    ordered = np.sort(null, axis=None)
    above = ordered.size - np.searchsorted(ordered, values.ravel(), side="left")
    p = (1 + above) / (1 + ordered.size)
    order = np.argsort(p, kind="stable")
    q = np.minimum.accumulate((p[order] * p.size / np.arange(1, p.size + 1))[::-1])[::-1]
    result = np.empty_like(q)
    result[order] = np.minimum(q, 1.0)
    return result.reshape(values.shape)


class Carrier(NamedTuple):
    """The unit of the upper layers through which most of what distinguishes a token passes."""

    unit: str
    token: str
    share: float


def carriers(graph: xr.Dataset) -> list[Carrier]:
    """Return, for each token, the unit of the upper hidden layers that carries it most.

    Only units that carry the token more than units of the layer did before training, at each of
    the last snapshots, are considered; layers are compared by the ratio to the largest untrained
    share, since the units of narrow layers have more each.
    """
    if int(graph["step"][0]) != 0 or graph.sizes["step"] < 2:
        return []
    layers = [str(name) for name in graph["layer"].values[:-1]]
    best: dict[int, tuple[float, Carrier]] = {}
    tokens = [str(name) for name in graph["token"].values]
    of_node = np.array([str(name) for name in graph["node_layer"].values])
    for layer in layers[len(layers) // 2 :]:
        mine = np.flatnonzero(of_node == layer)
        flow = graph["flow"].isel(node=mine).transpose("step", "node", "token")
        kept = np.logical_and.reduce(carried(flow))
        now, before = flow.values[-1], max(float(np.nan_to_num(flow.values[0]).max()), 1e-12)
        for k in np.flatnonzero(kept.any(axis=0)):
            row = int(np.where(kept[:, k], now[:, k], -1).argmax())
            ratio = float(now[row, k]) / before
            if ratio > best.get(int(k), (0.0,))[0]:
                unit = str(flow["node"].values[row])
                best[int(k)] = ratio, Carrier(unit, tokens[k], float(now[row, k]))
    return [best[k][1] for k in sorted(best)]
