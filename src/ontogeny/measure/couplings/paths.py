"""Strongest paths from the image to a token that share no unit, by contrast share.

A path's strength is the product of the shares that its edges have in what distinguishes the token
at their targets: the part of the logit's distinction that is built along it. Functional. May import
numpy, xarray, ontogeny.stats and ontogeny.measure.
"""

import numpy as np
import xarray as xr

from ontogeny.errors import InputError
from ontogeny.measure.categories.signals import token_margins
from ontogeny.measure.couplings.wiring import Wiring, token_index, wiring_of
from ontogeny.measure.probe import chosen_step, require
from ontogeny.measure.quantity import Chance, Quantity, label
from ontogeny.stats.onset import HOLD, onset_interval
from ontogeny.stats.paths import disjoint_paths, path_cost, path_costs
from ontogeny.stats.permutation import upper_quantile

MOST = 5
"""Paths that are looked for."""
_SHUFFLES = 4
"""Graphs of the null per token and step; tokens are pooled."""
PATHS = {
    "unit": Quantity(("path", "layer"), "1", "name of the unit on the path; the image's channel"),
    "share": Quantity(
        ("path", "layer"), "1", "share of what distinguishes the token at the unit", "the image"),
    "strength": Quantity(("path",), "1", "product of the path's shares"),
    "weakest": Quantity(("path",), "1", "smallest share on the path"),
}  # fmt: skip
_PRODUCT = "product of the shares along the path"
_DEALT = "path_bound: each source's shares shuffled over its targets"
_NAMED = "the token is named where it is right, beyond shuffled tokens"
TOKEN_PATHS = {
    "path_strength": Quantity(("step", "token", "path"), "1", _PRODUCT, null=_DEALT),
    "path_bound": Quantity(("step", "path"), "1", f"{_PRODUCT}, which chance does not pass"),
    "strong_paths": Quantity(
        ("step", "token"), "1", "paths beyond chance, of the strongest", null=_DEALT),
    "path_onset_after": Quantity(
        ("token", "path"), "steps", "last snapshot without so many strong paths", null=_DEALT),
    "path_onset_by": Quantity(
        ("token", "path"), "steps", "snapshot from which there are so many", null=_DEALT),
    "token_onset_after": Quantity(
        ("token",), "steps", f"last snapshot before {_NAMED}", null="margin_threshold"),
    "token_onset_by": Quantity(
        ("token",), "steps", f"snapshot from which {_NAMED}", null="margin_threshold"),
}  # fmt: skip


def paths(record: xr.Dataset, token: str, step: int | None = None, *, k: int = MOST) -> xr.Dataset:
    """Find the strongest paths from the image to a token's logit that share no unit.

    Of all sets of `k` such paths the product of all shares is largest. Shares that oppose what the
    target does for the token (negative evidence) are no edges. The image's channels may be shared.

    Returns
    -------
    xr.Dataset
        `unit` (path, layer), names, the image's channel first; `share` (path, layer), of the edge
        into the unit (NaN at the image); `strength` (path), their product; `weakest` (path), the
        smallest share. Strongest first; fewer than `k` where there are no more.

    Raises
    ------
    InputError
        If the record lacks contrasts, the token or the step, or `k` is not 1 ... 5.

    Examples
    --------
    The strongest path to cleo's logit, and the product of its shares:

    >>> found = ont.measure.paths(record, "cleo", k=2).isel(path=0)
    >>> print(found.unit.values, found.share.values.round(2))
    ['pixels:1' 'conv1:3' 'conv2:11' 'fc1:4' 'logits:2'] [ nan 0.45 0.48 0.23 0.24]
    >>> round(float(found.strength), 3)
    0.012
    """
    if not 1 <= k <= MOST:
        msg = f"expected 1 to {MOST} paths, got {k}"
        raise InputError(msg)
    require(record, "coupling_contrast")
    wiring, column = wiring_of(record), token_index(record, token)
    at = chosen_step(record, step)
    contrast = record["coupling_contrast"].sel(step=at).isel(token=column).values
    shares = evidence(contrast, wiring)
    found = disjoint_paths(path_costs(shares), column, k)
    first = [int(wiring.members(layer)[0]) for layer in range(len(wiring.layers))]
    units = [[wiring.nodes[start + i] for start, i in zip(first, path, strict=True)]
             for path in found]  # fmt: skip
    share = np.full((len(found), len(wiring.layers)), np.nan)
    for row, path in zip(share, found, strict=True):
        row[1:] = [s[b, a] for s, a, b in zip(shares, path[:-1], path[1:], strict=True)]
    values = {
        "unit": np.array(units, dtype=str).reshape(share.shape), "share": share,
        "strength": share[:, 1:].prod(axis=1),
        "weakest": share[:, 1:].min(axis=1, initial=1.0),
    }  # fmt: skip
    about = {"step": at, "token": token}
    return label(values, PATHS, {"layer": list(wiring.layers)}, attributes=about)


