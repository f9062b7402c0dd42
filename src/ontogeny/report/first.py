"""The report's first figure: what was learnt, and where units are constructed or tokens separated.

May import matplotlib, numpy, ontogeny.plot, ontogeny.measure and ontogeny.statements; no torch.
"""

import numpy as np
from matplotlib.figure import Figure

from ontogeny import plot
from ontogeny.measure.categories.layers import last_hidden
from ontogeny.plot import categories as draw
from ontogeny.report.figures import Material, Section
from ontogeny.statements.words import percent


def key_figure(material: Material) -> Section:
    """Draw the accuracy over steps beside constructed units, or the separation, of each layer."""
    figure = Figure(figsize=(9.6, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    measures = material.measures
    plot.accuracy(measures, left)
    found, gains = material.findings.structure, material.findings.gains
    what = "where the tokens are separated"
    if gains is not None:
        plot.constructed(gains, right)
        what = "where units were constructed, and when"
        shown = (
            "Right: the share of each layer's units that discriminate the tokens better than each "
            f"of {gains.attrs['deals']} recombinations of the same parents."
        )
        null = " Right, pale: at most the 5 % that chance gives; framed: beyond chance and step 0."
    elif found is None:
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
        "overview", f"What was learnt, and {what}", figure,
        f"Left: the share of exemplars that the network classifies correctly. {shown}",
        "Held-out exemplars were never used in training. A step is one update of the weights; the "
        "axis of steps is linear to 1, then logarithmic.",
        f"Left, grey: guessing the most frequent token is right for {percent(low)} to "
        f"{percent(high)} of the exemplars (95 %, binomial).{null}",
    )  # fmt: skip
