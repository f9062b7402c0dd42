"""Plots: labelled arrays and axes in, axes out; they draw and never measure.

May import matplotlib, numpy, xarray and ontogeny.errors only.
"""

from ontogeny.plot.ancestry import ancestry_pictures
from ontogeny.plot.assemblies import assembly_quality, assembly_raster, edge_births, token_sharing
from ontogeny.plot.construction import building, constructed, detector_family, gain_parts
from ontogeny.plot.couplings import ancestry_graph, coupling_graph, coupling_graphs
from ontogeny.plot.detectors import life_lines, score_distribution, tuning_curves
from ontogeny.plot.grafts import graft_map, readiness
from ontogeny.plot.images import confusion, contact_sheet, filter_strip
from ontogeny.plot.learning import accuracy, loss, token_accuracy
from ontogeny.plot.picture_graph import picture_graph
from ontogeny.plot.sheets import detector_sheet, film, filter_strips, layer_sheet, tuning_curve
from ontogeny.plot.signals import onset_intervals, token_signal_map, unit_signals
from ontogeny.plot.style import legible, plain, token_colour

__all__ = [
    "accuracy",
    "ancestry_graph",
    "ancestry_pictures",
    "assembly_quality",
    "assembly_raster",
    "building",
    "confusion",
    "constructed",
    "contact_sheet",
    "coupling_graph",
    "coupling_graphs",
    "detector_family",
    "detector_sheet",
    "edge_births",
    "film",
    "filter_strip",
    "filter_strips",
    "gain_parts",
    "graft_map",
    "layer_sheet",
    "legible",
    "life_lines",
    "loss",
    "onset_intervals",
    "picture_graph",
    "plain",
    "readiness",
    "score_distribution",
    "token_accuracy",
    "token_colour",
    "token_sharing",
    "token_signal_map",
    "tuning_curve",
    "tuning_curves",
    "unit_signals",
]
