"""How far tokens come apart, unit by unit and layer by layer, against shuffled tokens.

May import numpy, scipy, xarray, ontogeny.stats and ontogeny.measure.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.special import stdtrit

from ontogeny.measure.probe import (
    Probe,
    chosen_step,
    held_out,
    layer_names,
    require,
    units_of_layers,
)
from ontogeny.measure.quantity import Chance, Quantity, label
from ontogeny.progress import Progress
from ontogeny.stats.clusters import cluster_permutation
from ontogeny.stats.permutation import (
    corrected_threshold,
    group_resamples,
    shuffled_tokens,
    upper_quantile,
)
from ontogeny.stats.selectivity import (
    CONSTANT,
    eta_squared,
    excess,
    resampled_eta_squared,
    shuffled_eta_squared,
    token_margin,
)
from ontogeny.stats.tokens import token_means

FEWEST_DRAWS = 19
"""Draws of a null below which no p of 0.05 can come."""
CLUSTER_MAPS = {
    "signal": "layer token signal against shuffled tokens",
    "change": "change of layer token signal since step 0, against other exemplars and another draw "
    "of untrained weights",
}

TOKEN_SIGNAL = (
    "token signal: share of the variance over held-out exemplars that lies between tokens (eta "
    "squared), less its mean m under shuffled tokens: (eta squared - m) / (1 - m); 0 without token "
    "structure, 1 at most"
)
_SHUFFLED = "tokens shuffled over groups of exemplars"
_UNITS = {
    "token_signal": Quantity(
        ("step", "unit"), "1", TOKEN_SIGNAL, "a unit that does not vary",
        f"0 on average; token_signal_upper is passed with 1 %: {_SHUFFLED}"),
    "token_signal_upper": Quantity(
        ("step", "unit"), "1", "token signal that a unit without token structure passes with 1 %, "
        "by shuffled tokens", "a unit that does not vary"),
    "eta_squared": Quantity(
        ("step", "unit"), "1", "eta squared: between-token share of a unit's variance over "
        "held-out exemplars", "a unit that does not vary"),
    "preferred_token": Quantity(
        ("step", "unit"), "1", "index of the token with the largest mean activation over held-out "
        "exemplars; -1: none"),
}  # fmt: skip
_CLUSTERS = {
    "cluster": Quantity(
        ("cluster_map", "step", "layer"), "1", "number of the cluster that the cell is in; 0: none",
        null="draws of each map's null: cluster_p"),
    "cluster_p": Quantity(
        ("cluster_map", "step", "layer"), "1", "share of draws of the null in which some cluster "
        "anywhere on the map weighs as much", f"cells in no cluster; fewer than {FEWEST_DRAWS} "
        'draws, a layer that does not vary, and for "change" a record without step 0'),
    "layer_change": Quantity(
        ("step", "layer"), "1", "layer token signal less that at step 0",
        "a record without step 0, or a silent layer", f"clusters of {CLUSTER_MAPS['change']}"),
}  # fmt: skip
_CONFUSION = {
    "confusion": Quantity(
        ("token", "token_b"), "1", "share of a token's held-out exemplars that are taken for each "
        "token", "a token without held-out exemplars"),
}  # fmt: skip


def _layer_quantities(chance: Chance) -> dict[str, Quantity]:
    cell, silent = ("step", "layer"), "a layer of which no unit varies"
    return {
        "layer_token_signal": Quantity(
            cell, "1", f"mean over varying units of {TOKEN_SIGNAL}", silent,
            f"layer_threshold: {_SHUFFLED}; untrained_threshold: other untrained weights"),
        "layer_threshold": Quantity(
            cell, "1", "layer token signal that no layer at no step passes without token "
            f"structure, with {chance.level:.0%} (maximum over layers x steps of "
            f"{chance.n_shuffles} shuffles)", silent),
        "untrained_threshold": Quantity(
            ("layer",), "1", "layer token signal that another draw of the layer's untrained "
            f"weights does not pass, with {chance.level:.0%} corrected over layers; NaN where step "
            "0 is not in the record", "step 0 is not in the record, or fewer than 2 units vary"),
        "share_beyond": Quantity(
            cell, "1", "share of a layer's varying units whose token signal is above their own 1 % "
            "bound", silent, f"1 % on average: {_SHUFFLED}"),
        "units_varying": Quantity(cell, "units", "units of the layer that vary over exemplars"),
    }  # fmt: skip


def _token_quantities(chance: Chance) -> dict[str, Quantity]:
    cell = ("step", "token")
    return {
        "answer_share": Quantity(
            cell, "1", "share of the answers on held-out exemplars that name the token: its "
            "accuracy without token structure"),
        "token_margin": Quantity(
            cell, "1", "accuracy on the token's held-out exemplars less the share of answers that "
            "name it", "a token without held-out exemplars", f"margin_threshold: {_SHUFFLED}"),
        "margin_threshold": Quantity(
            cell, "1", "margin that no token at no step passes without token structure, with "
            f"{chance.level:.0%} (maximum over tokens x steps of {chance.n_shuffles} shuffles)"),
    }  # fmt: skip


@dataclass(frozen=True)
class Signals:
    """Token signals of one record as plain arrays; layers in forward order."""

    eta: np.ndarray
    """[step, unit]"""
    unit: np.ndarray
    """[step, unit] token signal"""
    unit_upper: np.ndarray
    """[step, unit] .99 quantile of the null"""
    layer: np.ndarray
    """[step, layer] mean over the units that vary"""
    layer_null: np.ndarray
    """[shuffle, step, layer]"""
    layer_resampled: np.ndarray
    """[resample, step, layer], centred on `layer`, of its sampling variance"""


def token_signal(
    record: xr.Dataset,
    *,
    everything: bool = False,
    chance: Chance | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Measure the token signal of every unit at every step.

    Returns
    -------
    xr.Dataset
        `token_signal` (step, unit) and `token_signal_upper`, which a unit without token structure
        passes with 1 %; with `everything` also `eta_squared`, the same before the null's mean is
        taken off. NaN where a unit does not vary.

    Raises
    ------
    InputError
        If the record lacks activations, or held-out exemplars of two tokens.

    Examples
    --------
    A unit of the first layer that the tokens do not move, and the logit of cleo that they do:

    >>> found = ont.measure.token_signal(record).isel(step=-1).sel(unit=["conv1:0", "logits:2"])
    >>> print(found.token_signal.values.round(2), found.token_signal_upper.values.round(2))
    [-0.03  0.79] [0.12 0.13]
    """
    found = signals(record, chance or Chance(), progress)
    return label_units(record, found, everything=everything)


