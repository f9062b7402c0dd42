"""The report on units: their lives, how well they discriminate, and whether channels are special.

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
    inactive = np.isfinite(data["dormant_by"].values[inner])
    changed = set(data["changed_unit"].values[data["change_share"].values >= SURE].tolist())
    changes = len(changed & set(np.flatnonzero(inner).tolist()))
    n = int(inner.sum())
    title = (
        f"At the end {end.sum():,} of {n:,} units are tuned to a token and {inactive.sum():,} are "
        f"inactive; {changes:,} change their token on the way"
    )
    revived = np.isfinite(data["revived_by"].values[inner]).sum()
    return Section(
        "unit_lives", title, figure,
        f"One row is one unit, in the colour of the token to which it responds, from step "
        f"{steps[0]:,} to {steps[-1]:,}. {revived:,} units are inactive for a while and become "
        "active again. Units that are tuned first lie on top of their layer.",
        "A unit is tuned while the AUROC of the token that one half of the held-out exemplars "
        "singles out, scored on the other half, is beyond its bound. A change of token counts "
        f"where {SURE:.0%} of resamples of groups show it (dot). Inactive: a mean response of at "
        f"most {DORMANT:.1%} of the layer's.".replace("%", " %"),
        "Tokens shuffled over groups of exemplars: with 95 % no unit of the layer passes the bound "
        "at any step.",
    )  # fmt: skip


def scores(material: Material) -> Section:
    """Draw how well units discriminate the token they prefer, before and after training."""
    data = material.detectors
    figure = Figure(figsize=(9.6, 3.8), layout="constrained")
    score_distribution(data, ax=figure.subplots())
    first, last = (_tuned(data, k) for k in (0, -1))
    names = _hidden(data)
    gain = {n: last[n] - first[n] for n in names}
    most, least = max(names, key=gain.__getitem__), min(names, key=gain.__getitem__)
    return Section(
        "scores",
        f"The share of units that discriminate a token rises most in {most}, from "
        f"{words.percent(first[most])} before training to {words.percent(last[most])}", figure,
        f"It rises least in {least}, from {words.percent(first[least])} to "
        f"{words.percent(last[least])} (shares of the units that respond at all). Random filters "
        "discriminate tokens too where these differ in colour or layout, so that a tuned unit is "
        "not by itself a sign of learning.",
        "Each dot is a unit: the AUROC (how surely an exemplar of the token drives it more than "
        "another exemplar; 0.5: not at all) of the token that one half of the held-out exemplars "
        "singles out, on the other half.",
        "Black lines: tokens shuffled over groups of exemplars; with 95 % no unit of the layer "
        "passes its line at any step.",
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
        parts.append(f"Channels discriminate tokens more often than random mixtures of them in "
                     f"{words.spans(more, order)}")  # fmt: skip
    if less:
        parts.append(
            f"{'less often' if more else 'Channels discriminate tokens less often than random '}"
            f"{'' if more else 'mixtures of them'} in {words.spans(less, order)}"
        )
    title = "; ".join(parts).replace("  ", " ") or (
        "Channels discriminate tokens as often as random mixtures of them in every layer"
    )
    return Section(
        "bases", title, figure,
        "A mixture is a weighted sum of all channels. Where channels discriminate tokens no more "
        "often than mixtures do, the layer discriminates them as a whole, and a single channel is "
        "no privileged part of it.",
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
    "how well units discriminate tokens": scores,
    "channels beside mixtures": bases,
}
