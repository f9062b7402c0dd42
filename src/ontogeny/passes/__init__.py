"""One forward pass of a network as it is: undisturbed, and all that it calls.

May import torch and errors only.
"""

from ontogeny.passes.bare import bare, device_of, in_precision, paths, refuse_uninitialised
from ontogeny.passes.calls import NEUTRAL, Call, calls
from ontogeny.passes.functions import ACTIVATIONS, NORMS, as_module
from ontogeny.passes.quiet import undisturbed

__all__ = [
    "ACTIVATIONS",
    "NEUTRAL",
    "NORMS",
    "Call",
    "as_module",
    "bare",
    "calls",
    "device_of",
    "in_precision",
    "paths",
    "refuse_uninitialised",
    "undisturbed",
]
