"""The report on the geometry of exemplars: what distances resemble, dimensions, other runs.

Figures of what distances resemble, dimensions and runs. May import matplotlib,
numpy, xarray, ontogeny.plot, ontogeny.measure and below; no torch.
"""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ontogeny.errors import InputError
from ontogeny.measure.categories.layers import PIXELS, last_hidden
from ontogeny.measure.categories.likeness_models import PER_TOKEN
from ontogeny.measure.runs import N_SHUFFLES
from ontogeny.plot import categories as draw_structure
from ontogeny.plot import geometry as draw
from ontogeny.plot import style
from ontogeny.report.figures import Material, Section, Shown
from ontogeny.statements.words import percent

SHOWN = {"token": "tokens", "parts": "parts", PIXELS: "pixels", "last_layer": "the finished top"}
"""Models that are drawn, and what they are called."""
N_FACTORS = 14
"""Factors that are drawn."""


def models(material: Material) -> Section:
    """Draw what the distances between exemplars resemble in each layer, over steps."""
    found = material.structure
    names = [name for name in SHOWN if name in found["model"].values]
    layers = some_layers(found)
    figure = Figure(figsize=(9.6, 4.9), layout="constrained")
    axes = figure.subplots(2, len(names), sharex=True, sharey="row", squeeze=False)
    for row, key in zip(axes, ("rsa", "beyond"), strict=True):
        for ax, name in zip(row, names, strict=True):
            at = found.sel(model=name)
            draw.model_lines(at[f"model_{key}"], at[_limit(key)], ax, layers=layers)
            style.name_axes(ax, x="step" if key == "beyond" else "")
    for row, key in zip(axes, ("rsa", "beyond"), strict=True):
        for ax, name in zip(row, names, strict=True):
            draw.name_layers(ax, found[f"model_{key}"].sel(model=name), layers=layers)
    for ax, name in zip(axes[0], names, strict=True):
        ax.set_title(SHOWN[name], loc="left", fontsize=style.TEXT)
    for row, y in zip(axes, ("correlation", "partial correlation"), strict=True):
        style.name_axes(row[0], x=row[0].get_xlabel(), y=y)
    return Section(
        "models", material.said["models"].sentence, figure,
        " ".join(material.said[name].sentence for name in ("fading", "like the end")),
        f"Spearman correlation of the distances between exemplars ({PER_TOKEN} of each token at "
        "most, squared Euclidean) with those that a model predicts: exemplars of different tokens "
        "are equally far apart; as far as the share of parts of which they have other variants; as "
        "far as their images; as far as in the last hidden layer at the last step. Below: what is "
        "left beyond tokens, parts and pixels (as many as are known, other than the model).",
        "Thick where beyond the layer's own null, which groups of exemplars exchanged pass at no "
        "step with 95 %; grey up to the largest null of the layers drawn. Parts that do not differ "
        "within tokens are tested by exchanging whole tokens, a hard test with five of them.",
    )  # fmt: skip


def _limit(key: str) -> str:
    return "model_threshold" if key == "rsa" else f"model_{key}_threshold"


def factors(material: Material) -> Section:
    """Draw which known factors the distances follow at the last step, layer by layer."""
    found = material.structure
    if "factor_beyond" not in found:
        msg = "this task has no known factors"
        raise InputError(msg)
    hidden = _hidden(found)
    peak = found["factor_beyond"].max("step").sel(layer=hidden)
    margin = (peak - found["factor_beyond_threshold"].sel(layer=hidden)).fillna(-np.inf)
    passed = (found["factor_beyond_p"] <= 0.05).sel(layer=hidden)
    order = np.argsort(-margin.where(passed, -np.inf).max("layer").values, kind="stable")
    chosen = order[: min(N_FACTORS, max(1, int(passed.any("layer").sum())))]
    figure = Figure(figsize=(9.6, 0.26 * len(chosen) + 1.0), layout="constrained")
    draw.factor_grid(peak.isel(factor=chosen), passed.isel(factor=chosen), figure.subplots())
    share, n = float(passed.mean()), found.sizes["factor"]
    return Section(
        "factors", material.said["factors"].sentence, figure,
        f"{percent(share)} of {n} factors and {len(hidden)} layers pass a null of 5 %. Drawn "
        f"are the {len(chosen)} factors that pass it by most; numbers are hundredths.",
        "Partial Spearman correlation of distances with the difference of a factor between two "
        "exemplars (words and variants of parts: the same or not), tokens, parts and pixels "
        "regressed out; the largest over steps.",
        "Cells are filled at a p of 0.05 or less: the factor's values exchanged 99 times between "
        "groups within tokens (between tokens where it does not vary within), largest over steps. "
        "By chance 5 % of all cells are, so that a factor in a single layer says little.",
    )  # fmt: skip


