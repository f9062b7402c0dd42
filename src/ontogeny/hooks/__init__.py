"""Observing one network: hooks that gather, while the exemplars pass, what the record keeps.

Everything is reduced inside the hooks, chunk by chunk; nothing but the reduced arrays stays, so
memory is bounded by one chunk, whatever the number of exemplars or snapshots. The network is left
as it was: hooks are removed, training flags, gradients, buffers and random state are untouched.
May import coupling, model, passes and errors.
"""

from ontogeny.hooks.blueprint import PIXELS, Blueprint
from ontogeny.hooks.chains import chain_faults
from ontogeny.hooks.extras import EFFECTS, EXTRAS, NULLS
from ontogeny.hooks.gathering import Observation
from ontogeny.hooks.listening import listening, response, undisturbed
from ontogeny.hooks.network import (
    coupling_faults,
    network_logits,
    observable,
    observe_network,
)
from ontogeny.hooks.probe import CHUNK_POSITIONS, Probe

__all__ = [
    "CHUNK_POSITIONS",
    "EFFECTS",
    "EXTRAS",
    "NULLS",
    "PIXELS",
    "Blueprint",
    "Observation",
    "Probe",
    "chain_faults",
    "coupling_faults",
    "listening",
    "network_logits",
    "observable",
    "observe_network",
    "response",
    "undisturbed",
]
