"""Rules on the geometry of exemplars: what distances resemble, compactness, dimension, likeness.

Where a rule only describes, its sentence has no null and nothing of it is an observation.
May import numpy, xarray, ontogeny.measure and ontogeny.statements.
"""

import math

import numpy as np
import xarray as xr

from ontogeny.measure.categories.layers import PIXELS, last_hidden
from ontogeny.statements.categories import hidden_layers
from ontogeny.statements.findings import Findings
from ontogeny.statements.onsets import between
from ontogeny.statements.rule import Rule, Said, Unsaid
from ontogeny.statements.statement import Statement, Where
from ontogeny.statements.words import listed, percent, spans

MODELS = {"token": "the tokens", "parts": "the parts", PIXELS: "the pixels"}
"""Models of distances that are named, and their words."""
LIKE = 0.9
"""Rank correlation from which a layer is arranged like another."""
BY_CHANCE = 0.05
"""Share of cells of factors that pass their null by chance."""


def resemble(findings: Findings) -> Said | Unsaid:
    """Say which layer's distances resemble each model most, beyond the other models."""
    data = findings["structure"]
    found = [one for model in MODELS if model in data["model"].values
             for one in _resembles(data, model)]  # fmt: skip
    if not found:
        return Unsaid("In no layer do the distances between exemplars resemble tokens, parts or "
                      "pixels beyond chance at the end.")  # fmt: skip
    first = found[0]
    model, layer = first.subject.split(" in ")
    at = data.sel(model=model, layer=layer)
    after, by = (float(at[f"model_beyond_{end}"]) for end in ("after", "by"))
    others = _others(data, model)
    since = "" if not others or not math.isfinite(by) else (
        f"; beyond {others} they do so from the first snapshot on" if math.isinf(after) else
        f"; beyond {others} they do so from {between(after, by)} on"
    )  # fmt: skip
    return Said(
        f"Distances resemble {MODELS[model]} most in {layer}, with a rank correlation of "
        f"{first.effect:.2f} at the end (95 %: {first.low:.2f} to {first.high:.2f}){since}.",
        tuple(found),
    )


def _resembles(data: xr.Dataset, model: str) -> list[Statement]:
    """Return the layer that resembles a model most, if one does so beyond the other models."""
    hidden, last = hidden_layers(data), data.isel(step=-1)
    at = last.sel(model=model, layer=hidden)
    margin = at["model_beyond"].values - at["model_beyond_threshold"].values
    surely = (margin > 0) & (at["model_low"].values > at["model_threshold"].values)
    if not surely.any():
        return []
    k = int(np.where(surely, at["model_rsa"].values, -np.inf).argmax())
    value, low, high, bound = (
        float(at[f"model_{n}"][k]) for n in ("rsa", "low", "high", "threshold")
    )
    others = _others(data, model)
    return [Statement(
        "distances resemble", f"{model} in {hidden[k]}",
        f"The distances between exemplars resemble {MODELS[model]} most in {hidden[k]} at the end: "
        f"their rank correlation is {value:.2f}"
        + (f", and it stays beyond chance once {others} are accounted for." if others else "."),
        value, "Spearman correlation", low, high, "95 %, groups of exemplars resampled",
        "groups of exemplars exchanged, corrected over steps", bound,
        Where("categories", int(data["step"][-1]), hidden[k]),
    )]  # fmt: skip


def _others(data: xr.Dataset, model: str) -> str:
    return " and ".join(w for m, w in MODELS.items() if m != model and m in data["model"].values)


def fading(findings: Findings) -> Said | Unsaid:
    """Say how the likeness to pixels changes from the first snapshot to the last."""
    data = findings["structure"]
    if PIXELS not in data["model"].values:
        return Unsaid("The likeness to pixels is not known: the record has no images.")
    layer = last_hidden(data)
    at = data.sel(model=PIXELS, layer=layer)
    first, last = (float(at["model_rsa"][k]) for k in (0, -1))
    low, high = (float(at[f"model_{end}"][-1]) for end in ("low", "high"))
    return Said(
        f"The likeness of {layer} to pixels changes from {first:.2f} to {last:.2f} (95 %: "
        f"{low:.2f} to {high:.2f}; null {float(at['model_threshold']):.2f})."
    )


def like_the_end(findings: Findings) -> Said | Unsaid:
    """Say which layers end up arranged like the last hidden one."""
    data = findings["structure"]
    if "last_layer" not in data["model"].values:
        return Unsaid("Which layers are arranged like the last hidden one is not known.")
    top, hidden = last_hidden(data), hidden_layers(data)
    at = data["model_rsa"].sel(model="last_layer").isel(step=-1)
    alike = [n for n in hidden if n != top and float(at.sel(layer=n)) > LIKE]
    if not alike:
        return Unsaid(f"No layer below is arranged like {top} at the end ({LIKE} or more).")
    return Said(
        f"The layers arranged like {top} at the end ({LIKE} or more) are {spans(alike, hidden)}."
    )