def token_dimension(material: Material) -> Section:
    """Draw how many dimensions the exemplars of each token fill."""
    found = material.structure
    layers = some_layers(found)
    figure = Figure(figsize=(9.6, 4.6), layout="constrained")
    draw_structure.token_key(figure, material.tokens)
    axes = figure.subplots(2, len(layers), sharex=True, sharey="row", squeeze=False)
    rows = (("participation_ratio", "participation ratio"), ("two_nn", "TwoNN"))
    for row, (key, y) in zip(axes, rows, strict=True):
        for ax, name in zip(row, layers, strict=True):
            at = found.sel(layer=name)
            draw.token_lines(at[f"token_{key}"], ax, together=at[key])
        draw.plain_ticks(row[0])
        style.name_axes(row[0], y=y)
    for ax, name in zip(axes[0], layers, strict=True):
        ax.set_title(name, loc="left", fontsize=style.TEXT)
    for ax in axes[1]:
        style.name_axes(ax, x="step", y=ax.get_ylabel())
    return Section(
        "token_dimension", material.said["token_dimension"].sentence, figure,
        _spread_of_tokens(found),
        "Participation ratio (how many directions share the variance, without small-sample bias) "
        "and intrinsic dimension (TwoNN, neighbours of other groups) of the held-out exemplars of "
        "one token. Grey, thick: of all exemplars together.",
        "None is drawn: step 0 is that of untrained weights. TwoNN is biased downwards where it is "
        "high and exemplars are few; its standard error is a tenth at 100 exemplars of a token.",
    )  # fmt: skip


def _spread_of_tokens(found: xr.Dataset) -> str:
    """Say which tokens have fewest and most dimensions at the end."""
    layer = last_hidden(found)
    last = found["token_participation_ratio"].sel(layer=layer).isel(step=-1)
    if not np.isfinite(last.values).all():
        return ""
    low, high = (str(getattr(last, end)("token").values) for end in ("idxmin", "idxmax"))
    first = found["token_participation_ratio"].sel(layer=layer).isel(step=0).mean()
    return (
        f"Participation ratios of tokens in {layer} end between {float(last.min()):.1f} ({low}) "
        f"and {float(last.max()):.1f} ({high}); mean at the start {float(first):.1f}."
    )


def runs(similarity: xr.Dataset, ceiling: xr.Dataset) -> Section:
    """Draw how alike several runs' layers end, and the noise ceiling that follows from it.

    Parameters
    ----------
    similarity
        `ontogeny.measure.runs.run_similarity`.
    ceiling
        `ontogeny.measure.runs.noise_ceiling` of the same runs.
    """
    layers = some_layers(similarity)
    figure = Figure(figsize=(9.6, 5.0), layout="constrained")
    grid = figure.add_gridspec(2, len(layers), height_ratios=(1, 1.1))
    axes = [figure.add_subplot(grid[0, k]) for k in range(len(layers))]
    draw.run_grid(similarity["run_cka_end"].sel(layer=layers), axes)
    ax = draw.ceiling_lines(ceiling.sel(layer=layers), figure.add_subplot(grid[1, :]))
    style.name_axes(ax, x=style.STEP_LABEL, y="noise ceiling")
    off = ~np.eye(similarity.sizes["run"], dtype=bool)
    each = [float(np.nanmean(similarity["run_cka_end"].sel(layer=n).values[off])) for n in layers]
    most, least = int(np.nanargmax(each)), int(np.nanargmin(each))
    within = similarity["run_cka_within"].isel(step=-1).sel(layer=layers[most]).values[off]
    apart = similarity["run_procrustes_end"] < similarity["run_procrustes_null"]
    related = float(apart.sel(layer=layers).values[:, off].mean())
    return Section(
        "runs",
        f"The runs are most alike in {layers[most]} at the end ({each[most]:.2f}), and least in "
        f"{layers[least]} "
        f"({each[least]:.2f})", figure,
        f"Within tokens the likeness in {layers[most]} is {float(np.nanmean(within)):.2f}; the "
        f"rest is due to the tokens themselves. {percent(related)} of layers and pairs of "
        "runs are nearer (Procrustes) than the same responses with exemplars shuffled.",
        "Above: debiased linear CKA between runs at their last steps, from 0 (dark) to 1. Below: "
        "the noise ceiling of each layer, from the mean correlation of a run's distances with the "
        "other runs' mean (lower edge) to that with the mean of all (upper edge): the best model "
        "of distances lies between.",
        f"Expected CKA is 0 for unrelated responses. Procrustes: nearer than all {N_SHUFFLES} "
        "shuffles of exemplars, groups whole (5 % by chance).",
    )  # fmt: skip


def some_layers(found: xr.Dataset, count: int = 5) -> list[str]:
    """Return a few hidden layers, evenly spaced, the first and the last among them."""
    hidden = _hidden(found)
    places = np.unique(np.linspace(0, len(hidden) - 1, min(count, len(hidden))).round().astype(int))
    return [hidden[k] for k in places]


def _hidden(found: xr.Dataset) -> list[str]:
    names = [str(name) for name in found["layer"].values]
    return [name for name in names if name not in {PIXELS, "logits"}] or names


_CHAPTER = "Category structure"
FIGURES: tuple[Shown, ...] = (
    Shown("models", _CHAPTER, "what distances resemble", models),
    Shown("factors", _CHAPTER, "known factors in distances", factors),
    Shown("token_dimension", _CHAPTER, "dimension of tokens", token_dimension),
)
