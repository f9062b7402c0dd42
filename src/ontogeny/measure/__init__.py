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

from ontogeny.measure.ancestry import construction, describe, shown_units
from ontogeny.measure.assemblies import assemblies, assembly_scan
from ontogeny.measure.categories import (
    clusters,
    confusion,
    layer_token_signal,
    preferred_token,
    token_margins,
    token_signal,
)
from ontogeny.measure.clones import clones
from ontogeny.measure.compactness import neural_collapse
from ontogeny.measure.complexity import complexity
from ontogeny.measure.coupling import strongest_couplings
from ontogeny.measure.detectors import detectors
from ontogeny.measure.dimension import dimension_scales
from ontogeny.measure.directions import directions
from ontogeny.measure.discriminating import discriminating_units
from ontogeny.measure.dynamics import learning_curves, onsets
from ontogeny.measure.edges import edge_lives, token_edge_lives
from ontogeny.measure.ending import ending
from ontogeny.measure.first import measure_record
from ontogeny.measure.geometry import cka, differentiation, dimension, rdm
from ontogeny.measure.graph import graph, to_networkx, write_graphml, write_parquet
from ontogeny.measure.graphs import graph_nodes, graphs
from ontogeny.measure.lives import lives
from ontogeny.measure.maps import maps
from ontogeny.measure.matching import match_units
from ontogeny.measure.models import model_comparison
from ontogeny.measure.modes import modes
from ontogeny.measure.noise import noise_correlations, noise_likeness
from ontogeny.measure.paths import paths, token_paths
from ontogeny.measure.quantity import Chance, Quantity, label
from ontogeny.measure.readout import readout
from ontogeny.measure.runs import noise_ceiling, run_similarity
from ontogeny.measure.sets import SETS, MeasureSet, measure_run, open_measures
from ontogeny.measure.sofar import sketch
from ontogeny.measure.store import kept
from ontogeny.measure.structure import phases, structure
from ontogeny.measure.together import measure_all
from ontogeny.measure.tuning import tuning
from ontogeny.measure.unitlives import unit_lives

__all__ = [
    "SETS",
    "Chance",
    "MeasureSet",
    "Quantity",
    "assemblies",
    "assembly_scan",
    "cka",
    "clones",
    "clusters",
    "complexity",
    "confusion",
    "construction",
    "describe",
    "detectors",
    "differentiation",
    "dimension",
    "dimension_scales",
    "directions",
    "discriminating_units",
    "edge_lives",
    "ending",
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
