"""The report on category structure: where and when tokens are separated, and how certain.

Figures of `ontogeny.measure.structure`; titles are what `ontogeny.statements` says.
May import matplotlib, numpy, xarray, ontogeny.plot, ontogeny.measure and below; no torch.
"""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ontogeny.errors import InputError
from ontogeny.measure.categories.collapse import APART, SEPARATION
from ontogeny.measure.categories.layers import last_hidden
from ontogeny.measure.categories.signals import CLUSTER_MAPS
from ontogeny.plot import categories as draw
from ontogeny.plot import style
from ontogeny.report import representation
from ontogeny.report.figures import Material, Section, Shown
from ontogeny.statements.categories import SURE, separated_pairs, separating_layers, splits
from ontogeny.statements.onsets import ENDS, Onset
from ontogeny.statements.words import percent
from ontogeny.stats.differentiation import deep_linear_mode

_RESAMPLED = "Confidence intervals resample groups of held-out exemplars"


def separation(material: Material) -> Section:
    """Draw how far the closest two tokens lie apart in every layer."""
    found = material.structure
    figure = Figure(figsize=(9.6, 3.9), layout="constrained")
    null = float(np.nanmax(found["cdnv_null"].values)) ** -0.5
    draw.separation(found, figure.subplots(), null=null)
    seen = "; ".join(f"{o.name} {o.words()}" for o in separating_layers(found))
    return Section(
        "separation", material.said["separation"].sentence, figure,
        f"All tokens are separated: {seen}.",
        f"The {SEPARATION}; drawn is the smallest over pairs of tokens, held-out exemplars, "
        f"spatial means of conv layers. From {APART:g} on (dotted) every two tokens lie further "
        "apart than their exemplars lie from their centre: they are separated. The onset is the "
        "interval between two snapshots from which this stays so. "
        f"{_RESAMPLED}; the shaded band is that of "
        f"{last_hidden(found)}.",
        f"Tokens that do not differ have a separation of about {null:.2f} (grey, CDNV of half the "
        "exemplars of a token, whatever the layer's width). Step 0 is the untrained network, the "
        "dashed line the images themselves.",
    )  # fmt: skip


