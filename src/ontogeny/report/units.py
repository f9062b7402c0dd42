"""The report on units: their lives, how well they tell tokens, and whether channels are special.

May import matplotlib, numpy, xarray, ontogeny.plot, ontogeny.measure and below; no torch.
"""

from collections.abc import Callable

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ontogeny.measure.tuning import DORMANT
from ontogeny.plot.bases import basis_shares
from ontogeny.plot.detectors import life_lines, score_distribution
from ontogeny.report import words
from ontogeny.report.figures import Material, Section

SURE = 0.95
"""Share of resamples that show a change of role that is counted."""


def lives(material: Material) -> Section:
    """Draw when the units of each layer are tuned, and to which token."""
    data = material.detectors
    hidden = _hidden(data)
    figure = Figure(figsize=(9.6, 1.3 + 0.72 * len(hidden)), layout="constrained")
    life_lines(data, figure.subplots(), layers=hidden)
    inner = data["layer_of_unit"].values.astype(str) != "logits"
    steps = data["step"].values
    end = np.isposinf(data["untuned_by"].values[inner])
    silent = np.isfinite(data["dormant_by"].values[inner])
    changed = set(data["changed_unit"].values[data["change_share"].values >= SURE].tolist())
    changes = len(changed & set(np.flatnonzero(inner).tolist()))
    n = int(inner.sum())
    title = (
        f"{end.sum():,} of {n:,} units end tuned to a token, {changes:,} change their token on the "
        f"way, {silent.sum():,} end silent"
    )
    revived = np.isfinite(data["revived_by"].values[inner]).sum()
    return Section(
        "unit_lives", title, figure,
        f"One row is one unit, in the colour of the token that it answers, from step {steps[0]:,} "
        f"to {steps[-1]:,}. {revived:,} units are silent for a while and come back. Units that are "
        "tuned first lie on top of their layer.",
        "A unit is tuned while the AUROC of the token that one half of the held-out exemplars "
        "singles out, scored on the other half, is beyond its bound. A change of token counts "
        f"where {SURE:.0%} of resamples of groups show it (dot). Silent: a mean response of at "
        f"most {DORMANT:.1%} of the layer's.".replace("%", " %"),
        "Tokens dealt anew over groups of exemplars: no unit of the layer passes the bound at any "
        "step, with 95 %.",
    )  # fmt: skip


def scores(material: Material) -> Section:
    """Draw how well units tell the token they prefer, before and after training."""
    data = material.detectors
    figure = Figure(figsize=(9.6, 3.8), layout="constrained")
    score_distribution(data, ax=figure.subplots())
    first, last = (_tuned(data, k) for k in (0, -1))
    names = _hidden(data)
    gain = {n: last[n] - first[n] for n in names}
    most, least = max(names, key=gain.__getitem__), min(names, key=gain.__getitem__)
    return Section(
        "scores",
        f"Training makes units tell tokens most in {most}: "
        f"{words.percent(first[most])} of those that respond do before it, "
        f"{words.percent(last[most])} at the end", figure,
        f"Least is gained in {least}: {words.percent(first[least])} to "
        f"{words.percent(last[least])}. Random filters tell tokens apart too, where these differ "
        "in colour or layout: that a unit is tuned is not yet something learnt.",
        "Each dot is a unit: the AUROC (how surely an exemplar of the token drives it more than "
        "another exemplar; 0.5: not at all) of the token that one half of the held-out exemplars "
        "singles out, on the other half.",
        "Black lines: tokens dealt anew over groups of exemplars; no unit of the layer passes its "
        "line at any step, with 95 %.",
    )  # fmt: skip


def bases(material: Material) -> Section:
    """Draw channels beside principal components and random mixtures of channels."""
    at = material.detectors.isel(direction_step=-1)
    figure = Figure(figsize=(9.6, 2.9), layout="constrained")
    basis_shares(at, figure.subplots())
    names = _hidden(at)
    inner = at.sel(layer=names)
    own = inner["tuned_share"].sel(basis="units").values
    low, high = (inner[f"tuned_share_rotated_{end}"].values for end in ("low", "high"))
    order = [str(n) for n in at["layer"].values]
    less = [n for n, is_so in zip(names, own < low, strict=True) if is_so]
    more = [n for n, is_so in zip(names, own > high, strict=True) if is_so]
    parts = []
    if more:
        parts.append(f"Channels tell tokens more often than random mixtures of them in "
                     f"{words.spans(more, order)}")  # fmt: skip
    if less:
        parts.append(
            f"{'less often' if more else 'Channels tell tokens less often than random '}"
            f"{'' if more else 'mixtures of them'} in {words.spans(less, order)}"
        )
    title = "; ".join(parts).replace("  ", " ") or (
        "Channels tell tokens as often as random mixtures of them in every layer"
    )
    return Section(
        "bases", title, figure,
        "A mixture has a share in every channel that tells something. Where channels tell tokens "
        "no more often than mixtures, tokens are told by the layer as a whole, and a single "
        "channel is no privileged part of it.",
        "Share of a layer's directions whose score is beyond chance at step "
        f"{int(at['direction_step']):,}: its channels, its principal components (32 at most), and "
        "19 random rotations of all its channels. Token and sign are chosen on one half of the "
        "held-out exemplars, scored on the other.",
        "Beyond the range of 19 rotations on a given side: by chance 1 layer in 20.",
    )  # fmt: skip


def _hidden(data: xr.Dataset) -> list[str]:
    names = [str(name) for name in data["layer"].values]
    return [name for name in names if name != "logits"] or names


def _tuned(data: xr.Dataset, k: int) -> dict[str, float]:
    """Return the share of tuned units, of those that vary, of each layer at a snapshot."""
    of_unit, score = data["layer_of_unit"].values.astype(str), data["score"].values[k]
    bound = {str(n): float(data["score_threshold"].sel(layer=n)) for n in data["layer"].values}
    mine = {n: score[(of_unit == n) & np.isfinite(score)] for n in bound}
    return {n: float(np.mean(s > bound[n])) if len(s) else 0.0 for n, s in mine.items()}


SECTIONS: dict[str, Callable[[Material], Section]] = {
    "lives of units": lives,
    "how well units tell tokens": scores,
    "channels beside mixtures": bases,
}
