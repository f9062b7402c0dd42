"""The report on units: their lives, how well they discriminate, and whether channels are special.

Titles are what the rules of `ontogeny.statements.detectors` say. May import matplotlib, numpy,
xarray, ontogeny.plot, ontogeny.statements, ontogeny.measure and below; no torch.
"""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ontogeny.measure.units.tuning import DORMANT
from ontogeny.plot.bases import basis_shares
from ontogeny.plot.detectors import life_lines, score_distribution
from ontogeny.report.figures import Material, Section, Shown
from ontogeny.statements.units import SURE
from ontogeny.statements.words import percent


def lives(material: Material) -> Section:
    """Draw when the units of each layer are tuned, and to which token."""
    data = material.detectors
    hidden = _hidden(data)
    figure = Figure(figsize=(9.6, 1.3 + 0.72 * len(hidden)), layout="constrained")
    life_lines(data, figure.subplots(), layers=hidden)
    steps = data["step"].values
    return Section(
        "unit_lives", material.said["unit_lives"].sentence, figure,
        f"One row is one unit, in the colour of the token to which it responds, from step "
        f"{steps[0]:,} to {steps[-1]:,}. Units that are tuned first lie on top of their layer.",
        "A unit is tuned while the AUROC of the token that one half of the held-out exemplars "
        "singles out, scored on the other half, is beyond its bound. A change of token counts "
        f"where {SURE:.0%} of resamples of groups show it (dot). Inactive: a mean response of at "
        f"most {DORMANT:.1%} of the layer's; a unit that becomes so, or active again, counts where "
        "its 95% interval ends before the last snapshot, in layers with more such units than may "
        "be doubtful.".replace("%", " %"),
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
    least = min(names, key=lambda name: last[name] - first[name])
    return Section(
        "scores", material.said["scores"].sentence, figure,
        f"Of the units that respond at all, the share that discriminates a token rises least in "
        f"{least}, from {percent(first[least])} to {percent(last[least])}. Random "
        "filters discriminate tokens too where these differ in colour or layout, so that a tuned "
        "unit is not by itself a sign of learning.",
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
    return Section(
        "bases", material.said["bases"].sentence, figure,
        "A mixture is a weighted sum of all channels. Where channels discriminate tokens no more "
        "often than mixtures do, the layer discriminates them as a whole, and a single channel is "
        "no privileged part of it.",
        "Share of a layer's directions whose score is beyond chance at step "
        f"{int(at['direction_step']):,}: its channels, its principal components (32 at most), and "
        "19 random rotations of all its channels. Token and sign are chosen on one half of the "
        "held-out exemplars, scored on the other.",
        "Beyond the range of 19 rotations on a given side: by chance 1 layer in 20. The title "
        "names the layers of a side on which there are more than chance gives (binomial, 5 %).",
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


FIGURES: tuple[Shown, ...] = (
    Shown("unit_lives", "Detectors", "lives of units", lives),
    Shown("scores", "Detectors", "how well units discriminate tokens", scores),
    Shown("bases", "Detectors", "channels beside mixtures", bases),
)
