"""The report's first screen: five sentences and one figure on what was learnt, when and where.

Each sentence makes the claims of `ontogeny.statements.claims` and none beyond. May import
matplotlib, numpy, xarray, ontogeny.plot, ontogeny.statements and ontogeny.measure; no torch.
"""

from collections.abc import Callable

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ontogeny import plot
from ontogeny.errors import OntogenyError
from ontogeny.measure.layers import last_hidden
from ontogeny.measure.probe import held_out
from ontogeny.plot import structure as draw
from ontogeny.report import answers, words
from ontogeny.report.figures import Material, Section
from ontogeny.statements import claims


def sentences(material: Material) -> list[str]:
    """Say what was learnt, when, which tokens were separated, where, and through which units."""
    found = [learnt(material), f"{words.tokens_classified(material.measures)}."]
    for say, what in ((order, "the order in which tokens were separated"),
                      (where, "the layers that separate the tokens"),
                      (through, "the units that carry the tokens")):  # fmt: skip
        found.append(_or_why(say, material, what))
    return found


def _or_why(say: Callable[[Material], str], material: Material, what: str) -> str:
    """Say a sentence, or why it cannot be said."""
    try:
        return say(material)
    except OntogenyError as error:
        return f"This report cannot say {what}: {error}."


def learnt(material: Material) -> str:
    """Say how well held-out exemplars are classified at the end, against chance.

    Wilson's interval; exemplars of one group count once, as they are no independent draws.
    """
    measures = material.measures
    probe = held_out(material.record)
    share = float(measures["accuracy"].isel(step=-1).sel(split="probe"))
    low, high = words.share_interval(share, len(np.unique(probe.group)))
    of_chance, bound = float(measures["chance"]), float(measures["chance_high"])
    n = words.count(measures.sizes["token"])
    ending = (
        f"it classifies {words.percent(share)} of the held-out exemplars correctly (95 %: "
        f"{words.percent(low)} to {words.percent(high)}), where guessing gives "
        f"{words.percent(of_chance)}"
    )
    if "holdout_accuracy" in measures:
        second = float(measures["holdout_accuracy"][-1])
        ending += f"; it classifies {words.percent(second)} of the second probe correctly"
    if low > bound:
        return f"The network learnt to classify the {n} tokens: {ending}."
    return f"The network did not learn to classify the {n} tokens beyond chance: {ending}."


def order(material: Material) -> str:
    """Say which tokens were separated first and last, and which are still confused."""
    found = material.structure
    return f"{answers.separated_first(found)} {answers.confused(found)}."


def where(material: Material) -> str:
    """Say which layers separate all tokens."""
    return answers.separated_in(material.structure)


def through(material: Material) -> str:
    """Say through which units most of what distinguishes each token passes."""
    found = claims.carriers(material.graph)
    if not found:
        return (
            "No unit of the upper layers carries more of what distinguishes a token than units of "
            "its layer did before training."
        )
    shares = [f"{one.unit} for {one.token} ({words.percent(one.share)})" for one in found]
    return (
        "What distinguishes a token passes through many units; the strongest detectors of the "
        f"upper layers are {words.listed(shares)}, each with a larger share than units of its "
        "layer had before training."
    )


def key_figure(material: Material) -> Section:
    """Draw the accuracy over steps beside the separation of the closest tokens in each layer."""
    figure = Figure(figsize=(9.6, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    measures = material.measures
    plot.accuracy(measures, left)
    found = _structure(material)
    if found is None:
        plot.loss(measures, right)
        shown, null = "Right: the loss.", ""
    else:
        level = float(np.nanmax(found["cdnv_null"].values)) ** -0.5
        draw.separation(found, right, null=level)
        shown = (
            "Right: how far the centres of the two closest tokens lie apart in each layer, in "
            f"spreads of their exemplars, with the 95 % interval of {last_hidden(found)}; from 1 "
            "on (dotted) all tokens are separated."
        )
        null = f" Right, grey: tokens that do not differ have a separation of about {level:.2f}."
    low, high = float(measures["chance_low"]), float(measures["chance_high"])
    return Section(
        "overview", "What was learnt, and where the tokens are separated", figure,
        f"Left: the share of exemplars that the network classifies correctly. {shown}",
        "Held-out exemplars were never used in training. A step is one update of the weights; the "
        "axis of steps is linear to 1, then logarithmic.",
        f"Left, grey: guessing the most frequent token is right for {words.percent(low)} to "
        f"{words.percent(high)} of the exemplars (95 %, binomial).{null}",
    )  # fmt: skip


def _structure(material: Material) -> xr.Dataset | None:
    try:
        return material.structure
    except OntogenyError:
        return None
