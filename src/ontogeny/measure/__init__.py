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
from ontogeny.measure.coupling import strongest_couplings
from ontogeny.measure.dynamics import learning_curves, onsets
from ontogeny.measure.store import measure_record, measure_run, open_measures

__all__ = [
    "Chance",
    "confusion",
    "layer_token_signal",
    "learning_curves",
    "measure_record",
    "measure_run",
    "onsets",
    "open_measures",
    "preferred_token",
    "strongest_couplings",
    "token_margins",
    "token_signal",
]