def token_paths(
    record: xr.Dataset, *, k: int = MOST, hold: int = HOLD, chance: Chance | None = None
) -> xr.Dataset:
    """Find from which step each token is carried by paths stronger than chance.

    The null shuffles each source's shares over its targets: a loud source stays loud, but which
    targets it serves is left to chance. That the strongest paths are no stronger than the null's
    says that many weak paths carry the token, not few strong ones.

    Returns
    -------
    xr.Dataset
        `path_strength` (step, token, path), strongest first, 0 where there is none; `path_bound`
        (step, path), which the null passes with 1 - `chance.level`, tokens pooled; `strong_paths`
        (step, token), how many of the strongest are all beyond it. Over (token, path):
        `path_onset_after`, `path_onset_by`, between which steps so many strong paths came to
        stay, and over token `token_onset_after`, `token_onset_by`, when it began to be named
        where it is right beyond shuffled tokens; infinite where censored.

    Raises
    ------
    InputError
        If the record lacks contrasts, logits, or held-out exemplars of two tokens.

    Examples
    --------
    By the end no path is stronger than chance: many weak ones carry the tokens.

    >>> found = ont.measure.token_paths(record, k=1).isel(step=-1)
    >>> print(found.path_strength.values[:, 0].round(3), found.path_bound.values.round(3))
    [0.012 0.011 0.012] [0.023]
    >>> found.strong_paths.values.tolist()
    [0, 0, 0]
    """
    require(record, "coupling_contrast")
    chance, wiring = chance or Chance(), wiring_of(record)
    rng, n_tokens = np.random.default_rng(chance.seed), record.sizes["token"]
    # enough in all, tokens pooled, for the quantile to lie among them
    n_null = int(np.ceil(max(_SHUFFLES, (1 / (1 - chance.level) - 1) / n_tokens)))
    shapes = [wiring.matrix(wiring.source, block).shape for block in range(len(wiring.blocks))]
    # drawn once: steps are compared under the same shuffles
    deals = [[rng.permuted(np.arange(a * b).reshape(a, b), axis=0) for a, b in shapes]
             for _ in range(n_null)]  # fmt: skip
    strength = np.zeros((record.sizes["step"], n_tokens, k))
    bound = np.zeros((record.sizes["step"], k))
    for row in range(record.sizes["step"]):
        contrast = record["coupling_contrast"].isel(step=row).values
        # pooled over tokens: one token's few shuffles would give no quantile so high
        null = []
        for token in range(n_tokens):
            costs = path_costs(evidence(contrast[:, token], wiring))
            strength[row, token] = _strengths(costs, token, k)
            null += [_strengths(_dealt(costs, deal), token, k) for deal in deals]
        bound[row] = upper_quantile(np.array(null), chance.level)
    # a product along paths: the third counts only if the first two are beyond chance as well
    beyond = np.cumprod(strength > bound[:, None], axis=2).sum(axis=2)
    return _labelled(record, strength, bound, beyond, hold).merge(_token_onsets(record, chance))


def evidence(contrast: np.ndarray, wiring: Wiring) -> list[np.ndarray]:
    """Return each layer's shares [target, source] of what its units do for a token; 0 opposes."""
    shares = []
    for block in range(len(wiring.blocks)):
        dense = np.nan_to_num(wiring.matrix(contrast.astype(np.float64), block))
        # turned to the target's own direction; what opposes it is no part of building it
        shares.append(np.maximum(dense * np.sign(dense.sum(axis=1, keepdims=True)), 0))
    return shares


def _dealt(costs: list[np.ndarray], deal: list[np.ndarray]) -> list[np.ndarray]:
    """Return costs shuffled: `deal` holds, for each layer, flat indices of where from."""
    return [cost.ravel()[places] for cost, places in zip(costs, deal, strict=True)]


def _strengths(costs: list[np.ndarray], token: int, k: int) -> np.ndarray:
    """Return the strengths of the k strongest paths, 0 where there are fewer."""
    found = [np.exp(-path_cost(costs, path)) for path in disjoint_paths(costs, token, k)]
    return np.pad(np.array(found), (0, k - len(found)))


def _labelled(
    record: xr.Dataset, strength: np.ndarray, bound: np.ndarray, beyond: np.ndarray, hold: int
) -> xr.Dataset:
    steps, tokens = record["step"].values, record["token"].values.astype(str)
    onsets = [
        [onset_interval(count.astype(float), np.full(len(steps), n - 0.5), steps, hold=hold)
         for n in range(1, strength.shape[2] + 1)]
        for count in beyond.T
    ]  # fmt: skip
    after, by = np.moveaxis(np.array(onsets), -1, 0)
    values = {
        "path_strength": strength, "path_bound": bound, "strong_paths": beyond,
        "path_onset_after": after, "path_onset_by": by,
    }  # fmt: skip
    path = np.arange(1, strength.shape[2] + 1)
    return label(values, TOKEN_PATHS, {"step": steps, "token": tokens, "path": path})


def _token_onsets(record: xr.Dataset, chance: Chance) -> xr.Dataset:
    margins, steps = token_margins(record, chance=chance), record["step"].values
    value, limit = (margins[name].values.T for name in ("token_margin", "margin_threshold"))
    limit = np.broadcast_to(limit, value.shape)
    found = [onset_interval(v, t, steps) for v, t in zip(value, limit, strict=True)]
    after, by = np.array(found).T
    where = {"token": record["token"].values.astype(str)}
    return label({"token_onset_after": after, "token_onset_by": by}, TOKEN_PATHS, where)
