"""Measures: a record in, labelled arrays out; they never see the network.

May import numpy, scipy, xarray, ontogeny.stats, ontogeny.record, ontogeny.run, ontogeny.files and
ontogeny.errors only.
"""

from ontogeny.measure.categories import (
    Chance,
    confusion,
    layer_token_signal,
    preferred_token,
    token_margins,
    token_signal,
)
from ontogeny.measure.compactness import neural_collapse
from ontogeny.measure.coupling import strongest_couplings
from ontogeny.measure.dynamics import learning_curves, onsets
from ontogeny.measure.geometry import cka, differentiation, dimension, rdm
from ontogeny.measure.lives import lives
from ontogeny.measure.maps import maps
from ontogeny.measure.readout import readout
from ontogeny.measure.store import measure_record, measure_run, open_measures
from ontogeny.measure.structure import phases, structure, structure_run

__all__ = [
    "Chance",
    "cka",
    "confusion",
    "differentiation",
    "dimension",
    "layer_token_signal",
    "learning_curves",
    "lives",
    "maps",
    "measure_record",
    "measure_run",
    "neural_collapse",
    "onsets",
    "open_measures",
    "phases",
    "preferred_token",
    "rdm",
    "readout",
    "strongest_couplings",
    "structure",
    "structure_run",
    "token_margins",
    "token_signal",
]