def factors(findings: Findings) -> Said | Unsaid:
    """Say which known factor distances follow most, where more do than by chance."""
    data = findings["structure"]
    hidden = hidden_layers(data)
    passed = (data["factor_beyond_p"] <= BY_CHANCE).sel(layer=hidden)
    share = float(passed.mean())
    once = "Once tokens, parts and pixels are accounted for, distances follow"
    if not passed.any():
        return Unsaid(f"{once} no known factor.")
    if share < 2 * BY_CHANCE:
        return Unsaid(f"{once} known factors hardly more often than by chance: {percent(share)} of "
                      "the cells pass a null of 5 %.")  # fmt: skip
    peak = data["factor_beyond"].max("step").sel(layer=hidden)
    margin = (peak - data["factor_beyond_threshold"].sel(layer=hidden)).fillna(-np.inf)
    margin = margin.where(passed, -np.inf).transpose("factor", "layer")
    factor, layer = np.unravel_index(int(margin.values.argmax()), margin.shape)
    name = str(margin["factor"].values[factor])
    value = float(peak.sel(factor=name, layer=hidden[layer]))
    return Said(f"{once} {name.replace('_', ' ')} most, in {hidden[layer]} ({value:.2f}).")


def narrow(findings: Findings) -> Said | Unsaid:
    """Say how the dimension of one token's exemplars changes in the last hidden layer."""
    data = findings["structure"]
    layer = last_hidden(data)
    mean = data["token_two_nn"].sel(layer=layer).mean("token").values
    if not np.isfinite(mean[[0, -1]]).all():
        return Unsaid(f"The dimension of tokens in {layer} is not known.")
    return Said(
        f"The intrinsic dimension of the exemplars of one token in {layer} is {mean[-1]:.1f} at "
        f"the end, and {mean[0]:.1f} before training (mean of tokens)."
    )


def dimension(findings: Findings) -> Said | Unsaid:
    """Say when the participation ratio of the last hidden layer is lowest."""
    data = findings["structure"]
    layer, n = last_hidden(data), data.sizes["token"]
    ratio = data["participation_ratio"].sel(layer=layer).values
    if not np.isfinite(ratio).any():
        return Unsaid(f"The dimension of {layer} is not known.")
    low = int(np.nan_to_num(ratio, nan=np.inf).argmin())
    return Said(
        f"The participation ratio of {layer} is lowest at step {int(data['step'][low]):,}, "
        f"{ratio[low]:.1f} dimensions, and {ratio[-1]:.1f} at the end; {n} tokens need {n - 1}."
    )


def collapse(findings: Findings) -> Said | Unsaid:
    """Say how compact the tokens become in the last hidden layer, against shuffled ones."""
    data = findings["structure"]
    layer = last_hidden(data)
    at = data.sel(layer=layer).isel(step=-1)
    ratio = float(at["nc1_null"] / at["nc1"])
    if not math.isfinite(ratio):
        return Unsaid(f"How compact the tokens are in {layer} is not known.")
    return Said(
        f"The tokens in {layer} are {ratio:,.0f} times as compact as shuffled ones at the end; the "
        f"network and the nearest token mean disagree on {percent(float(at['nc4']))} of exemplars."
    )


def distances(findings: Findings) -> Said | Unsaid:
    """Say how far the distances of the last hidden layer follow those of pixels."""
    data = findings["structure"]
    layer = last_hidden(data)
    pixels = data["rsa_pixels"].sel(layer=layer).values
    return Said(
        f"The rank correlation of distances in {layer} with those of pixels is {pixels[-1]:.2f} at "
        f"the end, and {pixels[0]:.2f} before training."
    )


def gathering(findings: Findings) -> Said | Unsaid:
    """Say how far exemplars of one token have gathered in the last hidden layer."""
    data = findings["structure"]
    layer = last_hidden(data)
    own, chance = data["own_neighbours"].sel(layer=layer).values, 1 / data.sizes["token"]
    return Said(
        f"Of the ten nearest neighbours of an exemplar in {layer}, {percent(float(own[-1]))} "
        f"belong to its own token at the end, and {percent(float(own[0]))} at step "
        f"{int(data['map_step'][0])} (chance about {percent(chance)})."
    )