def layer_token_signal(
    record: xr.Dataset,
    *,
    everything: bool = False,
    chance: Chance | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Measure the token signal of every layer at every step: the mean over its varying units.

    Returns
    -------
    xr.Dataset
        `layer_token_signal` (step, layer); `layer_threshold`, which no layer at no step passes
        without token structure, with 95 % (corrected over layers x steps); `untrained_threshold`
        (layer), which another draw of the layer's untrained weights would not pass, with 95 %
        corrected over layers; `units_varying`; what `clusters` returns; and with `everything`
        `share_beyond`, the share of varying units above their own 1 % bound.

    Raises
    ------
    InputError
        If the record lacks activations, or held-out exemplars of two tokens.

    Examples
    --------
    Before training and after it, beside what no layer passes at any step by chance:

    >>> found = ont.measure.layer_token_signal(record).isel(step=[0, -1])
    >>> found.layer_token_signal.to_pandas().round(2)
    layer  conv1  conv2   fc1  logits
    step
    0       0.04   0.03  0.03   -0.02
    300     0.09   0.24  0.41    0.71
    >>> found.layer_threshold.to_pandas().round(2)
    layer  conv1  conv2   fc1  logits
    step
    0       0.07   0.06  0.07    0.09
    300     0.07   0.06  0.08    0.12
    """
    chance = chance or Chance()
    found = signals(record, chance, progress)
    return label_layers(record, found, chance, everything=everything)


def signals(record: xr.Dataset, chance: Chance, progress: Progress | None = None) -> Signals:
    """Compute token signals, nulls and resamples in one pass, one step in memory at a time.

    Raises
    ------
    InputError
        If the record lacks activations, or held-out exemplars of two tokens.
    """
    require(record, "activation", "layer")
    probe, rng = held_out(record), np.random.default_rng(chance.seed)
    draw = {"rng": rng}
    tokens = shuffled_tokens(probe.token, probe.group, n_shuffles=chance.n_shuffles, **draw)
    weights = group_resamples(probe.token, probe.group, n_resamples=chance.n_resamples, **draw)
    units, n_steps = list(units_of_layers(record).values()), record.sizes["step"]
    columns = []
    for k in range(n_steps):
        activation = record["activation"][k].values[probe.position]
        columns.append(_one_step(activation, probe.token, tokens, weights, units))
        if progress is not None:
            progress("token signal", k + 1, n_steps)
    eta, unit, upper, layer, null, resampled = zip(*columns, strict=True)
    return Signals(
        np.stack(eta), np.stack(unit), np.stack(upper), np.stack(layer),
        np.stack(null, axis=1), np.stack(resampled, axis=1),
    )  # fmt: skip


def _one_step(
    activation: np.ndarray,
    token: np.ndarray,
    tokens: np.ndarray,
    weights: np.ndarray,
    units: list[np.ndarray],
) -> tuple[np.ndarray, ...]:
    """Return what `Signals` holds, for one step."""
    eta = eta_squared(activation, token)
    null = shuffled_eta_squared(activation, tokens)
    mean = null.mean(axis=0, dtype=np.float64)
    null = excess(null, mean.astype(np.float32))
    again = excess(resampled_eta_squared(activation, token, weights), mean)
    signal = excess(eta, mean)
    layer = _layer_means(signal[None], units)[0]
    resampled = _layer_means(again, units)
    layer_null = _layer_means(null, units)
    return (
        eta, signal, upper_quantile(null, 0.99), layer, layer_null,
        layer + _own_deviations(resampled, layer_null),
    )  # fmt: skip


def _own_deviations(resampled: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return deviations over resamples [resample, layer], of the variance of the signal itself.

    A resample adds fresh noise to the sample's own. A mean square, as the signal is one, then has
    the variance V + 2 V0, where V is that of the signal over samples and V0 that without token
    structure (a noncentral chi-square in place of a central one); so 2 V0 is taken off, and no
    less than V0 left.
    """
    deviation = resampled - resampled.mean(axis=0)
    variance, without = deviation.var(axis=0), null.var(axis=0)
    wanted = np.maximum(variance - 2 * without, without)
    return deviation * np.sqrt(np.divide(wanted, variance, where=variance > 0, out=wanted * 0))


def _layer_means(values: np.ndarray, units: list[np.ndarray]) -> np.ndarray:
    """Average [draw, unit] over the varying units of each layer; NaN where none varies."""
    means = np.full((len(values), len(units)), np.nan)
    for column, members in enumerate(units):
        of_layer = values[:, members].astype(np.float64)
        there = np.isfinite(of_layer)
        count = there.sum(axis=1)
        total = np.where(there, of_layer, 0.0).sum(axis=1)
        np.divide(total, count, where=count > 0, out=means[:, column])
    return means


def label_units(record: xr.Dataset, found: Signals, *, everything: bool = False) -> xr.Dataset:
    """Name the signals of units."""
    values = {"token_signal": found.unit, "token_signal_upper": found.unit_upper}
    values |= {"eta_squared": found.eta} if everything else {}
    where = {"step": record["step"].values, "unit": record["unit"].values}
    return label(values, _UNITS, where)


def label_layers(
    record: xr.Dataset, found: Signals, chance: Chance, *, everything: bool = False
) -> xr.Dataset:
    """Name the signals of layers and add their thresholds."""
    share, varying = _shares(record, found)
    values = {
        "layer_token_signal": found.layer,
        "layer_threshold": corrected_threshold(found.layer_null, chance.level),
        "untrained_threshold": untrained_threshold(record, found, chance),
        "units_varying": varying,
    }
    values |= {"share_beyond": share} if everything else {}
    where = {"step": record["step"].values, "layer": layer_names(record)}
    data = label(values, _layer_quantities(chance), where)
    return data.merge(label_clusters(record, found, chance))


def clusters(
    record: xr.Dataset, *, chance: Chance | None = None, progress: Progress | None = None
) -> xr.Dataset:
    """Find where on the map of layers by steps token signal is beyond chance, all cells considered.

    Two maps. "signal": the layer token signal against shuffled tokens. "change": its difference
    from step 0, whose null is what groups of exemplars resampled and another draw of untrained
    weights change of it (its deviations over resamples, and for each layer a draw with Student's t
    of its units at step 0, the same at all later steps); both signs.
    A cluster says that there is an effect, not that each of its cells has one, nor exactly when it
    begins.

    Returns
    -------
    xr.Dataset
        Over (cluster_map, step, layer): `cluster`, the number of the cluster that a cell is in,
        the heaviest first, 0 for none, and `cluster_p`, its p value, corrected for the whole map;
        `layer_change` (step, layer), the statistic of the second map.

    Raises
    ------
    InputError
        If the record lacks activations, or held-out exemplars of two tokens.

    References
    ----------
    Maris & Oostenveld 2007, Journal of Neuroscience Methods 164:177-190.

    Examples
    --------
    One cluster, numbered 1, holds nearly all cells: that tokens matter somewhere in it is certain.

    >>> found = ont.measure.clusters(record).sel(cluster_map="signal")
    >>> found.cluster.to_pandas().T
    step    0    1    2    4    7    13   24   45   84   159  300
    layer
    conv1     1    1    1    1    1    1    1    1    1    1    1
    conv2     0    1    1    1    1    1    1    1    1    1    1
    fc1       0    1    1    1    1    1    1    1    1    1    1
    logits    0    0    1    1    1    1    1    1    1    1    1
    """
    chance = chance or Chance()
    return label_clusters(record, signals(record, chance, progress), chance)


def label_clusters(record: xr.Dataset, found: Signals, chance: Chance) -> xr.Dataset:
    """Name the clusters of both maps."""
    coordinates = {"step": record["step"].values, "layer": layer_names(record)}
    change, drawn = layer_change(record, found, chance)
    maps = ((found.layer, found.layer_null, False), (change, drawn, True))
    number = np.zeros((len(maps), *change.shape), dtype=np.int64)
    p = np.full(number.shape, np.nan)
    for k, (statistic, null, two_sided) in enumerate(maps):
        if len(null) >= FEWEST_DRAWS:
            seen = cluster_permutation(statistic.T, np.swapaxes(null, 1, 2), two_sided=two_sided)
            number[k] = seen.label.T
            p[k] = np.concatenate([[np.nan], seen.p])[number[k]]
    return label(
        {"cluster": number, "cluster_p": p, "layer_change": change}, _CLUSTERS,
        {"cluster_map": list(CLUSTER_MAPS), **coordinates}, always_missing=True,
        attributes={f"cluster_map: {name}": text for name, text in CLUSTER_MAPS.items()},
    )  # fmt: skip


def layer_change(
    record: xr.Dataset, found: Signals, chance: Chance
) -> tuple[np.ndarray, np.ndarray]:
    """Return the change of token signal since step 0 [step, layer] and its null [resample, ...].

    NaN where the record does not hold step 0.
    """
    if int(record["step"][0]) != 0:
        nothing = np.full(found.layer.shape, np.nan)
        return nothing, np.broadcast_to(nothing, found.layer_resampled.shape)
    deviation = found.layer_resampled - found.layer
    deviation = deviation - deviation[:, :1]
    rng = np.random.default_rng([chance.seed, 1])
    _, error, freedom = draw_errors(record, found)
    there = np.flatnonzero(np.isfinite(error))
    drawn = rng.standard_t(freedom[there], size=(len(deviation), len(there)))
    deviation[:, 1:, there] += (np.sqrt(2) * error[there] * drawn)[:, None]
    return found.layer - found.layer[:1], deviation


def untrained_threshold(record: xr.Dataset, found: Signals, chance: Chance) -> np.ndarray:
    """Return per layer what another draw of the untrained weights would not pass, with `level`.

    With m the layer's mean signal at step 0, the bound is m + t sqrt(2) e, e its standard error
    over draws of weights (`draw_errors`), t the quantile of Student's t with as many degrees of
    freedom as e has, corrected over layers by Bonferroni.
    """
    mean, error, freedom = draw_errors(record, found)
    return mean + stdtrit(freedom, 1 - (1 - chance.level) / len(mean)) * np.sqrt(2) * error


def draw_errors(record: xr.Dataset, found: Signals) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each layer's mean signal at step 0, its error over draws of weights, its freedom.

    Units of a layer are independent draws given the layers below, which gives s^2 / n with s the
    deviation of its n varying units. The layers below are drawn anew as well, and what token
    signal they carry is handed on: their variances add up, e_l^2 = sum over k <= l of
    s_k^2 / n_k (Welch-Satterthwaite for the freedom). NaN where the record does not hold step 0,
    and for layers with fewer than 2 units that vary; these hand nothing on.
    """
    groups = list(units_of_layers(record).values())
    columns = np.full((3, len(groups)), np.nan)
    if int(record["step"][0]) != 0:
        return columns[0], columns[1], columns[2]
    variance = fourth = 0.0
    for k, members in enumerate(groups):
        there = found.unit[0, members]
        there = there[np.isfinite(there)]
        if len(there) < 2:
            continue
        own = float(there.var(ddof=1)) / len(there)
        variance, fourth = variance + own, fourth + own**2 / (len(there) - 1)
        freedom = variance**2 / fourth if fourth > 0 else len(there) - 1
        columns[:, k] = there.mean(), np.sqrt(variance), freedom
    return columns[0], columns[1], columns[2]


def _shares(record: xr.Dataset, found: Signals) -> tuple[np.ndarray, np.ndarray]:
    """Return per step and layer the share of units beyond their null, and how many vary."""
    varies = np.isfinite(found.unit)
    beyond = varies & (found.unit > found.unit_upper)
    groups = list(units_of_layers(record).values())
    varying = np.stack([varies[:, g].sum(axis=1) for g in groups], axis=1)
    above = np.stack([beyond[:, g].sum(axis=1) for g in groups], axis=1)
    share = np.divide(above, varying, where=varying > 0, out=np.full(above.shape, np.nan))
    return share, varying


def preferred_token(record: xr.Dataset) -> xr.DataArray:
    """Return the token that each unit answers most strongly, on average over held-out exemplars.

    Read it beside the token signal: of a unit without any, the preferred token is chance.

    Returns
    -------
    xr.DataArray
        (step, unit): index of the token; -1 where its means are equal or NaN.

    Raises
    ------
    InputError
        If the record lacks activations, or held-out exemplars of two tokens.

    Examples
    --------
    The tokens that the three logits answer most strongly before training, and after it:

    >>> found = ont.measure.preferred_token(record)
    >>> logits = ["logits:0", "logits:1", "logits:2"]
    >>> found.sel(unit=logits).isel(step=[0, -1]).values.tolist()
    [[1, 1, 1], [0, 1, 2]]
    """
    require(record, "activation")
    probe = held_out(record)
    names = np.full((record.sizes["step"], record.sizes["unit"]), -1)
    for k in range(record.sizes["step"]):
        activation = record["activation"][k].values[probe.position]
        means = token_means(activation, probe.token, len(probe.tokens))
        means = means[np.isfinite(means).any(axis=1)]
        apart = np.ptp(means, axis=0) > CONSTANT * np.abs(means).max(axis=0)
        varies = np.isfinite(means).all(axis=0) & apart
        present = np.unique(probe.token)
        names[k, varies] = present[means[:, varies].argmax(axis=0)]
    where = {"step": record["step"].values, "unit": record["unit"].values}
    return label({"preferred_token": names}, _UNITS, where)["preferred_token"]


def token_margins(record: xr.Dataset, *, chance: Chance | None = None) -> xr.Dataset:
    """Measure per token how much more often it is named where it is right than overall.

    Returns
    -------
    xr.Dataset
        `answer_share` (step, token), the share of all answers that name the token, which is its
        accuracy without token structure; `token_margin`, its accuracy less that share;
        `margin_threshold`, which no token at no step passes without token structure, with 95 %
        (corrected over tokens x steps).

    Raises
    ------
    InputError
        If the record lacks logits, or held-out exemplars of two tokens.

    Examples
    --------
    At step 0 nearly all is called cleo, which is no knowledge of it:

    >>> found = ont.measure.token_margins(record).isel(step=[0, -1])
    >>> found.answer_share.to_pandas().round(2)
    token   ada    bo  cleo
    step
    0      0.17  0.00  0.83
    300    0.28  0.33  0.38
    >>> found.token_margin.to_pandas().round(2)
    token   ada    bo  cleo
    step
    0      0.03  0.00  0.02
    300    0.42  0.47  0.62
    """
    chance = chance or Chance()
    require(record, "logit")
    probe = held_out(record)
    answer = answers(record, probe)
    rng = np.random.default_rng(chance.seed)
    dealt = shuffled_tokens(probe.token, probe.group, n_shuffles=chance.n_shuffles, rng=rng)
    even, n_tokens = np.ones((1, len(probe.token))), len(probe.tokens)
    margin = token_margin(answer, probe.token[None], even, n_tokens)[:, 0]
    null = np.swapaxes(token_margin(answer, dealt, even, n_tokens), 0, 1)
    share = np.stack([np.mean(answer == name, axis=1) for name in range(n_tokens)], axis=1)
    values = {
        "answer_share": share, "token_margin": margin,
        "margin_threshold": corrected_threshold(null, chance.level),
    }  # fmt: skip
    where = {"step": record["step"].values, "token": list(probe.tokens)}
    return label(values, _token_quantities(chance), where)


def resampled_margins(record: xr.Dataset, chance: Chance) -> np.ndarray:
    """Return `token_margin` of resampled groups, [resample, step, token]."""
    probe = held_out(record)
    rng = np.random.default_rng(chance.seed)
    weights = group_resamples(probe.token, probe.group, n_resamples=chance.n_resamples, rng=rng)
    again = token_margin(answers(record, probe), probe.token[None], weights, len(probe.tokens))
    return np.swapaxes(again, 0, 1)


def confusion(record: xr.Dataset, *, step: int | None = None) -> xr.DataArray:
    """Count what is answered to each token's held-out exemplars at a step (None: the last).

    Returns
    -------
    xr.DataArray
        (token, token_b): share of the exemplars of `token` that are taken for `token_b`; rows sum
        to 1, NaN where a token has no held-out exemplar.

    Raises
    ------
    InputError
        If the record lacks logits or the step.

    Examples
    --------
    ada and bo, who have the same hair, are taken for each other; cleo never is for another.

    >>> ont.measure.confusion(record).to_pandas().round(2)
    token_b   ada   bo  cleo
    token
    ada      0.70  0.2  0.10
    bo       0.15  0.8  0.05
    cleo     0.00  0.0  1.00
    """
    require(record, "logit")
    at, probe = chosen_step(record, step), held_out(record)
    answer = answers(record.sel(step=[at]), probe)[0]
    counts = np.zeros((len(probe.tokens),) * 2)
    valid = answer >= 0
    np.add.at(counts, (probe.token[valid], answer[valid]), 1)
    total = np.bincount(probe.token, minlength=len(counts))[:, None]
    share = np.divide(counts, total, where=total > 0, out=np.full(counts.shape, np.nan))
    names = list(probe.tokens)
    data = label({"confusion": share}, _CONFUSION, {"token": names, "token_b": names})
    return data["confusion"].assign_attrs(step=at)


def answers(record: xr.Dataset, probe: Probe) -> np.ndarray:
    """Return the token of the largest logit, int64 [step, exemplar]; -1 where a logit is NaN."""
    logit = record["logit"].transpose("step", "exemplar", "token").values[:, probe.position]
    fine = np.isfinite(logit).all(axis=2)
    return np.where(fine, np.nan_to_num(logit).argmax(axis=2), -1)
