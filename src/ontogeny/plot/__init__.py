"""Plots: labelled arrays and axes in, axes out; they draw and never measure.

May import matplotlib, numpy, xarray and ontogeny.errors only.
"""

from ontogeny.plot.curves import accuracy, loss, token_accuracy
from ontogeny.plot.graph import ancestry_graph, coupling_graph
from ontogeny.plot.images import confusion, contact_sheet, filter_strip
from ontogeny.plot.signals import onset_intervals, token_signal_map, unit_signals
from ontogeny.plot.style import plain, token_colour

__all__ = [
    "accuracy",
    "ancestry_graph",
    "confusion",
    "contact_sheet",
    "coupling_graph",
    "filter_strip",
    "loss",
    "onset_intervals",
    "plain",
    "token_accuracy",
    "token_colour",
    "token_signal_map",
    "unit_signals",
]
