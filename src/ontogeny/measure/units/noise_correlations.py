"""Within-token (noise) correlations of units in neighbouring layers, beside their couplings.

Two units of neighbouring layers may vary together because both tell the tokens apart; what is left
within tokens is shared variation that no token explains. Descriptive: neither functional nor
causal. May import numpy, scipy, xarray, ontogeny.stats and ontogeny.measure.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from scipy.special import ndtri

from ontogeny.measure.couplings.wiring import Wiring, nodes_named, wiring_of
from ontogeny.measure.probe import Probe, chosen_step, held_out, require
from ontogeny.measure.quantity import Chance, Quantity, label
from ontogeny.stats.graphs import score_correlation
from ontogeny.stats.permutation import upper_quantile

_CONSTANT = 1e-6
_LEVEL = 0.99
_STILL = "units that do not vary within tokens"
NOISE = {
    "noise_correlation": Quantity(
        ("edge",), "1", "correlation within tokens, mean over positions", _STILL,
        "noise_bound: exemplars shuffled within tokens"),
    "noise_bound": Quantity(
        ("layer",), "1", "what 1 % of |noise correlations| pass when each layer's exemplars are "
        "shuffled within tokens", _STILL),
    "noise_beyond": Quantity(
        ("layer",), "1", "share of edges whose noise correlation is beyond what 1 % of exemplars "
        "shuffled within tokens give", _STILL, "1 %: exemplars shuffled within tokens"),
    "likeness": Quantity(
        ("layer",), "1", "correlation over edges of |coupling| and |noise correlation|, of normal "
        "scores", _STILL, "likeness_bound: a random pairing of edges"),
    "likeness_bound": Quantity(
        ("layer",), "1", "the same, which a random pairing of edges does not pass", _STILL),
}  # fmt: skip


def noise_correlations(
    record: xr.Dataset,
    step: int | None = None,
    *,
    units: Sequence[str] | None = None,
    chance: Chance | None = None,
) -> xr.Dataset:
    """Correlate units of neighbouring layers over held-out exemplars, token means taken off.

    Of spatial mean activations; for the image's channels, of their mean over pixels.

    Parameters
    ----------
    record
        With activations and edges.
    step
        A recorded step; None is the last.
    units
        Only edges into and out of these; None: all.
    chance
        Seed.

    Returns
    -------
    xr.Dataset
        Over `edge` with `source` and `target`: `noise_correlation`, NaN where a unit does not
        vary within tokens. Over `layer` (the targets'): `noise_bound`, which 1 % of |correlations|
        pass when each layer's exemplars are shuffled within tokens; `noise_beyond`, the share of
        edges that pass it; `likeness`, the correlation (of normal scores) of |coupling| and
        |noise correlation| over the layer's edges, and `likeness_bound`, which a random pairing
        of edges passes with 1 - `chance.level`.

    Raises
    ------
    InputError
        If the record lacks activations, couplings, the step, the units, or held-out exemplars.

    Examples
    --------
    How alike couplings and noise correlations are, beside what a random pairing gives:

    >>> found = ont.measure.noise_correlations(record)
    >>> print(found.layer.values)
    ['conv1' 'conv2' 'fc1' 'logits']
    >>> print(found.likeness.values.round(2), found.likeness_bound.values.round(2))
    [0.5  0.39 0.42 0.66] [0.37 0.15 0.11 0.26]
    """
    require(record, "activation", "coupling")
    wiring, chance, probe = wiring_of(record), chance or Chance(), held_out(record)
    at = chosen_step(record, step)
    response = _responses(record, wiring, probe, at)
    rng = np.random.default_rng(chance.seed)
    found = _correlations(response, wiring)
    values = {"noise_correlation": found} | _against_chance(
        found, response, record["coupling"].sel(step=at).values, wiring, (probe, chance, rng)
    )
    where = {
        "source": ("edge", wiring.nodes[wiring.source]),
        "target": ("edge", wiring.nodes[wiring.target]),
        "layer": list(wiring.above),
    }
    data = label(values, NOISE, where, attributes={"step": at})
    if units is None:
        return data
    chosen = nodes_named(wiring, units)
    return data.isel(edge=np.isin(wiring.source, chosen) | np.isin(wiring.target, chosen))


def noise_likeness(record: xr.Dataset, *, chance: Chance | None = None) -> xr.Dataset:
    """Follow over steps how far couplings and noise correlations agree, layer by layer.

    Returns
    -------
    xr.Dataset
        `likeness`, `likeness_bound`, `noise_beyond` (step, layer), as `noise_correlations`.

    Raises
    ------
    InputError
        If the record lacks activations, couplings or held-out exemplars.

    Examples
    --------
    >>> found = ont.measure.noise_likeness(record).isel(step=[0, -1])
    >>> found.likeness.to_pandas().round(2)
    layer  conv1  conv2   fc1  logits
    step
    0       0.86   0.37  0.50    0.77
    300     0.50   0.39  0.42    0.66
    """
    names = ("likeness", "likeness_bound", "noise_beyond")
    require(record, "activation", "coupling")
    wiring, chance, probe = wiring_of(record), chance or Chance(), held_out(record)
    rows = []
    for at in record["step"].values.tolist():
        # anew at each step, so that every step is held against the same shuffles
        rng = np.random.default_rng(chance.seed)
        response = _responses(record, wiring, probe, at)
        rows.append(_against_chance(
            _correlations(response, wiring), response, record["coupling"].sel(step=at).values,
            wiring, (probe, chance, rng)))  # fmt: skip
    values = {name: np.array([row[name] for row in rows]) for name in names}
    table = {name: replace(NOISE[name], dims=("step", "layer")) for name in names}
    return label(values, table, {"step": record["step"].values, "layer": list(wiring.above)})


def _responses(record: xr.Dataset, wiring: Wiring, probe: Probe, step: int) -> np.ndarray:
    """Return responses less their token's mean, of norm 1, [exemplar, node]; NaN: constant."""
    values = record["activation"].sel(step=step).values[probe.position].astype(np.float64)
    pixels = np.full((len(values), wiring.n_pixels), np.nan)
    if "image" in record and record.sizes.get("channel") == wiring.n_pixels:
        pixels = record["image"].values[probe.position].mean(axis=(1, 2), dtype=np.float64)
    response = np.concatenate([pixels, values], axis=1)
    # before means are taken off: rounding is relative to what was there
    largest = np.abs(response).max(axis=0)
    for token in np.unique(probe.token):
        members = probe.token == token
        response[members] -= response[members].mean(axis=0)
    norm = np.sqrt((response**2).sum(axis=0))
    varies = norm > _CONSTANT * largest * np.sqrt(len(response))
    return np.divide(response, norm, where=varies, out=np.full(response.shape, np.nan))


def _correlations(response: np.ndarray, wiring: Wiring) -> np.ndarray:
    """Return the correlation along each edge, one matrix product per layer."""
    found = np.full(len(wiring.source), np.nan)
    for k, block in enumerate(wiring.blocks):
        s, t = wiring.source[block], wiring.target[block]
        above, below = wiring.members(k + 1), wiring.members(int(wiring.node_layer[s[0]]))
        dense = response[:, above].T @ response[:, below]
        found[block] = dense[t - above[0], s - below[0]]
    return found


def _against_chance(
    found: np.ndarray, response: np.ndarray, coupling: np.ndarray, wiring: Wiring,
    draws: tuple[Probe, Chance, np.random.Generator],
) -> dict[str, np.ndarray]:  # fmt: skip
    """Compare correlations with dealt exemplars, and with couplings, layer by layer."""
    probe, chance, rng = draws
    dealt = np.full_like(response, np.nan)
    for layer in range(len(wiring.layers)):
        own = wiring.members(layer)
        for token in np.unique(probe.token):
            place = np.flatnonzero(probe.token == token)
            # each layer on its own, since one order for both would keep their correlation
            dealt[np.ix_(place, own)] = response[np.ix_(rng.permutation(place), own)]
    null = np.abs(_correlations(dealt, wiring))
    rows = []
    for block in wiring.blocks:
        known = np.isfinite(null[block])
        bound = np.quantile(null[block][known], _LEVEL) if known.any() else np.nan
        a, b = np.abs(found[block]), np.abs(coupling[block]).astype(np.float64)
        both = np.isfinite(a) & np.isfinite(b)
        beyond = np.mean(a[both] > bound) if both.any() else np.nan
        pairing = _pairing_bound(int(both.sum()), chance, rng)
        rows.append((bound, beyond, score_correlation(a, b), pairing))
    names = ("noise_bound", "noise_beyond", "likeness", "likeness_bound")
    return dict(zip(names, np.array(rows).T, strict=True))


def _pairing_bound(n: int, chance: Chance, rng: np.random.Generator) -> float:
    """Return what the correlation of n randomly paired scores stays below (normal for many)."""
    if n < 3:
        return float("nan")
    # the sum of many products of scores is normal with variance 1 / (n - 1)
    if n > 500:
        return float(ndtri(chance.level) / np.sqrt(n - 1))
    x = ndtri((np.arange(n) + 0.5) / n)
    null = np.array([x @ rng.permutation(x) for _ in range(chance.n_shuffles)]) / (x @ x)
    return float(upper_quantile(null[:, None], chance.level)[0])
