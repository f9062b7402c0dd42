"""Measures: a record in, labelled arrays out; they never see the network.

In the examples of docstrings `run` and `record` are a small run and its record, and `np` is numpy:

    import ontogeny as ont

    task = ont.load_task("faces", tokens=3, density=100, size=16, probe=20)
    network = ont.vgg(task, widths=(8, 16), dense=16, depth=1, batch_norm=True)
    config = ont.Config(steps=300, snapshots=10, learning_rate=0.02)
    run = ont.train(task, network, config, out="runs/tiny")
    record = ont.observe(run)

Printed numbers are those of one machine; those of another may differ a little.

May import numpy, scipy, xarray, ontogeny.stats, ontogeny.record, ontogeny.run, ontogeny.files and
ontogeny.errors only.
"""

from ontogeny.measure.categories.clones import clones
from ontogeny.measure.categories.collapse import neural_collapse
from ontogeny.measure.categories.dimension import dimension_scales
from ontogeny.measure.categories.distances import cka, differentiation, dimension, rdm
from ontogeny.measure.categories.exemplars import lives
from ontogeny.measure.categories.likeness_models import model_comparison
from ontogeny.measure.categories.maps import maps
from ontogeny.measure.categories.modes import modes
from ontogeny.measure.categories.readout import readout
from ontogeny.measure.categories.signals import (
    clusters,
    confusion,
    layer_token_signal,
    preferred_token,
    token_margins,
    token_signal,
)
from ontogeny.measure.categories.structure import phases, structure
from ontogeny.measure.couplings.ancestry import construction, describe, shown_units
from ontogeny.measure.couplings.assemblies import assemblies, assembly_scan
from ontogeny.measure.couplings.edges import edge_lives, token_edge_lives
from ontogeny.measure.couplings.export import graph, to_networkx, write_graphml, write_parquet
from ontogeny.measure.couplings.over_steps import graph_nodes, graphs
from ontogeny.measure.couplings.paths import paths, token_paths
from ontogeny.measure.couplings.strongest import strongest_couplings
from ontogeny.measure.gains.building import building_on
from ontogeny.measure.gains.gain import construction_gain
from ontogeny.measure.gains.gains import gains
from ontogeny.measure.gains.parents import edge_gains
from ontogeny.measure.gains.readouts import readout_gain
from ontogeny.measure.learning.curves import learning_curves, onsets
from ontogeny.measure.learning.ending import ending
from ontogeny.measure.learning.first import measure_record
from ontogeny.measure.learning.sketches import sketch
from ontogeny.measure.quantity import Chance, Quantity, label
from ontogeny.measure.runs import noise_ceiling, run_similarity
from ontogeny.measure.sets import SETS, MeasureSet, measure_run, open_measures
from ontogeny.measure.side_by_side import measure_all
from ontogeny.measure.store import kept
from ontogeny.measure.units.complexity import complexity
from ontogeny.measure.units.detectors import detectors
from ontogeny.measure.units.directions import directions
from ontogeny.measure.units.discriminating import discriminating_units
from ontogeny.measure.units.lives import unit_lives
from ontogeny.measure.units.matching import match_units
from ontogeny.measure.units.noise_correlations import noise_correlations, noise_likeness
from ontogeny.measure.units.tuning import tuning

__all__ = [
    "SETS",
    "Chance",
    "MeasureSet",
    "Quantity",
    "assemblies",
    "assembly_scan",
    "building_on",
    "cka",
    "clones",
    "clusters",
    "complexity",
    "confusion",
    "construction",
    "construction_gain",
    "describe",
    "detectors",
    "differentiation",
    "dimension",
    "dimension_scales",
    "directions",
    "discriminating_units",
    "edge_gains",
    "edge_lives",
    "ending",
    "gains",
    "graph",
    "graph_nodes",
    "graphs",
    "kept",
    "label",
    "layer_token_signal",
    "learning_curves",
    "lives",
    "maps",
    "match_units",
    "measure_all",
    "measure_record",
    "measure_run",
    "model_comparison",
    "modes",
    "neural_collapse",
    "noise_ceiling",
    "noise_correlations",
    "noise_likeness",
    "onsets",
    "open_measures",
    "paths",
    "phases",
    "preferred_token",
    "rdm",
    "readout",
    "readout_gain",
    "run_similarity",
    "shown_units",
    "sketch",
    "strongest_couplings",
    "structure",
    "to_networkx",
    "token_edge_lives",
    "token_margins",
    "token_paths",
    "token_signal",
    "tuning",
    "unit_lives",
    "write_graphml",
    "write_parquet",
]