def differentiation(material: Material) -> Section:
    """Draw when pairs and branches of tokens were separated, in the last hidden layer."""
    found = material.structure
    layer = last_hidden(found)
    onsets = sorted(
        separated_pairs(found, layer),
        key=lambda o: (np.nan_to_num(o.by, nan=np.inf), o.after),
    )
    branches = splits(found, layer)
    figure = Figure(figsize=(9.6, 0.24 * max(len(onsets), 5) + 1.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for ax, rows, title in (
        (left, onsets[:15], "separation of every two tokens"), (right, branches, "branches of the "
        "tree"),
    ):  # fmt: skip
        draw.step_intervals(_rows(rows, found), ax)
        ax.set_xlabel("step")
        ax.set_title(title, loc="left", fontsize=style.TEXT)
    seen = "; ".join(f"{o.name} {o.words()}" for o in branches)
    hidden = f" The {len(onsets) - 15} last pairs are not drawn." if len(onsets) > 15 else ""
    return Section(
        "differentiation", material.said["differentiation"].sentence, figure,
        f"Branches, from the root of the last step's tree down: {seen or 'none'}.{hidden}",
        f"Left: from when on two tokens' separation in {layer} stays above {APART:g}. Right: the "
        "tree joins tokens by the mean cross-validated squared Mahalanobis distance (crossnobis); "
        "a branch has split when its two sides stay more than half as far apart (squared) as at "
        f"the last step. Thick: between two snapshots; thin: 95 % confidence. {_RESAMPLED}. Rows "
        "whose intervals overlap are not ordered.",
        "Cross-validated distances are 0 on average where tokens do not differ. Even a deep linear "
        "network learns strong distinctions before weak ones: an order by itself is no sign that "
        "features are constructed.",
    )  # fmt: skip


def trees(material: Material) -> Section:
    """Draw the token tree at a few steps, beside the steps of its splits."""
    found = material.structure
    layer = last_hidden(found)
    at = found["crossnobis"].sel(layer=layer).transpose("step", "token", "token_b")
    branches = splits(found, layer)
    order = _leaf_order(found["split_side"].sel(layer=layer).values)
    steps = _tree_steps(branches, found["step"].values)
    figure = Figure(figsize=(9.6, 2.6), layout="constrained")
    axes = figure.subplots(1, len(steps), squeeze=False)[0]
    draw.token_trees(at.sel(step=steps), order, list(axes))
    bound = float(found["split_bound"].sel(layer=layer))
    return Section(
        "trees", material.said["trees"].sentence, figure,
        "The figure above shows when the branches split." if branches else "There is no branch to "
        "date.",
        f"Average linkage of cross-validated squared Mahalanobis distances (crossnobis) of {layer};"
        " drawn are their roots, per unit, in standard deviations within tokens. All trees "
        "have the order of the last step's leaves: lines that cross mark tokens that were "
        "grouped otherwise then.",
        "The exemplars' deviations from the mean of their token, with shuffled tokens: with 95 % "
        f"no branch anywhere in the tree is longer than {np.sqrt(max(bound, 0)):.2g} by chance."
        if np.isfinite(bound) else
        "The null is not known: there are too few groups of exemplars to shuffle the tokens.",
    )  # fmt: skip


def _leaf_order(sides: np.ndarray) -> list[int]:
    """Return the tokens so that the sides of every split lie together."""
    keys = [tuple(-side[c] for side in sides) for c in range(sides.shape[1])]
    return sorted(range(sides.shape[1]), key=lambda c: keys[c])


def _tree_steps(branches: list[Onset], steps: np.ndarray, count: int = 6) -> list[int]:
    """Return the first and the last step and those by which branches split, a few in all."""
    by = sorted({int(o.by) for o in branches if np.isfinite(o.by)} & {int(s) for s in steps})
    inner = [s for s in by if steps[0] < s < steps[-1]]
    if len(inner) > count - 2:
        inner = [inner[k] for k in np.linspace(0, len(inner) - 1, count - 2).round().astype(int)]
    middle = int(steps[len(steps) // 2])
    return sorted({int(steps[0]), *(inner or [middle]), int(steps[-1])})


def modes(material: Material) -> Section:
    """Draw the distinctions of the last hidden layer beside a deep linear network's."""
    layer = last_hidden(material.structure)
    found = material.structure.sel(layer=layer)
    if not np.isfinite(found["mode_strength"].values).any():
        msg = f"expected distinctions of {layer} to follow, got none: hold more exemplars out"
        raise InputError(msg)
    shared = [deep_linear_mode(found["step"].values, strength=float(s),
                               initial=float(found["mode_initial"][0]),
                               tau=float(found["mode_tau"][0]))
              for s in found["mode_final"].values]  # fmt: skip
    found = found.assign(mode_curve=(("step", "mode"), np.array(shared).T))
    names = [_distinction(row, material.tokens) for row in found["mode_token"].values]
    figure = Figure(figsize=(9.6, 3.4), layout="constrained")
    draw.mode_lines(found, figure.subplots(), names=names)
    rows = [
        f"{name} has half its strength between steps {after:,.0f} and {by:,.0f}, linear network: "
        + (f"{linear:,.0f}" if np.isfinite(linear) else "no curve")
        + f" (own curve: R^2 {r2:.2f})"
        for name, after, by, linear, r2 in zip(
            names, *(found[f"mode_{k}"].values for k in ("after", "by", "linear", "r2")),
            strict=True) if np.isfinite(by)
    ]  # fmt: skip
    return Section(
        "modes", material.said["modes"].sentence, figure, "; ".join(rows) + ".",
        f"Modes of the covariance of tokens with the units of {layer} at the last step, their "
        "strength followed back: the part of the covariance along each distinction between tokens, "
        "squares cross-validated over folds of exemplars. Named by the tokens that weigh most on "
        "either side.",
        "Dashed: a deep linear network in which all modes have the start and the time constant of "
        "the strongest: strong ones first, a(t) = s / (1 + (s / a0 - 1) exp(-2 s t / tau)) (Saxe, "
        "McClelland & Ganguli 2014; small balanced start, whitened inputs). It has an order of "
        "distinctions without any building of features; only what departs from it needs one.",
    )  # fmt: skip


def _distinction(weights: np.ndarray, tokens: list[str]) -> str:
    """Name a distinction by the tokens that weigh at least half as much as the heaviest."""
    heavy = np.abs(weights) >= 0.5 * np.abs(weights).max()
    sides = [[t for t, w, h in zip(tokens, weights, heavy, strict=True) if h and w * sign > 0]
             for sign in (1, -1)]  # fmt: skip
    return " | ".join(", ".join(side) for side in sides if side)


def clusters(material: Material) -> Section:
    """Draw the maps of layers by steps with their clusters outlined."""
    found = material.measures
    sure = found["cluster_p"] <= SURE
    figure = Figure(figsize=(9.6, 5.6), layout="constrained")
    maps = {"signal": found["layer_token_signal"], "change": found["layer_change"]}
    parts = []
    for ax, (name, values) in zip(figure.subplots(2, 1), maps.items(), strict=True):
        draw.cluster_map(values, sure.sel(cluster_map=name), ax, two_sided=name == "change")
        ax.set_title(CLUSTER_MAPS[name].partition(",")[0], loc="left", fontsize=style.TEXT)
        parts.append(_clusters_of(found.sel(cluster_map=name), name))
    return Section(
        "clusters", material.said["clusters"].sentence, figure, " ".join(parts),
        "Above: token signal of layers. Below: its change since step 0. Outlined: clusters of "
        "neighbouring cells that weigh more than the heaviest cluster anywhere on the map does "
        "under the null, with 95 % (Maris & Oostenveld 2007). A cluster says that there is an "
        "effect; it does not date where it begins: see the onsets for that.",
        "Above: tokens shuffled over groups of exemplars. Below: groups of exemplars resampled, "
        "and other untrained weights for each layer, passed on to the layers above it.",
    )  # fmt: skip


def _clusters_of(found: xr.Dataset, name: str) -> str:
    """Count a map's clusters beyond chance and say how much of the map they cover."""
    p, number = found["cluster_p"].values, found["cluster"].values
    sure = p <= SURE
    if not sure.any():
        return f"Of {name}: no cluster beyond chance."
    count = len(np.unique(number[sure]))
    return (
        f"Of {name}: {count} cluster{'s' if count > 1 else ''} beyond chance (smallest p "
        f"{np.nanmin(p):.2g}), {percent(float(sure.mean()))} of the cells."
    )


def clones(material: Material) -> Section:
    """Draw real exemplars beside their Gaussian clones."""
    found = material.structure
    if "clone_gap" not in found:
        msg = "expected a record with Gaussian clones, got one without: observe the run again"
        raise InputError(msg)
    figure = Figure(figsize=(9.6, 3.2), layout="constrained")
    draw.clone_gap(found, figure.subplots())
    lowest = int(np.nan_to_num(found["clone_gap"].values, nan=np.inf).argmin())
    least = float(found["clone_gap"][lowest])
    seen = f"The gap ends at {100 * float(found['clone_gap'][-1]):+.1f} points."
    if float(found["clone_gap_high"][lowest]) < 0:
        seen += (
            f" At step {int(found['step'][lowest]):,} it is {100 * least:+.1f}: the network "
            "classifies clones better than real exemplars, since means and covariances suffice "
            "for clones."
        )
    return Section(
        "clones", material.said["clones"].sentence, figure, seen,
        "Gaussian clones are images with the mean and covariance of their token's training "
        "exemplars and nothing else, as many as there are held-out exemplars (Refinetti, Ingrosso "
        "& Goldt 2023). A gap above 0 marks the use of structure beyond these. Band: 95 % interval "
        "of the gap (Newcombe), stripe: from here on its lower bound stays above 0.",
        "Where there is no gap, an onset is found in at most 2.5 % of runs, since it has to hold "
        "at the end.",
    )  # fmt: skip


def _rows(onsets: list[Onset], found: xr.Dataset) -> xr.Dataset:
    columns = {end: ("row", np.array([getattr(o, end) for o in onsets], dtype=float))
               for end in ENDS}  # fmt: skip
    return xr.Dataset(columns, {"row": [o.name for o in onsets], "step": found["step"].values})


_CHAPTER = "Category structure"
FIGURES: tuple[Shown, ...] = (
    Shown("separation", _CHAPTER, "separation of tokens", separation),
    Shown("differentiation", _CHAPTER, "differentiation", differentiation),
    Shown("trees", _CHAPTER, "token trees", trees),
    Shown("clusters", _CHAPTER, "clusters of layers and steps", clusters),
    Shown("modes", _CHAPTER, "distinctions beside a linear network", modes),
    Shown("clones", _CHAPTER, "Gaussian clones", clones),
    Shown("maps", _CHAPTER, "maps of exemplars", representation.maps),
    Shown("readout", _CHAPTER, "linear read-out", representation.readout),
    Shown("collapse", _CHAPTER, "neural collapse", representation.collapse),
    Shown("distances", _CHAPTER, "distances of tokens", representation.distances),
    Shown("dimension", _CHAPTER, "dimension", representation.dimension),
    Shown("likeness", _CHAPTER, "likeness over steps", representation.likeness),
    Shown("lives", _CHAPTER, "late exemplars", representation.late_exemplars),
)