def likeness(findings: Findings) -> Said | Unsaid:
    """Say in which layer responses change least and most from the first snapshot to the last."""
    data = findings["structure"]
    kept = data["cka"].sel(layer=hidden_layers(data)).isel(step=0, step_b=-1)
    if not np.isfinite(kept.values).any():
        return Unsaid("How alike responses are before and after training is not known.")
    most, least = str(kept.idxmax("layer").values), str(kept.idxmin("layer").values)
    return Said(
        f"Responses at the end are most like those before training in {most} (CKA "
        f"{float(kept.max()):.2f}) and least in {least} ({float(kept.min()):.2f})."
    )


def exemplars(findings: Findings) -> Said | Unsaid:
    """Say when half of the exemplars are classified correctly for the rest of the run."""
    by = findings["structure"]["kept_by"].values
    wrong = f"{int(np.isnan(by).sum())} of {len(by)} are classified wrongly at the end."
    if not np.isfinite(by).any():
        return Unsaid(f"No exemplar is classified correctly to the end: {wrong}")
    return Said(
        f"Half of the exemplars are classified correctly from step {float(np.nanmedian(by)):,.0f} "
        f"on or earlier; {wrong}"
    )


def modes(findings: Findings) -> Said | Unsaid:
    """Say how many distinctions grow when a deep linear network would have them grow."""
    layer = last_hidden(findings["structure"])
    at = findings["structure"].sel(layer=layer)
    ends = [at[f"mode_{end}"].values[1:] for end in ("after", "by", "linear")]
    if not np.isfinite(at["mode_strength"].values).any() or not len(ends[0]):
        return Unsaid(f"There are no distinctions of {layer} to follow.")
    after, by, linear = ends
    fits = int(((after <= linear) & (linear <= by)).sum())
    return Said(
        f"{fits} of the {len(linear)} weaker distinctions of {layer} grow when a deep linear "
        "network fitted to the strongest would have them grow."
    )


def kept_factors(findings: Findings) -> Said | Unsaid:
    """Say which known factors the last hidden layer keeps best, and which it lost most of."""
    data = findings["structure"]
    hidden = hidden_layers(data)
    last = data["readout_factor"].sel(layer=hidden).isel(step=-1)
    best, top = last.max("layer"), last.isel(layer=-1)
    order = [str(n) for n in last["factor"].values[np.argsort(-np.nan_to_num(top.values))]]
    kept = [f"{n} (R^2 {float(top.sel(factor=n)):.2f})" for n in order
            if float(top.sel(factor=n)) > _READABLE][:_FACTORS]  # fmt: skip
    lost = []
    for name in sorted(order, key=lambda n: float(top.sel(factor=n) - best.sel(factor=n))):
        there, end = float(best.sel(factor=name)), float(top.sel(factor=name))
        if there > _READABLE and end < there / 2 and len(lost) < _FACTORS:
            where = str(last["layer"].values[int(np.nanargmax(last.sel(factor=name).values))])
            lost.append(f"{name} ({there:.2f} in {where}, {end:.2f})")
    text = f"Known factors that {hidden[-1]} keeps best at the end: {listed(kept)}."
    if not kept:
        text = f"At the end {hidden[-1]} keeps no known factor."
    return Said(text + (f" Lost on the way up: {listed(lost)}." if lost else ""))


_READABLE, _FACTORS = 0.1, 4
"""R^2 from which a known factor counts as read out; how many a sentence names."""

RULES: tuple[Rule, ...] = (
    Rule("models", "what distances resemble", resemble, ("distances resemble",),
         needs={"structure": ("model_beyond", "model_beyond_by")}),
    Rule("fading", "the likeness to pixels", fading, figure="models",
         needs={"structure": ("model_rsa",)}),
    Rule("like the end", "which layers are arranged like the last one", like_the_end,
         figure="models", needs={"structure": ("model_rsa",)}),
    Rule("factors", "which known factors distances follow", factors,
         needs={"structure": ("factor_beyond",)}),
    Rule("token_dimension", "the dimension of tokens", narrow,
         needs={"structure": ("token_two_nn",)}),
    Rule("dimension", "the dimension of layers", dimension,
         needs={"structure": ("participation_ratio",)}),
    Rule("collapse", "how compact tokens become", collapse, needs={"structure": ("nc1", "nc4")}),
    Rule("distances", "the distances of tokens", distances, needs={"structure": ("rsa_pixels",)}),
    Rule("maps", "how exemplars gather", gathering, needs={"structure": ("own_neighbours",)}),
    Rule("likeness", "how alike responses stay", likeness, needs={"structure": ("cka",)}),
    Rule("lives", "when exemplars are classified correctly", exemplars,
         needs={"structure": ("kept_by",)}),
    Rule("modes", "the distinctions of tokens", modes, needs={"structure": ("mode_strength",)}),
    Rule("kept factors", "which known factors can be read out", kept_factors, figure="readout",
         needs={"structure": ("readout_factor",)}),
)  # fmt: skip
