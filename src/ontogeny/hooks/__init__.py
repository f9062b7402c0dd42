"""Observing one network: hooks that gather, while the exemplars pass, what the record keeps.

Everything is reduced inside the hooks, chunk by chunk; nothing but the reduced arrays stays, so
memory is bounded by one chunk, whatever the number of exemplars or snapshots. The network is left
as it was: hooks are removed, training flags, gradients, buffers and random state are untouched.
May import coupling, model, passes and errors.
"""

from ontogeny.hooks.blueprint import PIXELS, Blueprint
from ontogeny.hooks.chains import chain_faults
from ontogeny.hooks.deals import N_DEALS
from ontogeny.hooks.extras import ABOVE_DEALT, EFFECTS, EXTRAS, LINEAR, NULLS, RECTIFIED
from ontogeny.hooks.gathering import Observation
from ontogeny.hooks.listening import listening, response, undisturbed
from ontogeny.hooks.network import (
    coupling_faults,
    network_logits,
    observable,
    observe_network,
)
from ontogeny.hooks.probe import CHUNK_POSITIONS, Probe
from ontogeny.hooks.recombination import ANCESTORS, DEPTHS, Recombination
from ontogeny.hooks.scoring import Scoring

__all__ = [
    "ABOVE_DEALT",
    "ANCESTORS",
    "CHUNK_POSITIONS",
    "DEPTHS",
    "EFFECTS",
    "EXTRAS",
    "LINEAR",
    "NULLS",
    "N_DEALS",
    "PIXELS",
    "RECTIFIED",
    "Blueprint",
    "Observation",
    "Probe",
    "Recombination",
    "Scoring",
    "chain_faults",
    "coupling_faults",
    "listening",
    "network_logits",
    "observable",
    "observe_network",
    "response",
    "undisturbed",
]
